//! Fitting a curve: what a report costs for each of its curves.

use criterion::{Criterion, criterion_group, criterion_main};
use curve_stats::{NoiseFloor, Observation, fit};

fn curve(trials: u32) -> Vec<Observation> {
    let sizes = [1_u32, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000];
    let value = |services, trial| 11_000.0 + 26.0 * f64::from(services) + f64::from(trial);
    let of_size = |services| (0..trials).map(move |trial| Observation::new(services, value(services, trial)));
    sizes.into_iter().flat_map(of_size).collect()
}

fn fit_curves(criterion: &mut Criterion) {
    let small = curve(10);
    criterion.bench_function("fit 9 sizes x 10 trials", |bencher| bencher.iter(|| fit(&small, NoiseFloor::NONE)));
    // A run of 1,000 cells x 100 trials.
    let large = curve(100);
    let run = || (0..1000 / 9).map(|_| fit(&large, NoiseFloor::NONE)).collect::<Vec<_>>();
    criterion.bench_function("fit 111 curves of 9 sizes x 100 trials", |bencher| bencher.iter(run));
}

criterion_group!(benches, fit_curves);
criterion_main!(benches);
