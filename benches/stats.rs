//! The statistics of a report: what a curve, a comparison and a screen of trials take.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use curve_stats::{NoiseFloor, Observation, crossover, drift, fit, mann_whitney, ratio, spread};

const SIZES: [u32; 9] = [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000];

/// A line that starts at `start`; the trials of a size differ by some nanoseconds.
fn curve(start: f64, slope: f64, trials: u32) -> Vec<Observation> {
    let value = |services, trial| start + slope * f64::from(services) + f64::from(trial * 7 % 11);
    let of_size = |services| (0..trials).map(move |trial| Observation::new(services, value(services, trial)));
    SIZES.into_iter().flat_map(of_size).collect()
}

fn trials(count: u32, shift: f64) -> Vec<f64> {
    (0..count).map(|trial| 11_000.0 + shift + f64::from(trial * 7_919 % 997)).collect()
}

/// The parameter is the trials of each of nine sizes, the throughput counts observations.
fn curves(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stats: curves of 9 sizes");
    group.sample_size(10).nresamples(10_000);
    group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(400));
    for count in [3_u32, 10, 100] {
        let (line, flat) = (curve(11_000.0, 26.0, count), curve(40_000.0, 0.0, count));
        group.throughput(Throughput::Elements(line.len() as u64));
        group.bench_function(BenchmarkId::new("fit", count), |bencher| {
            bencher.iter(|| fit(black_box(&line), NoiseFloor::NONE));
        });
        group.bench_function(BenchmarkId::new("crossover", count), |bencher| {
            bencher.iter(|| crossover(black_box(&line), black_box(&flat), NoiseFloor::NONE));
        });
    }
    group.finish();
}

/// The parameter is the trials of a cell.
fn cells(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stats: trials of a cell");
    group.sample_size(10).nresamples(10_000);
    group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(400));
    for count in [10_u32, 30, 100] {
        let (one, other) = (trials(count, 0.0), trials(count, 50.0));
        group.throughput(Throughput::Elements(count.into()));
        group.bench_function(BenchmarkId::new("spread", count), |bencher| bencher.iter(|| spread(black_box(&one))));
        group.bench_function(BenchmarkId::new("drift", count), |bencher| bencher.iter(|| drift(black_box(&one))));
        group.bench_function(BenchmarkId::new("ratio", count), |bencher| {
            bencher.iter(|| ratio(black_box(&one), black_box(&other)));
        });
        group.bench_function(BenchmarkId::new("mann-whitney", count), |bencher| {
            bencher.iter(|| mann_whitney(black_box(&one), black_box(&other)));
        });
    }
    group.finish();
}

criterion_group!(benches, curves, cells);
criterion_main!(benches);
