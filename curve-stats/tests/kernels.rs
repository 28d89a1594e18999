//! Curves as kernels give them, and the edges of what can be said.

#![expect(clippy::unwrap_used, reason = "the values are finite; helpers of tests are not seen as tests")]

use curve_stats::{Class, Fit, FitNote, NoiseFloor, Observation, StatsError, fit};

const ICOUNT: NoiseFloor = NoiseFloor(0.005);

/// Every N with `repeat` identical trials, as a deterministic vm gives them.
fn repeated(points: &[(u32, f64)], repeat: usize) -> Vec<Observation> {
    let one = points.iter().map(|&(services, value)| Observation::new(services, value));
    one.flat_map(|trial| std::iter::repeat_n(trial, repeat)).collect()
}

fn of(points: &[(u32, f64)], repeat: usize) -> Fit {
    fit(&repeated(points, repeat), ICOUNT).unwrap()
}

// Medians of new UDP flows on a 6.1 kernel under icount.
const IPTABLES_LAST: [(u32, f64); 5] =
    [(1, 7813.0), (10, 8045.0), (100, 10_398.0), (1000, 33_798.0), (10_000, 267_796.0)];
const IPVS_LAST: [(u32, f64); 5] = [(1, 4546.0), (10, 4719.0), (100, 4719.0), (1000, 4738.0), (10_000, 4913.0)];
const NFTABLES_LAST: [(u32, f64); 4] = [(1, 8632.0), (10, 8634.0), (100, 8675.0), (1000, 8683.0)];
const IPVS_STRIDE_256: [(u32, f64); 4] = [(1, 4546.0), (10, 4660.0), (100, 5850.0), (1000, 17_578.0)];

#[test]
fn iptables_is_linear_at_26_per_service() {
    for sizes in [4, 5] {
        for repeat in [1, 2, 3, 10] {
            let fit = of(&IPTABLES_LAST[..sizes], repeat);
            assert!(fit.is(Class::Linear), "{fit:?}");
            assert!((fit.slope_per_service.unwrap() - 26.0).abs() < 0.1, "{fit:?}");
            let [low, high] = fit.slope_ci95.unwrap();
            assert!(low < 26.0 && 26.0 < high && high - low < 1.0, "{fit:?}");
        }
    }
}

#[test]
fn more_identical_trials_add_no_knowledge() {
    for points in [&IPTABLES_LAST[..], &IPVS_LAST[..], &NFTABLES_LAST[..], &IPVS_STRIDE_256[..]] {
        let (once, often) = (of(points, 2), of(points, 100));
        assert_eq!((&once.classes, once.slope_ci95), (&often.classes, often.slope_ci95));
        assert!(once.notes.contains(&FitNote::IdenticalTrials));
    }
}

#[test]
fn ipvs_and_nftables_are_constant_despite_their_steps() {
    for points in [&IPVS_LAST[..4], &IPVS_LAST[..], &NFTABLES_LAST[..]] {
        for repeat in [1, 2, 3, 10] {
            let fit = of(points, repeat);
            assert!(fit.is(Class::Constant), "{points:?} x {repeat}: {fit:?}");
        }
    }
}

#[test]
fn the_256_bucket_table_shows_itself_on_stride_256() {
    let fit = of(&IPVS_STRIDE_256, 3);
    assert!(fit.is(Class::Linear) && (fit.growth.unwrap() - 3.87).abs() < 0.05, "{fit:?}");
}

#[test]
fn three_sizes_leave_a_tie() {
    let fit = of(&IPTABLES_LAST[..3], 3);
    assert_eq!(fit.label(), "linear or n log n");
}

#[test]
fn a_knee_is_found_with_its_interval() {
    let curve: Vec<_> =
        [1, 10, 100, 300, 1000, 2000, 5000, 10_000].map(|n| (n, 5000.0 + 4.0 * (f64::from(n) - 500.0).max(0.0))).into();
    let fit = of(&curve, 3);
    assert!(fit.is(Class::Piecewise), "{fit:?}");
    let model = fit.model().unwrap();
    let [low, high] = model.knee_ci95.unwrap();
    assert!(
        (model.knee.unwrap() - 500.0).abs() < 1.0 && low < 500.0 && 500.0 < high && high - low < 100.0,
        "{model:?}"
    );
    assert_eq!(model.exponent, None);
}

#[test]
fn an_exponent_is_found_with_its_interval() {
    let curve: Vec<_> = [1, 10, 100, 1000, 10_000].map(|n| (n, 3000.0 + 90.0 * f64::from(n).sqrt())).into();
    let fit = of(&curve, 3);
    assert!(fit.is(Class::Power), "{fit:?}");
    let model = fit.model().unwrap();
    let [low, high] = model.exponent_ci95.unwrap();
    assert!((model.exponent.unwrap() - 0.5).abs() < 1e-3 && 0.45 < low && high < 0.55, "{model:?}");
}

#[test]
fn a_falling_curve_has_no_class() {
    let fit = of(&[(1, 1000.0), (500, 750.0), (1000, 500.0)], 3);
    assert_eq!((fit.label().as_str(), fit.notes.contains(&FitNote::Falls)), ("undetermined", true));
}

#[test]
fn a_curve_that_jumps_up_and_down_has_no_class() {
    let fit = of(&[(1, 1000.0), (10, 1500.0), (100, 1000.0), (1000, 1500.0), (10_000, 1000.0)], 3);
    assert_eq!((fit.label().as_str(), fit.notes.contains(&FitNote::NoClassFits)), ("undetermined", true));
    assert!(fit.slope_per_service.is_some() && fit.models.iter().all(|model| model.lack_of_fit.unwrap() < 0.01));
}

#[test]
fn added_may_be_zero_or_negative() {
    let zero = of(&[(1, 0.0), (10, 0.0), (100, 0.0)], 2);
    assert!(zero.is(Class::Constant) && zero.slope_ci95 == Some([0.0, 0.0]), "{zero:?}");
    assert_eq!((zero.growth, zero.notes), (None, vec![FitNote::Exact, FitNote::NonPositiveStart]));
    let negative = of(&[(1, -700.0), (10, -701.0), (100, -699.0)], 3);
    assert!(negative.is(Class::Constant), "{negative:?}");
    let rising = of(&[(1, -50.0), (10, 200.0), (100, 2540.0)], 3);
    assert!(rising.is(Class::Linear) && rising.notes.contains(&FitNote::NonPositiveStart), "{rising:?}");
}

#[test]
fn too_few_sizes_give_no_class_but_a_slope() {
    let two = of(&[(1, 100.0), (1000, 30_000.0)], 5);
    assert!(two.classes.is_empty() && two.slope_per_service.is_some());
    assert!(two.notes.contains(&FitNote::TwoSizes));
    let one = of(&[(1, 100.0)], 5);
    assert_eq!((one.slope_per_service, one.notes), (None, vec![FitNote::OneSize]));
}

#[test]
fn on_real_time_ten_trials_make_an_interval() {
    let scattered = |per_size: u32| {
        let sizes = [1_u32, 10, 100].iter().flat_map(|&n| (0..per_size).map(move |i| (n, i)));
        sizes.map(|(services, i)| Observation::new(services, 1000.0 + f64::from(i))).collect::<Vec<_>>()
    };
    let three = fit(&scattered(3), NoiseFloor::NONE).unwrap();
    assert!(three.slope_ci95.is_none() && three.notes.contains(&FitNote::NoInterval));
    assert!(fit(&scattered(4), NoiseFloor::NONE).unwrap().slope_ci95.is_some());
}

#[test]
fn without_replicates_residuals_stand_for_the_noise() {
    let points: Vec<_> = (0..10).map(|i| (1 << i, 1000.0 + f64::from(i % 3))).collect();
    let fit = fit(&repeated(&points, 1), NoiseFloor::NONE).unwrap();
    assert!(fit.is(Class::Constant) && fit.notes.contains(&FitNote::NoReplicates), "{fit:?}");
    assert!(fit.models.iter().all(|model| model.lack_of_fit.is_none()));
}

#[test]
fn bad_input_is_named() {
    assert!(matches!(fit(&[], ICOUNT), Err(StatsError::Empty { .. })));
    let one = |value| [Observation::new(1, value)];
    assert!(matches!(fit(&one(f64::NAN), ICOUNT), Err(StatsError::NotFinite { index: 0, .. })));
    assert!(matches!(fit(&one(1.0), NoiseFloor(-1.0)), Err(StatsError::Floor { .. })));
    let huge = repeated(&[(1, f64::MAX), (2, -f64::MAX), (3, f64::MAX)], 1);
    let flat = fit(&huge, NoiseFloor::NONE).unwrap();
    assert!((flat.slope_per_service.unwrap() / f64::MAX).abs() < 1e-9, "{flat:?}");
    let steep = repeated(&[(0, -f64::MAX), (1, f64::MAX)], 1);
    assert!(matches!(fit(&steep, NoiseFloor::NONE), Err(StatsError::Overflow { values: 2, .. })));
}

#[test]
fn a_difference_is_no_better_known_than_what_it_was_taken_from() {
    let sizes = [1, 10, 100, 1000, 10_000];
    let width = |trials: &[Observation]| {
        let [low, high] = fit(trials, ICOUNT).unwrap().slope_ci95.unwrap();
        high - low
    };
    let value = |n: u32| 1000.0 + f64::from(n % 7);
    let alone: Vec<_> = sizes.iter().map(|&n| Observation::new(n, value(n))).collect();
    let of = |base: f64| sizes.map(|n| Observation::difference(n, base + value(n), base));
    // Root of the squares of 4,000 and 3,000, in units of 1,000.
    let ratio = width(&of(3000.0)) / width(&alone);
    assert!((4.9..5.1).contains(&ratio), "{ratio}");
    // Nothing was added, of traversals that are not nothing.
    let nothing = fit(&sizes.map(|n| Observation::difference(n, 5000.0, 5000.0)), ICOUNT).unwrap();
    assert!(nothing.classes.contains(&Class::Constant) && nothing.slope_per_service == Some(0.0));
    let odd = Observation { scale: Some(f64::NAN), ..Observation::new(1, 1.0) };
    assert!(fit(&[odd], ICOUNT).is_err());
}
