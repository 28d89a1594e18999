//! Fitting a curve: what a report costs for each of its curves.

use criterion::{Criterion, criterion_group, criterion_main};
use curve_stats::{NoiseFloor, Observation, fit};

fn fit_a_curve(criterion: &mut Criterion) {
    let sizes = [1_u32, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000];
    let trials =
        |services: u32| (0..10).map(move |trial| (services, 11_000.0 + 26.0 * f64::from(services) + f64::from(trial)));
    let observations: Vec<_> =
        sizes.into_iter().flat_map(trials).map(|(services, value)| Observation { services, value }).collect();
    criterion
        .bench_function("fit 9 sizes x 10 trials", |bencher| bencher.iter(|| fit(&observations, NoiseFloor::NONE)));
}

criterion_group!(benches, fit_a_curve);
criterion_main!(benches);
