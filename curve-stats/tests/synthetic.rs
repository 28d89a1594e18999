//! Synthetic curves of known class: how often the rule finds it, and how often the interval covers the true slope.

#![expect(clippy::unwrap_used, reason = "the draws are finite; helpers of tests are not seen as tests")]

use curve_stats::{Class, Fit, Observation, fit};
use proptest::prelude::*;
use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const DRAWS: u64 = 300;
const SIZES: [u32; 5] = [1, 10, 100, 1000, 10_000];
const TRIALS: usize = 10;

/// How noise depends on the value it disturbs.
#[derive(Clone, Copy)]
enum Noise {
    /// Standard deviation is this share of the value.
    Relative(f64),
    /// Standard deviation is this.
    Absolute(f64),
}

/// A standard normal draw (Box-Muller).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

fn draw(seed: u64, intercept: f64, slope: f64, noise: Noise) -> Vec<Observation> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let sizes = SIZES.iter().flat_map(|&services| std::iter::repeat_n(services, TRIALS));
    sizes
        .map(|services| {
            let mean = intercept + slope * f64::from(services);
            let deviation = match noise {
                Noise::Relative(share) => share * mean,
                Noise::Absolute(deviation) => deviation,
            };
            Observation { services, value: mean + deviation * normal(&mut rng) }
        })
        .collect()
}

fn fits(intercept: f64, slope: f64, noise: Noise) -> Vec<Fit> {
    (0..DRAWS).map(|seed| fit(&draw(seed, intercept, slope, noise)).unwrap()).collect()
}

fn share(fits: &[Fit], holds: impl Fn(&Fit) -> bool) -> f64 {
    fits.iter().filter(|fit| holds(fit)).count() as f64 / fits.len() as f64
}

fn covers(fit: &Fit, slope: f64) -> bool {
    fit.slope_ci95.is_some_and(|[low, high]| low <= slope && slope <= high)
}

#[test]
fn a_linear_curve_is_found_linear() {
    let fits = fits(7800.0, 26.0, Noise::Relative(0.05));
    assert_eq!(share(&fits, |fit| fit.class == Class::Linear), 1.0);
}

#[test]
fn a_flat_curve_is_found_constant() {
    let fits = fits(4700.0, 0.0, Noise::Relative(0.05));
    assert!(share(&fits, |fit| fit.class == Class::Constant) >= 0.99);
    assert_eq!(share(&fits, |fit| fit.class == Class::Linear), 0.0);
}

#[test]
fn a_flat_curve_drowned_in_noise_is_not_called_linear() {
    let fits = fits(500.0, 0.0, Noise::Relative(0.6));
    assert!(share(&fits, |fit| fit.class == Class::Undetermined) >= 0.9);
    assert!(share(&fits, |fit| fit.class == Class::Linear) <= 0.02);
}

#[test]
fn growth_of_exactly_the_tolerance_is_left_undetermined() {
    let fits = fits(5000.0, 0.05, Noise::Relative(0.05));
    assert!(share(&fits, |fit| fit.class == Class::Undetermined) >= 0.9);
}

#[test]
fn the_interval_covers_the_slope_when_noise_grows_with_the_value() {
    let fits = fits(7800.0, 26.0, Noise::Relative(0.05));
    let covered = share(&fits, |fit| covers(fit, 26.0));
    assert!((0.91..=0.99).contains(&covered), "{covered}");
}

#[test]
fn the_interval_covers_the_slope_when_noise_is_the_same_everywhere() {
    let fits = fits(7800.0, 26.0, Noise::Absolute(400.0));
    let covered = share(&fits, |fit| covers(fit, 26.0));
    assert!((0.92..=0.99).contains(&covered), "{covered}");
}

fn close(a: f64, b: f64, scale: f64) -> bool {
    (a - b).abs() <= 1e-6 * (scale + a.abs() + b.abs())
}

fn observations() -> impl Strategy<Value = Vec<Observation>> {
    let one = (1_u32..20_000, -1e6..1e6_f64).prop_map(|(services, value)| Observation { services, value });
    prop::collection::vec(one, 1..40)
}

proptest! {
    #[test]
    fn fitting_never_panics_and_is_finite(trials in observations()) {
        let fit = fit(&trials).unwrap();
        let numbers = fit.slope_per_service.into_iter().chain(fit.intercept).chain(fit.slope_ci95.into_iter().flatten());
        prop_assert!(numbers.into_iter().all(f64::is_finite));
        if let (Some(slope), Some([low, high])) = (fit.slope_per_service, fit.slope_ci95) {
            prop_assert!(low <= slope && slope <= high);
        }
    }

    #[test]
    fn any_bit_pattern_is_answered(values in prop::collection::vec((any::<u32>(), any::<f64>()), 0..20)) {
        let trials: Vec<_> = values.into_iter().map(|(services, value)| Observation { services, value }).collect();
        if let Ok(fit) = fit(&trials) {
            prop_assert!(fit.slope_per_service.is_none_or(f64::is_finite));
        }
    }

    #[test]
    fn order_of_trials_does_not_matter(trials in observations(), seed in any::<u64>()) {
        let mut shuffled = trials.clone();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for i in (1..shuffled.len()).rev() {
            shuffled.swap(i, rng.random_range(0..=i));
        }
        let (a, b) = (fit(&trials).unwrap(), fit(&shuffled).unwrap());
        prop_assert!(close(a.slope_per_service.unwrap_or(0.0), b.slope_per_service.unwrap_or(0.0), 1e-6));
        prop_assert!(close(a.intercept.unwrap_or(0.0), b.intercept.unwrap_or(0.0), 1.0));
    }

    #[test]
    fn unit_of_the_values_does_not_matter(seed in any::<u64>(), slope in 0.0..30.0_f64, scale in 0.001..1000.0_f64) {
        let trials = draw(seed, 5000.0, slope, Noise::Relative(0.03));
        let scaled: Vec<_> = trials.iter().map(|t| Observation { value: t.value * scale, ..*t }).collect();
        let (a, b) = (fit(&trials).unwrap(), fit(&scaled).unwrap());
        prop_assert_eq!(a.class, b.class);
        prop_assert!(close(a.slope_per_service.unwrap() * scale, b.slope_per_service.unwrap(), 0.0));
    }
}
