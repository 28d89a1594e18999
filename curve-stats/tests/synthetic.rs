//! Synthetic curves of known class: how often the selection finds it, and how often the interval covers the true slope. The bench
//! `classes` prints these rates, the confusion matrix, and what harder noise does to them.

#![expect(clippy::unwrap_used, reason = "the draws are finite; helpers of tests are not seen as tests")]

mod draws;

use curve_stats::{Class, Fit, NoiseFloor, Observation, fit};
use draws::{Noise, SIZES, TRIALS, TRUTHS, Truth, draw};
use proptest::prelude::*;

const DRAWS: u64 = 1000;

/// Of intervals: with fewer draws the share that covers is known too badly to be held to a band of 4%.
const INTERVAL_DRAWS: u64 = 3000;

fn fits(truth: &Truth, noise: Noise, sizes: &[u32], trials: u32) -> Vec<Fit> {
    (0..DRAWS).map(|seed| fit(&draw(seed, truth, noise, sizes, trials), NoiseFloor::NONE).unwrap()).collect()
}

fn share(fits: &[Fit], holds: impl Fn(&Fit) -> bool) -> f64 {
    fits.iter().filter(|fit| holds(fit)).count() as f64 / fits.len() as f64
}

fn linear(growth: f64) -> Truth {
    Truth { name: "linear", class: Class::Linear, start: 7800.0, growth, bend: 0.0 }
}

#[test]
fn every_class_is_found_where_the_curve_grows_tenfold() {
    for truth in TRUTHS.iter().filter(|truth| truth.class != Class::Constant) {
        let fits = fits(truth, Noise::Relative(0.05), &SIZES, TRIALS);
        let right = share(&fits, |fit| fit.is(truth.class));
        assert!(right >= 0.95, "{}: {right}", truth.name);
    }
}

#[test]
fn a_flat_curve_stays_constant() {
    let flat = TRUTHS.iter().find(|truth| truth.class == Class::Constant).unwrap();
    for noise in [Noise::Relative(0.05), Noise::Absolute(0.05), Noise::Drifting(0.05)] {
        let fits = fits(flat, noise, &SIZES, TRIALS);
        let right = share(&fits, |fit| fit.is(Class::Constant));
        assert!(right >= 0.98, "{noise:?}: {right}");
    }
}

#[test]
fn noise_that_hides_growth_is_never_called_growth() {
    let flat = TRUTHS.iter().find(|truth| truth.class == Class::Constant).unwrap();
    for noise in [Noise::Relative(0.2), Noise::Uneven(0.05), Noise::Outliers(0.05)] {
        let fits = fits(flat, noise, &SIZES, TRIALS);
        let grows = share(&fits, |fit| !fit.classes.is_empty() && !fit.classes.contains(&Class::Constant));
        assert!(grows <= 0.02, "{noise:?}: {grows}");
    }
}

#[test]
fn identical_trials_are_judged_by_their_floor() {
    for truth in &TRUTHS {
        let draws = (0..DRAWS).map(|seed| draw(seed, truth, Noise::Cell(0.005), &SIZES, 3));
        let fits: Vec<_> = draws.map(|trials| fit(&trials, NoiseFloor(0.005)).unwrap()).collect();
        let right = share(&fits, |fit| fit.is(truth.class));
        assert!(right >= 0.98, "{}: {right}", truth.name);
    }
}

#[test]
fn intervals_of_the_slope_cover_it() {
    for growth in [1.01, 2.0, 10.0, 300.0] {
        let truth = linear(growth);
        let draws = (0..INTERVAL_DRAWS).map(|seed| draw(seed, &truth, Noise::Relative(0.05), &SIZES, TRIALS));
        let fits: Vec<_> = draws.map(|trials| fit(&trials, NoiseFloor::NONE).unwrap()).collect();
        let slope = truth.slope();
        let covered = share(&fits, |fit| fit.slope_ci95.is_some_and(|[low, high]| low <= slope && slope <= high));
        assert!((0.93..=0.97).contains(&covered), "{growth}-fold: {covered}");
    }
}

#[test]
fn classes_that_the_data_cannot_tell_apart_are_a_tie() {
    let fits = fits(&linear(1.2), Noise::Relative(0.05), &SIZES, TRIALS);
    assert!(share(&fits, |fit| fit.label() == "linear or n log n") >= 0.95);
}

#[test]
fn too_few_sizes_for_a_class_do_not_get_it() {
    let (sizes, trials) = ([1, 100, 10_000], 3);
    let piecewise = TRUTHS.iter().find(|truth| truth.class == Class::Piecewise).unwrap();
    let fits = fits(piecewise, Noise::Relative(0.05), &sizes, trials);
    assert!(share(&fits, |fit| fit.is(Class::Linear)) <= 0.01);
}

fn any_trials() -> impl Strategy<Value = Vec<Observation>> {
    let trial = (1_u32..=20_000, -1e9..1e9_f64);
    prop::collection::vec(trial.prop_map(|(services, value)| Observation::new(services, value)), 1..60)
}

fn grouped() -> impl Strategy<Value = Vec<Observation>> {
    let cell = (0_usize..SIZES.len(), prop::collection::vec(1.0..1e6_f64, 1..6));
    prop::collection::vec(cell, 1..9).prop_map(|cells| {
        let trials = cells.into_iter().flat_map(|(size, values)| values.into_iter().map(move |value| (size, value)));
        trials.map(|(size, value)| Observation::new(SIZES[size], value)).collect()
    })
}

fn floor() -> impl Strategy<Value = NoiseFloor> {
    prop_oneof![Just(NoiseFloor::NONE), Just(NoiseFloor(0.005))]
}

proptest! {
    #[test]
    fn every_fit_is_finite_and_consistent(trials in prop_oneof![any_trials(), grouped()], noise in floor()) {
        let fit = fit(&trials, noise).unwrap();
        prop_assert!(fit.classes.is_sorted());
        prop_assert!(fit.models.is_sorted_by(|a, b| a.delta_bic <= b.delta_bic));
        for class in &fit.classes {
            prop_assert!(fit.models.iter().any(|model| model.class == *class));
        }
        prop_assert_eq!(fit.classes.is_empty(), fit.predict(7.0).is_none());
        prop_assert!(!fit.classes.is_empty() || !fit.notes.is_empty());
        let mut numbers: Vec<_> = fit.growth.into_iter().chain(fit.slope_per_service).collect();
        for model in &fit.models {
            numbers.extend([model.predict(1.0), model.predict(10_000.0), model.delta_bic]);
        }
        prop_assert!(numbers.into_iter().all(f64::is_finite));
        if let (Some(slope), Some([low, high])) = (fit.slope_per_service, fit.slope_ci95) {
            prop_assert!(low <= slope && slope <= high);
        }
    }

    #[test]
    fn no_value_makes_a_panic_or_an_infinity(
        trials in prop::collection::vec((any::<u32>(), any::<f64>()), 0..12), share in any::<f64>(),
    ) {
        let trials: Vec<_> = trials.into_iter().map(|(services, value)| Observation::new(services, value)).collect();
        if let Ok(fit) = fit(&trials, NoiseFloor(share)) {
            prop_assert!(fit.slope_per_service.is_none_or(f64::is_finite));
            prop_assert!(fit.models.iter().all(|model| model.intercept.is_finite()));
        }
    }

    #[test]
    fn the_order_of_trials_does_not_matter(trials in grouped(), by in 0_usize..60, noise in floor()) {
        let mut shuffled = trials.clone();
        let by = by % shuffled.len();
        shuffled.rotate_left(by);
        prop_assert_eq!(fit(&trials, noise).unwrap(), fit(&shuffled, noise).unwrap());
    }

    #[test]
    fn the_unit_does_not_matter(seed in 0_u64..500, which in 0_usize..TRUTHS.len(), scale in 1e-3..1e3_f64) {
        let trials = draw(seed, &TRUTHS[which], Noise::Relative(0.05), &SIZES, TRIALS);
        let scaled: Vec<_> = trials.iter().map(|t| Observation::new(t.services, t.value * scale)).collect();
        let (a, b) = (fit(&trials, NoiseFloor::NONE).unwrap(), fit(&scaled, NoiseFloor::NONE).unwrap());
        prop_assert_eq!(&a.classes, &b.classes);
        let (a, b) = (a.slope_per_service.unwrap() * scale, b.slope_per_service.unwrap());
        prop_assert!((a - b).abs() <= 1e-6 * (a.abs() + b.abs()), "{} {}", a, b);
    }
}
