//! Whether counts are those that were expected.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::StatsError;
use crate::error::check_finite;

/// Pearson's chi-square test of counts against expected ones (Pearson 1900).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChiSquare {
    /// Sum of (observed - expected)^2 / expected.
    pub statistic: f64,
    /// Degrees of freedom: classes less one.
    pub freedom: u32,
    /// Chance of a statistic at least as large where the expectation holds.
    pub p: f64,
}

/// Tests `observed` counts against `weights`, the shares that were expected of each class in any unit. A class of weight 0 must be empty: its
/// one count makes p 0 and the statistic infinite. p is an approximation, good where every class expects five or more.
///
/// # Errors
/// No count at all, fewer than two classes of a weight above 0, another number of weights than of counts, a weight that is negative or not finite.
pub fn chi_square(observed: &[u64], weights: &[f64]) -> Result<ChiSquare, StatsError> {
    check_finite(weights.iter().copied())?;
    if let Some(index) = weights.iter().position(|weight| *weight < 0.0) {
        return Err(StatsError::NotPositive { index, value: weights[index] });
    }
    let classes = weights.iter().filter(|weight| **weight > 0.0).count();
    let total: u64 = observed.iter().sum();
    if observed.len() != weights.len() || classes < 2 || total == 0 {
        return Err(StatsError::Empty { what: "chi-square test" });
    }
    let sum: f64 = weights.iter().sum();
    let term = |(count, weight): (&u64, &f64)| match (*count as f64, weight / sum * total as f64) {
        (0.0, 0.0) => 0.0,
        (count, expected) => (count - expected).powi(2) / expected,
    };
    tail(observed.iter().zip(weights).map(term).sum::<f64>(), classes - 1)
}

/// Tests whether two sets of counts over the same classes come from one distribution. A class that is empty in both is left out.
///
/// # Errors
/// Sets of different length, a set without a count, fewer than two classes that are not empty.
pub fn homogeneity(a: &[u64], b: &[u64]) -> Result<ChiSquare, StatsError> {
    let total = |counts: &[u64]| counts.iter().map(|count| *count as f64).sum::<f64>();
    let (in_a, in_b) = (total(a), total(b));
    let classes = a.iter().zip(b).filter(|(a, b)| **a + **b > 0).count();
    if a.len() != b.len() || in_a == 0.0 || in_b == 0.0 || classes < 2 {
        return Err(StatsError::Empty { what: "chi-square test of two sets" });
    }
    let term = |(a, b): (&u64, &u64)| {
        let (a, b) = (*a as f64, *b as f64);
        if a + b == 0.0 { 0.0 } else { ((in_b / in_a).sqrt() * a - (in_a / in_b).sqrt() * b).powi(2) / (a + b) }
    };
    tail(a.iter().zip(b).map(term).sum(), classes - 1)
}

/// Chance that [`chi_square`] of `total` counts says p < `level` where their shares are `truth` and not `weights`, both in any unit: the upper
/// tail of the noncentral distribution, as its sum over Poisson's (Patnaik 1949).
///
/// # Errors
/// As [`chi_square`], and a level outside of 0 to 1.
pub fn power(total: u64, weights: &[f64], truth: &[f64], level: f64) -> Result<f64, StatsError> {
    let empty = StatsError::Empty { what: "power of a chi-square test" };
    check_finite(weights.iter().chain(truth).copied())?;
    let (of_weights, of_truth): (f64, f64) = (weights.iter().sum(), truth.iter().sum());
    if weights.len() != truth.len() || weights.len() < 2 || total == 0 || !(level > 0.0 && level < 1.0) {
        return Err(empty);
    }
    if weights.iter().any(|weight| *weight <= 0.0) || truth.iter().any(|share| *share < 0.0) || of_truth <= 0.0 {
        return Err(empty);
    }
    let effect = |(weight, share): (&f64, &f64)| {
        let (expected, found) = (weight / of_weights, share / of_truth);
        (found - expected).powi(2) / expected
    };
    let half = total as f64 * weights.iter().zip(truth).map(effect).sum::<f64>() / 2.0;
    let freedom = (weights.len() - 1) as f64;
    let central =
        |more: f64| ChiSquared::new(freedom + more).map_err(|_| StatsError::Empty { what: "chi-square test" });
    let limit = central(0.0)?.inverse_cdf(1.0 - level);
    let (mut below, mut chance, mut k) = (0.0, (-half).exp(), 0.0);
    // Beyond so many terms Poisson's weights are nothing; where the first one is nothing already, the power is 1.
    while k < half + 12.0 * half.sqrt() + 30.0 {
        below += chance * central(2.0 * k)?.cdf(limit);
        k += 1.0;
        chance *= half / k;
    }
    Ok((1.0 - below).clamp(0.0, 1.0))
}

fn tail(statistic: f64, freedom: usize) -> Result<ChiSquare, StatsError> {
    let p = if statistic.is_finite() {
        let distribution =
            ChiSquared::new(freedom as f64).map_err(|_| StatsError::Empty { what: "chi-square test" })?;
        distribution.sf(statistic).clamp(0.0, 1.0)
    } else {
        0.0
    };
    Ok(ChiSquare { statistic, freedom: u32::try_from(freedom).unwrap_or(u32::MAX), p })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_of_critical_values() {
        // NIST/SEMATECH e-Handbook, table of upper critical values: 5% at 1 degree of freedom is 3.841, 1% at 3 is 11.345.
        let one = chi_square(&[50, 50], &[1.0, 1.0]).unwrap();
        assert_eq!((one.statistic, one.freedom, one.p), (0.0, 1, 1.0));
        for (statistic, freedom, p) in [(3.841, 1, 0.05), (11.345, 3, 0.01), (18.307, 10, 0.05), (2.706, 1, 0.10)] {
            let tail = ChiSquared::new(f64::from(freedom)).unwrap().sf(statistic);
            assert!((tail - p).abs() < 5e-5, "{statistic} at {freedom}: {tail}");
        }
    }

    #[test]
    fn mendels_peas() {
        // 315 round yellow, 108 round green, 101 wrinkled yellow, 32 wrinkled green against 9:3:3:1: chi-square 0.470, p 0.925.
        let found = chi_square(&[315, 108, 101, 32], &[9.0, 3.0, 3.0, 1.0]).unwrap();
        assert!((found.statistic - 0.470).abs() < 5e-4 && (found.p - 0.925).abs() < 5e-4, "{found:?}");
        assert_eq!(found.freedom, 3);
    }

    #[test]
    fn a_die_with_a_known_statistic() {
        // Counts 5, 8, 9, 8, 10, 20 of a die: chi-square 13.4, p 0.0199 at 5 degrees of freedom (R: chisq.test).
        let found = chi_square(&[5, 8, 9, 8, 10, 20], &[1.0; 6]).unwrap();
        assert!((found.statistic - 13.4).abs() < 1e-9 && (found.p - 0.0199).abs() < 5e-5, "{found:?}");
    }

    #[test]
    fn two_sets_of_counts() {
        // R: chisq.test(rbind(c(10, 20, 30), c(6, 9, 15))): by hand, expected 10.667, 19.333, 30 and 5.333, 9.667, 15: 0.1940.
        let found = homogeneity(&[10, 20, 30], &[6, 9, 15]).unwrap();
        assert!((found.statistic - 0.1940).abs() < 5e-5 && found.freedom == 2, "{found:?}");
        assert!(
            (found.p - (-found.statistic / 2.0).exp()).abs() < 1e-9,
            "at 2 degrees of freedom the tail is e^(-x/2)"
        );
        assert_eq!(homogeneity(&[0, 7, 0, 3], &[0, 14, 0, 6]).unwrap().freedom, 1);
        assert!(homogeneity(&[9, 0], &[9, 0]).is_err() && homogeneity(&[0, 0], &[1, 2]).is_err());
        assert!(homogeneity(&[100, 0], &[0, 100]).unwrap().p < 1e-12);
    }

    #[test]
    fn a_class_that_cannot_be_must_be_empty() {
        assert_eq!(chi_square(&[5, 5, 1], &[1.0, 1.0, 0.0]).unwrap().p, 0.0);
        assert_eq!(chi_square(&[5, 5, 0], &[1.0, 1.0, 0.0]).unwrap().p, 1.0);
    }

    #[test]
    fn power_is_the_level_without_an_effect_and_grows_with_it() {
        let even = [1.0, 1.0, 1.0];
        assert!((power(10_000, &even, &even, 0.01).unwrap() - 0.01).abs() < 1e-9);
        // Cohen, "Statistical power analysis", 1988: w = 0.3, one degree of freedom, 5%, 88 counts: power 0.80.
        let w = power(88, &[1.0, 1.0], &[0.65, 0.35], 0.05).unwrap();
        assert!((w - 0.80).abs() < 0.01, "{w}");
        let less = power(2_000, &even, &[1.1, 1.0, 1.0], 0.01).unwrap();
        let more = power(20_000, &even, &[1.1, 1.0, 1.0], 0.01).unwrap();
        assert!(less < 0.9 && more > 0.999, "{less} {more}");
        // What METHODOLOGY says of fairness: an eighth more for one of three, two tests at half of 1% each.
        assert!(power(10_000, &even, &[1.125, 0.9375, 0.9375], 0.005).unwrap() > 0.999);
        assert_eq!(power(1_000_000, &even, &[2.0, 1.0, 1.0], 0.01).unwrap(), 1.0);
        assert!(power(0, &even, &even, 0.01).is_err() && power(9, &even, &[1.0], 0.01).is_err());
    }

    #[test]
    fn what_cannot_be_tested_is_refused() {
        for (observed, weights) in [(&[][..], &[][..]), (&[3], &[1.0]), (&[0, 0], &[1.0, 1.0]), (&[1, 1], &[1.0])] {
            assert!(chi_square(observed, weights).is_err(), "{observed:?}");
        }
        assert!(chi_square(&[1, 1], &[1.0, -1.0]).is_err() && chi_square(&[1, 1], &[1.0, f64::NAN]).is_err());
    }

    proptest! {
        #[test]
        fn p_is_a_probability_and_scale_of_weights_does_not_matter(
            counts in prop::collection::vec((0..10_000_u64, 0.01..100.0_f64), 2..30), scale in 0.01..100.0_f64,
        ) {
            let (observed, weights): (Vec<_>, Vec<_>) = counts.into_iter().unzip();
            prop_assume!(observed.iter().sum::<u64>() > 0);
            let one = chi_square(&observed, &weights).unwrap();
            let scaled: Vec<f64> = weights.iter().map(|weight| weight * scale).collect();
            let other = chi_square(&observed, &scaled).unwrap();
            prop_assert!((0.0..=1.0).contains(&one.p));
            prop_assert!((one.statistic - other.statistic).abs() <= 1e-6 * one.statistic.max(1.0));
        }
    }
}
