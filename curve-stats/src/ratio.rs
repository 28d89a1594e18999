//! By what factor one set of trials lies above another, with an interval; and the mean of such factors.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::check_finite;
use crate::interval::{FEWEST, Spread, innermost};
use crate::ranks::{EXACT_MANN_WHITNEY, EXACT_SIGNED_RANK, normal_p, sums_of_any_subset, sums_of_subsets};
use crate::{StatsError, median};

/// Most pairs of values that an interval is computed from: 1000 trials against 1000.
pub const MOST_PAIRS: usize = 1_000_000;

/// A ratio and how far it may be off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RatioEstimate {
    /// The estimate.
    pub ratio: f64,
    /// Its interval; the range of the ratios where there are too few trials for one.
    pub spread: Spread,
}

/// `b` over `a`, two independent samples of positive values: the Hodges-Lehmann estimate on logarithms (1963), that is the median
/// of all `b[j] / a[i]`. The interval is the Mann-Whitney test inverted: it holds the ratios that the test does not reject, so it
/// excludes 1 exactly where the test finds a difference. Its level is exact up to [`EXACT_MANN_WHITNEY`] values a side and
/// from the normal approximation above; ties make it conservative. With fewer than [`FEWEST`] values on a side: the range.
///
/// # Errors
/// A sample is empty or holds a value that is not finite or not positive, there are more than [`MOST_PAIRS`] pairs, or a
/// ratio is beyond f64.
pub fn ratio(a: &[f64], b: &[f64]) -> Result<RatioEstimate, StatsError> {
    let (logs_a, logs_b) = (logs(a)?, logs(b)?);
    let pairs = logs_a.len().saturating_mul(logs_b.len());
    refuse_too_many(pairs)?;
    let mut differences: Vec<f64> = logs_b.iter().flat_map(|b| logs_a.iter().map(move |a| b - a)).collect();
    differences.sort_by(f64::total_cmp);
    let (n, m) = (a.len(), b.len());
    let below = if n.min(m) < FEWEST {
        None
    } else if n.max(m) <= EXACT_MANN_WHITNEY {
        let counts = sums_of_subsets(&(1..=n + m).collect::<Vec<_>>(), n);
        Some(Below::Exact(cumulated(&counts[n * (n + 1) / 2..])))
    } else {
        Some(Below::Normal { mean: pairs as f64 / 2.0, variance: pairs as f64 * (n + m + 1) as f64 / 12.0 })
    };
    estimate(&differences, below.as_ref())
}

/// The second of each pair over the first: the median of the Walsh averages of the logarithms' differences. The interval is the
/// signed-rank test inverted, so it excludes 1 exactly where [`crate::signed_rank`] of the logarithms' differences finds one; it
/// assumes that the log-ratios lie symmetrically round theirs, as those of two trials of one round do whose noise is alike, and
/// is far narrower than the order-statistic interval of their median. Its level is exact up to [`EXACT_SIGNED_RANK`] pairs.
/// With fewer than [`FEWEST`] pairs: the range of the pairs' ratios.
///
/// # Errors
/// There is no pair, a value is not finite or not positive, there are more than [`MOST_PAIRS`] Walsh averages, or a ratio is
/// beyond f64.
pub fn paired_ratio(pairs: &[(f64, f64)]) -> Result<RatioEstimate, StatsError> {
    let (first, second): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let differences: Vec<f64> = logs(&second)?.iter().zip(logs(&first)?).map(|(b, a)| b - a).collect();
    let n = differences.len();
    refuse_too_many(n.saturating_mul(n + 1) / 2)?;
    let mut walsh = Vec::with_capacity(n * (n + 1) / 2);
    for (index, one) in differences.iter().enumerate() {
        walsh.extend(differences[index..].iter().map(|other| f64::midpoint(*one, *other)));
    }
    // The extreme Walsh averages are the extreme differences: the range of few pairs is that of their ratios.
    walsh.sort_by(f64::total_cmp);
    let below = if n < FEWEST {
        None
    } else if n <= EXACT_SIGNED_RANK {
        Some(Below::Exact(cumulated(&sums_of_any_subset(&(1..=n).collect::<Vec<_>>()))))
    } else {
        let n = n as f64;
        Some(Below::Normal { mean: n * (n + 1.0) / 4.0, variance: n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 })
    };
    estimate(&walsh, below.as_ref())
}

/// Mean of ratios: a doubling and a halving cancel.
///
/// # Errors
/// `values` is empty or holds a value that is not finite or not positive.
pub fn geometric_mean(values: &[f64]) -> Result<f64, StatsError> {
    let logs = logs(values)?;
    // Rounding must not carry the mean of equal values beyond them.
    let mean = (logs.iter().sum::<f64>() / logs.len() as f64).exp();
    let (low, high) = values.iter().fold((f64::MAX, 0.0_f64), |(low, high), v| (low.min(*v), high.max(*v)));
    Ok(mean.clamp(low, high))
}

fn logs(values: &[f64]) -> Result<Vec<f64>, StatsError> {
    if values.is_empty() {
        return Err(StatsError::Empty { what: "ratio" });
    }
    check_finite(values.iter().copied())?;
    match values.iter().position(|value| *value <= 0.0) {
        Some(index) => Err(StatsError::NotPositive { index, value: values[index] }),
        None => Ok(values.iter().map(|value| value.ln()).collect()),
    }
}

fn refuse_too_many(pairs: usize) -> Result<(), StatsError> {
    if pairs > MOST_PAIRS { Err(StatsError::TooMany { pairs, most: MOST_PAIRS }) } else { Ok(()) }
}

fn cumulated(counts: &[f64]) -> Vec<f64> {
    let all: f64 = counts.iter().sum();
    let mut sum = 0.0;
    counts
        .iter()
        .map(|count| {
            sum += count;
            sum / all
        })
        .collect()
}

/// Distribution of a rank statistic that is symmetric and whole-numbered, from 0 to the number of sorted differences.
enum Below {
    /// Probability of at most the index.
    Exact(Vec<f64>),
    /// Normal approximation.
    Normal { mean: f64, variance: f64 },
}

impl Below {
    /// Probability that the statistic is below `rank` or as far above its mean.
    fn miss(&self, rank: usize) -> f64 {
        match self {
            Self::Exact(at_most) => 2.0 * at_most.get(rank - 1).copied().unwrap_or(1.0),
            Self::Normal { mean, variance } => normal_p(mean - (rank - 1) as f64, *variance),
        }
    }
}

/// Median of sorted log-ratios, and the innermost pair of them whose level reaches [`LEVEL`](crate::interval::LEVEL).
fn estimate(sorted: &[f64], below: Option<&Below>) -> Result<RatioEstimate, StatsError> {
    let (Some(&low), Some(&high)) = (sorted.first(), sorted.last()) else {
        return Err(StatsError::Empty { what: "ratio" });
    };
    let middle = median(sorted)?;
    let bounds = match below.map(|below| innermost(sorted.len(), |rank| 1.0 - below.miss(rank))) {
        Some(Some((rank, level))) => {
            Spread::Interval { low: sorted[rank - 1], high: sorted[sorted.len() - rank], level }
        }
        _ => Spread::Range { low, high },
    };
    let (ratio, spread) = (middle.exp(), bounds.map(f64::exp));
    let usable = |value: f64| value.is_finite() && value > 0.0;
    if usable(ratio) && usable(spread.low()) && usable(spread.high()) {
        return Ok(RatioEstimate { ratio, spread });
    }
    Err(StatsError::RatioOutOfRange { low_log: low, high_log: high })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{mann_whitney, signed_rank};

    fn level_at(below: &Below) -> impl Fn(usize) -> f64 + '_ {
        |rank| 1.0 - below.miss(rank)
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * b.abs()
    }

    #[test]
    fn few_trials_give_the_range_of_ratios() {
        let estimate = ratio(&[100.0, 100.0, 102.0], &[204.0, 204.0, 210.0]).unwrap();
        // The nine ratios sorted: 2.0 twice, 2.04 four times, 2.0588 once, 2.10 twice.
        assert!(close(estimate.ratio, 2.04));
        assert!(matches!(estimate.spread, Spread::Range { .. }));
        assert!(close(estimate.spread.low(), 2.0) && close(estimate.spread.high(), 2.1));
        let alone = paired_ratio(&[(2.0, 3.0)]).unwrap();
        assert!(close(alone.ratio, 1.5) && alone.spread.low() == alone.spread.high());
    }

    #[test]
    fn intervals_take_the_ranks_of_the_tables() {
        // Hollander and Wolfe: with ten a side the 95% interval is bounded by the 24th of the hundred differences from both ends,
        // for U <= 23 is significant; with ten pairs by the 9th of the 55 Walsh averages, for W <= 8 is.
        let counts = sums_of_subsets(&(1..=20).collect::<Vec<_>>(), 10);
        let (rank, level) = innermost(100, level_at(&Below::Exact(cumulated(&counts[55..])))).unwrap();
        assert_eq!(rank, 24);
        assert!((0.95..0.96).contains(&level));
        let counts = sums_of_any_subset(&(1..=10).collect::<Vec<_>>());
        let (rank, level) = innermost(55, level_at(&Below::Exact(cumulated(&counts)))).unwrap();
        assert_eq!(rank, 9);
        assert!(close(level, 1.0 - 2.0 * 25.0 / 1024.0));
    }

    #[test]
    fn a_known_factor_is_found() {
        let a: Vec<f64> = (0..12).map(|i| 100.0 * 1.01_f64.powi(i)).collect();
        let b: Vec<f64> = a.iter().map(|value| value * 1.3).collect();
        let pairs: Vec<_> = a.iter().copied().zip(b.iter().copied()).collect();
        assert!(close(ratio(&a, &b).unwrap().ratio, 1.3));
        let paired = paired_ratio(&pairs).unwrap();
        assert!(close(paired.ratio, 1.3) && close(paired.spread.low(), 1.3) && close(paired.spread.high(), 1.3));
    }

    #[test]
    fn what_has_no_ratio_is_refused() {
        assert_eq!(ratio(&[1.0, 0.0], &[1.0]), Err(StatsError::NotPositive { index: 1, value: 0.0 }));
        assert_eq!(ratio(&[1.0], &[-3.0]), Err(StatsError::NotPositive { index: 0, value: -3.0 }));
        assert!(matches!(ratio(&[f64::NAN], &[1.0]), Err(StatsError::NotFinite { index: 0, .. })));
        assert!(matches!(ratio(&[1e-300], &[1e300]), Err(StatsError::RatioOutOfRange { .. })));
        assert_eq!(ratio(&[], &[1.0]), Err(StatsError::Empty { what: "ratio" }));
        assert_eq!(paired_ratio(&[]), Err(StatsError::Empty { what: "ratio" }));
        assert!(matches!(ratio(&[1.0; 1001], &[1.0; 1001]), Err(StatsError::TooMany { .. })));
    }

    #[test]
    fn geometric_means_cancel() {
        assert!(close(geometric_mean(&[2.0, 0.5]).unwrap(), 1.0));
        assert!(close(geometric_mean(&[1.0, 10.0, 100.0]).unwrap(), 10.0));
        assert!(geometric_mean(&[]).is_err() && geometric_mean(&[0.0]).is_err());
    }

    fn sample(least: usize, most: usize) -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(1.0..1e6_f64, least..most)
    }

    proptest! {
        #[test]
        fn any_bits_give_a_ratio_or_an_error(
            a in prop::collection::vec(any::<f64>(), 0..25), b in prop::collection::vec(any::<f64>(), 0..25),
        ) {
            let pairs: Vec<_> = a.iter().copied().zip(b.iter().copied()).collect();
            for estimate in [ratio(&a, &b), paired_ratio(&pairs)].into_iter().flatten() {
                prop_assert!(estimate.spread.low() <= estimate.ratio && estimate.ratio <= estimate.spread.high());
            }
            drop(geometric_mean(&a));
        }

        #[test]
        fn swapping_inverts(a in sample(1, 26), b in sample(1, 26)) {
            let (there, back) = (ratio(&a, &b).unwrap(), ratio(&b, &a).unwrap());
            prop_assert!(close(there.ratio, 1.0 / back.ratio));
            prop_assert!(close(there.spread.low(), 1.0 / back.spread.high()));
            prop_assert_eq!(there.spread.level(), back.spread.level());
        }

        #[test]
        fn a_sample_against_itself_is_one(a in sample(1, 30)) {
            prop_assert_eq!(ratio(&a, &a).unwrap().ratio, 1.0);
            let pairs: Vec<_> = a.iter().map(|value| (*value, *value)).collect();
            prop_assert_eq!(paired_ratio(&pairs).unwrap().ratio, 1.0);
        }

        #[test]
        fn the_interval_excludes_one_where_the_test_rejects(a in sample(6, 20), b in sample(6, 20), factor in 0.1..10.0_f64) {
            let b: Vec<f64> = b.iter().map(|value| value * factor).collect();
            let spread = ratio(&a, &b).unwrap().spread;
            let level = spread.level().unwrap();
            let p = mann_whitney(&a, &b).unwrap();
            let outside = spread.low() > 1.0 || spread.high() < 1.0;
            prop_assert_eq!(outside, p <= 1.0 - level + 1e-12, "{} {:?}", p, spread);
        }

        #[test]
        fn the_paired_interval_excludes_one_where_the_signed_rank_test_rejects(
            a in sample(6, 20), b in sample(20, 21), factor in 0.1..10.0_f64,
        ) {
            let pairs: Vec<_> = a.iter().zip(&b).map(|(a, b)| (*a, *b * factor)).collect();
            let spread = paired_ratio(&pairs).unwrap().spread;
            let differences: Vec<f64> = pairs.iter().map(|(a, b)| b.ln() - a.ln()).collect();
            let p = signed_rank(&differences).unwrap();
            let outside = spread.low() > 1.0 || spread.high() < 1.0;
            prop_assert_eq!(outside, p <= 1.0 - spread.level().unwrap() + 1e-12, "{} {:?}", p, spread);
        }
    }
}
