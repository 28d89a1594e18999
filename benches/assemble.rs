//! A large run: its trials become a run file, and the file is read again. `cargo bench -p lbcurve --bench report_scale` does the same
//! with 100,000 trials and all formats, whole processes, and holds them to limits.
#![expect(clippy::unwrap_used, reason = "a bench whose trials do not assemble has nothing to measure")]

use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use hdrhistogram::Histogram;
use lbcurve::result::{
    BackendKind, Bracket, Cell, Flow, Manifest, Position, Quantiles, TrialKind, TrialRecord, Unit, VenueKind, assemble,
    encode_histogram, parse_run_file, run_file_text,
};
use lbcurve::workload::{Protocol, VipLayout};

/// 200 cells of 50 trials.
const CELLS: u32 = 200;
const TRIALS: u32 = 50;

/// That of the fuzzer's empty run.
fn manifest() -> Manifest {
    let run = parse_run_file(include_bytes!("../fuzz/seeds/run_file/empty.json")).unwrap();
    Manifest { environment: run.environment, plan: run.plan }
}

/// 20 curves of 10 sizes.
fn trials() -> Vec<TrialRecord> {
    (0..CELLS).flat_map(|cell| (0..TRIALS).map(move |index| trial(cell, index))).collect()
}

fn trial(number: u32, index: u32) -> TrialRecord {
    let services = 2_u32.pow(number % 10);
    let middle = u64::from(4000 + 26 * services + index);
    let mut histogram = Histogram::<u64>::new(3).unwrap();
    (0..400).for_each(|packet| histogram.record(middle + packet * packet % 997).unwrap());
    let at = |quantile| histogram.value_at_quantile(quantile);
    TrialRecord {
        cell: Cell {
            venue: VenueKind::Host,
            kernel: "6.1.0".into(),
            backend: BackendKind::IptablesLegacy,
            bracket: Bracket::Tc,
            layout: VipLayout::Sequential,
            protocol: Protocol::Tcp,
            services,
            endpoints: 1 + number / 10,
            flow: Flow::New,
            position: Position::Last,
        },
        kind: TrialKind::Traversal,
        trial: index,
        unit: Unit::Ns,
        packets: 400,
        mismatched: 0,
        lost: 0,
        misdirected: 0,
        quantiles: Quantiles {
            min: histogram.min(),
            p10: at(0.1),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
        },
        histogram: encode_histogram(&histogram).unwrap(),
    }
}

fn large_run(criterion: &mut Criterion) {
    let (manifest, trials) = (manifest(), trials());
    let mut group = criterion.benchmark_group("assemble: a run of 10,000 trials");
    group.sampling_mode(SamplingMode::Flat).sample_size(10).nresamples(10_000);
    group.measurement_time(Duration::from_millis(500)).warm_up_time(Duration::from_millis(200));
    group.throughput(Throughput::Elements(trials.len() as u64));
    let run = assemble(manifest.clone(), &trials, &[], &[], &[]).unwrap();
    group.bench_function("assemble", |bencher| {
        bencher.iter(|| assemble(manifest.clone(), &trials, &[], &[], &[]));
    });
    let text = run_file_text(&run).unwrap();
    group.bench_function("read", |bencher| bencher.iter(|| parse_run_file(text.as_bytes()).is_ok()));
    group.finish();
}

criterion_group!(benches, large_run);
criterion_main!(benches);
