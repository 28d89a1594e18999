//! Rules rendered a second, every backend over N: rendering must stay a small part of programming.
//!
//! A rule is a line of what a backend's tools read, or a netlink message; criterion's throughput counts them, as `elem/s`, and its
//! line charts have them on the x axis.

use std::time::Duration;

use criterion::{
    AxisScale, BenchmarkId, Criterion, PlotConfiguration, SamplingMode, Throughput, criterion_group, criterion_main,
};
use lbcurve::backend::backend;
use lbcurve::result::{BackendKind, name};
use lbcurve::workload::VipLayout;
use lbcurve_benches::workload;

const BACKENDS: [BackendKind; 4] =
    [BackendKind::IptablesLegacy, BackendKind::IptablesNft, BackendKind::Ipvs, BackendKind::Nftables];

fn render(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("render: rules");
    group.plot_config(PlotConfiguration::default().summary_scale(AxisScale::Logarithmic));
    group.sampling_mode(SamplingMode::Flat).sample_size(10).nresamples(10_000);
    group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(400));
    for kind in BACKENDS {
        for services in [10, 100, 1_000] {
            let workload = workload(services, VipLayout::Sequential);
            let documents = backend(kind).render(&workload).documents;
            let rules: usize = documents.iter().map(|document| document.text.lines().count()).sum();
            group.throughput(Throughput::Elements(rules as u64));
            group.bench_with_input(BenchmarkId::new(name(&kind), services), &workload, |bencher, workload| {
                bencher.iter(|| backend(kind).render(workload));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, render);
criterion_main!(benches);
