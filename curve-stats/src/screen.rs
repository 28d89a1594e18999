//! What to be warned of in a cell's trials: values far from the rest, and values that move while the run goes on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::check_finite;
use crate::ranks::normal_p;
use crate::{StatsError, median, quantile};

/// A value is an outlier beyond this many standard deviations, as the median absolute deviation estimates them.
pub const OUTLIER_DEVIATIONS: f64 = 8.0;

/// Fewest values that say what is usual among them.
pub const FEWEST_TO_SCREEN: usize = 8;

/// Median absolute deviation of normal values to their standard deviation.
const NORMAL_MAD: f64 = 1.482_602_218_505_602;

/// Most values whose orders [`drift`] counts one by one.
const EXACT_DRIFT: usize = 30;

/// Tukey's outer fence: the quartiles (type 7) less and plus three times their distance. What lies beyond among past changes
/// is none of the usual ones (rustc-perf judges a change so against its history).
///
/// # Errors
/// `values` is empty, holds a NaN or an infinity, or the fence is beyond f64.
pub fn fence(values: &[f64]) -> Result<[f64; 2], StatsError> {
    let (low, high) = (quantile(values, 0.25)?, quantile(values, 0.75)?);
    let reach = 3.0 * (high - low);
    let fence = [low - reach, high + reach];
    if fence.iter().all(|bound| bound.is_finite()) { Ok(fence) } else { Err(overflow(values)) }
}

/// Indices of values further than [`OUTLIER_DEVIATIONS`] from the median, by the median absolute deviation (Hampel 1974); none among
/// fewer than [`FEWEST_TO_SCREEN`]. Tukey's fence finds an outlier in 4.7% of clean (normal) samples of ten, in 20% where tails are
/// heavy: too many for a run of hundreds of cells. This rule does in 0.5% and 5.5%. Where more than half of the values are equal
/// every other one is an outlier: weigh its distance too.
///
/// # Errors
/// `values` is empty, holds a NaN or an infinity, or a distance is beyond f64.
pub fn outliers(values: &[f64]) -> Result<Vec<usize>, StatsError> {
    let middle = median(values)?;
    let distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    if distances.iter().any(|distance| !distance.is_finite()) {
        return Err(overflow(values));
    }
    if values.len() < FEWEST_TO_SCREEN {
        return Ok(Vec::new());
    }
    let allowed = OUTLIER_DEVIATIONS * NORMAL_MAD * median(&distances)?;
    Ok((0..values.len()).filter(|&index| distances[index] > allowed).collect())
}

/// How values move with their order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    /// Kendall's tau-b of value and order: 1 where each is above the one before, -1 where each is below, 0 where all are equal.
    pub tau: f64,
    /// Two-sided p of the hypothesis that the order is chance.
    pub p: f64,
    /// Median of the last third less that of the first.
    pub change: f64,
}

/// Kendall's rank correlation of the values with their order (1938; as a test for trend, Mann 1945). Exact up to 30 values without
/// ties, otherwise normal with tie and continuity correction.
///
/// # Errors
/// `values` is empty, holds a NaN or an infinity, or the change is beyond f64.
pub fn drift(values: &[f64]) -> Result<Drift, StatsError> {
    check_finite(values.iter().copied())?;
    let third = values.len().div_ceil(3);
    let change = median(&values[values.len() - third..])? - median(&values[..third])?;
    if !change.is_finite() {
        return Err(overflow(values));
    }
    let (rises, falls) = pairs(values);
    let (score, untied) = (rises as f64 - falls as f64, (rises + falls) as f64);
    let all = (values.len() * (values.len() - 1) / 2) as f64;
    if untied == 0.0 {
        return Ok(Drift { tau: 0.0, p: 1.0, change });
    }
    let p = if untied == all && values.len() <= EXACT_DRIFT {
        exact_p(values.len(), rises.min(falls))
    } else {
        // The score moves in steps of two where nothing is tied, so its correction is 1: in units of two, one half.
        normal_p(score.abs() / 2.0, variance(values) / 4.0)
    };
    Ok(Drift { tau: score / (all * untied).sqrt(), p, change })
}

/// Pairs in which the later value is above, and below.
fn pairs(values: &[f64]) -> (usize, usize) {
    let (mut rises, mut falls) = (0, 0);
    for (index, earlier) in values.iter().enumerate() {
        for later in &values[index + 1..] {
            rises += usize::from(later > earlier);
            falls += usize::from(later < earlier);
        }
    }
    (rises, falls)
}

/// Two-sided p of at most `rarer` pairs in one direction, by counting permutations by their inversions.
fn exact_p(values: usize, rarer: usize) -> f64 {
    let mut counts = vec![1.0];
    for size in 2..=values {
        // The new last value may stand before 0 to size - 1 of the earlier ones.
        let mut next = vec![0.0; counts.len() + size - 1];
        for (inversions, count) in counts.iter().enumerate() {
            next[inversions..inversions + size].iter_mut().for_each(|slot| *slot += count);
        }
        counts = next;
    }
    let all: f64 = counts.iter().sum();
    (2.0 * counts[..=rarer].iter().sum::<f64>() / all).min(1.0)
}

/// Variance of Kendall's score where the order is chance.
fn variance(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let term = |n: usize| n as f64 * (n as f64 - 1.0) * (2.0 * n as f64 + 5.0);
    let ties: f64 = sorted.chunk_by(|a, b| a == b).map(|tied| term(tied.len())).sum();
    (term(values.len()) - ties) / 18.0
}

fn overflow(values: &[f64]) -> StatsError {
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    StatsError::Overflow { values: values.len(), largest }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_fence_stands_three_quartile_distances_off() {
        // Quartiles of 1 to 9 are 3 and 7.
        let values: Vec<f64> = (1..=9).map(f64::from).collect();
        assert_eq!(fence(&values), Ok([-9.0, 19.0]));
        assert_eq!(fence(&[5.0]), Ok([5.0, 5.0]));
        assert!(matches!(fence(&[-f64::MAX, f64::MAX]), Err(StatsError::Overflow { values: 2, .. })));
    }

    #[test]
    fn a_value_far_off_is_found() {
        // Median 104, median absolute deviation 2: allowed are 8 * 1.4826 * 2 = 23.7.
        let mut values = vec![100.0, 101.0, 102.0, 103.0, 104.0, 105.0, 106.0, 107.0, 127.0];
        assert_eq!(outliers(&values), Ok(vec![]));
        values[2] = 128.0;
        assert_eq!(outliers(&values), Ok(vec![]), "the median is 105 now");
        values[2] = 150.0;
        assert_eq!(outliers(&values), Ok(vec![2]));
        assert_eq!(outliers(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 9.0]), Ok(vec![]), "too few to say");
        assert_eq!(outliers(&[]), Err(StatsError::Empty { what: "quantile" }));
    }

    #[test]
    fn exact_p_is_that_of_the_tables() {
        // Kendall's table: n = 4, S >= 6 has probability 1/24; n = 5, S >= 8 has 5/120; n = 10, S >= 45 has 1 / 10!.
        assert!((exact_p(4, 0) - 2.0 / 24.0).abs() < 1e-12);
        assert!((exact_p(5, 1) - 2.0 * 5.0 / 120.0).abs() < 1e-12);
        assert!((exact_p(10, 0) - 2.0 / 3_628_800.0).abs() < 1e-15);
        // S = 21 of 45 at n = 10 is the table's two-sided 10% point (one-sided .036 and .054 at S = 21 and 19).
        assert!((exact_p(10, 12) / 2.0 - 0.0363).abs() < 5e-4 && (exact_p(10, 13) / 2.0 - 0.0542).abs() < 5e-4);
    }

    #[test]
    fn rising_values_drift_and_equal_ones_do_not() {
        let rising: Vec<f64> = (0..12).map(|i| 100.0 + f64::from(i)).collect();
        let drift_up = drift(&rising).unwrap();
        assert_eq!((drift_up.tau, drift_up.change), (1.0, 8.0));
        assert!(drift_up.p < 1e-8);
        let falling: Vec<f64> = rising.iter().rev().copied().collect();
        assert_eq!(drift(&falling).unwrap(), Drift { tau: -1.0, change: -8.0, p: drift_up.p });
        assert_eq!(drift(&[7.0; 20]).unwrap(), Drift { tau: 0.0, p: 1.0, change: 0.0 });
        assert_eq!(drift(&[7.0]).unwrap().p, 1.0);
        assert!(drift(&[]).is_err());
    }

    proptest! {
        #[test]
        fn any_bits_give_an_answer_or_an_error(values in prop::collection::vec(any::<f64>(), 0..40)) {
            let usable = !values.is_empty() && values.iter().all(|value| value.is_finite());
            prop_assert!(usable || (fence(&values).is_err() && outliers(&values).is_err() && drift(&values).is_err()));
            if let Ok(drift) = drift(&values) {
                prop_assert!((0.0..=1.0).contains(&drift.p) && drift.tau.abs() <= 1.0 + 1e-12);
            }
            if let Ok([low, high]) = fence(&values) {
                prop_assert!(low <= high);
            }
            if let Ok(outliers) = outliers(&values) {
                prop_assert!(2 * outliers.len() <= values.len());
            }
        }

        #[test]
        fn reversing_the_order_turns_the_drift(mut values in prop::collection::vec((0..30_i32).prop_map(f64::from), 1..40)) {
            let there = drift(&values).unwrap();
            values.reverse();
            let back = drift(&values).unwrap();
            prop_assert_eq!((there.p, there.change), (back.p, -back.change));
            prop_assert!((there.tau + back.tau).abs() < 1e-12);
        }
    }
}
