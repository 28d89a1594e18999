//! Where curves cross: known crossings, how often the interval covers them, and what cannot be said.

mod draws;

use curve_stats::{Class, Crossover, NoCrossover, NoiseFloor, Observation, StatsError, crossover, threshold};
use draws::{Noise, SIZES, TRIALS, Truth, draw};

const ICOUNT: NoiseFloor = NoiseFloor(0.005);

fn curve(value: impl Fn(f64) -> f64) -> Vec<Observation> {
    let sizes = [1_u32, 10, 100, 1000, 10_000].into_iter();
    sizes.flat_map(|n| [n, n]).map(|services| Observation::new(services, value(f64::from(services)))).collect()
}

fn at(crossover: Crossover) -> (f64, Option<f64>, Option<f64>) {
    let Crossover::At { services, low, high } = crossover else { panic!("{crossover:?}") };
    (services, low, high)
}

#[test]
fn a_line_overtakes_a_constant_where_algebra_says() {
    let (services, low, high) = at(crossover(&curve(|n| 2000.0 + 26.0 * n), &curve(|_| 15_000.0), ICOUNT).unwrap());
    assert!((services - 500.0).abs() < 1.0, "{services}");
    assert!(low.unwrap() > 480.0 && low.unwrap() < 500.0 && high.unwrap() > 500.0 && high.unwrap() < 520.0);
}

#[test]
fn a_threshold_is_a_multiple_of_the_reference() {
    // 10 + N passes 10% of 4000 at N = 390.
    let (services, ..) = at(threshold(&curve(|n| 10.0 + n), &curve(|_| 4000.0), 0.1, ICOUNT).unwrap());
    assert!((services - 390.0).abs() < 1.0, "{services}");
}

#[test]
fn a_curve_without_a_class_is_interpolated() {
    // Steps: flat at 1000 up to N = 100, 3000 at 1000: halfway between 100 and 1000 it is 2000.
    let steps = curve(|n| {
        if n <= 100.0 {
            1000.0
        } else if n <= 1000.0 {
            3000.0
        } else {
            3100.0
        }
    });
    let (services, ..) = at(crossover(&steps, &curve(|_| 2000.0), ICOUNT).unwrap());
    assert!((services - 550.0).abs() < 1.0, "{services}");
}

#[test]
fn no_crossing_is_said_and_how_surely() {
    let high = curve(|n| 20_000.0 + n);
    let low = curve(|_| 5000.0);
    assert_eq!(crossover(&high, &low, ICOUNT).unwrap(), Crossover::Always { certain_from: Some(1.0) });
    assert_eq!(crossover(&low, &high, ICOUNT).unwrap(), Crossover::Never { possible_from: None });
    // Reaches 99.9% of the reference at the largest N: below, but within the noise there.
    let near = curve(|n| 2000.0 + 0.799 * n);
    let Crossover::Never { possible_from: Some(from) } = crossover(&near, &curve(|_| 10_000.0), ICOUNT).unwrap() else {
        panic!("not told apart at the largest N");
    };
    assert!((9000.0..10_000.0).contains(&from), "{from}");
}

#[test]
fn what_cannot_be_said_has_a_reason() {
    let reason = |a: &[Observation], b: &[Observation], noise| match crossover(a, b, noise).unwrap() {
        Crossover::Undetermined { reason } => reason,
        other => panic!("{other:?}"),
    };
    let flat = curve(|_| 1000.0);
    assert_eq!(reason(&flat, &flat, ICOUNT), NoCrossover::WithinNoise);
    assert_eq!(reason(&flat, &curve(|n| 900.0 + n), NoiseFloor::NONE), NoCrossover::NoError);
    assert_eq!(reason(&flat, &[Observation::new(1, 1.0)], ICOUNT), NoCrossover::NoCommonRange);
    assert_eq!(reason(&flat, &curve(|n| 900.0 + n), ICOUNT), NoCrossover::FallsBehind);
    assert!(matches!(threshold(&flat, &flat, 0.0, ICOUNT), Err(StatsError::Factor { .. })));
    assert!(matches!(crossover(&[], &flat, ICOUNT), Err(StatsError::Empty { .. })));
}

#[test]
fn intervals_of_a_crossing_cover_it() {
    let line = Truth { name: "linear", class: Class::Linear, start: 2000.0, growth: 100.0, bend: 0.0 };
    let flat = Truth { name: "constant", class: Class::Constant, start: 15_000.0, growth: 1.0, bend: 0.0 };
    let truth = 1.0 + 13_000.0 / line.slope();
    let covers = |seed: u64| {
        let noise = Noise::Relative(0.05);
        let a = draw(seed, &line, noise, &SIZES, TRIALS);
        let b = draw(seed + 1_000_000, &flat, noise, &SIZES, TRIALS);
        let (_, low, high) = at(crossover(&a, &b, NoiseFloor::NONE).unwrap());
        low.is_some_and(|low| low <= truth) && high.is_some_and(|high| truth <= high)
    };
    let covered = (0..1000).filter(|&seed| covers(seed)).count();
    assert!((930..=970).contains(&covered), "{covered} of 1000");
}
