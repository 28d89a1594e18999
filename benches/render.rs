//! Rules rendered a second, every backend over N: rendering must stay a small part of programming.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lbcurve::backend::backend;
use lbcurve::result::{BackendKind, name};
use lbcurve_benches::workload;

fn render(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("render");
    for kind in [BackendKind::IptablesLegacy, BackendKind::Nftables, BackendKind::Ipvs] {
        for services in [10, 100, 1_000] {
            let workload = workload(services);
            group.throughput(Throughput::Elements(u64::from(services)));
            group.bench_with_input(BenchmarkId::new(name(&kind), services), &workload, |bencher, workload| {
                bencher.iter(|| backend(kind).render(workload));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, render);
criterion_main!(benches);
