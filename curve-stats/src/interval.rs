//! How far the values of a handful of trials lie apart: an interval of their median, or where there are too few, their range.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

use crate::StatsError;
use crate::error::check_finite;

/// Level that an interval must reach. Order statistics come in steps: the level that is reached is stored beside it.
pub const LEVEL: f64 = 0.95;

/// Fewest values whose extremes hold the median in [`LEVEL`] of samples: 1 - 2 / 2^6 = 96.9%; five reach 93.8%.
pub const FEWEST: usize = 6;

/// Interval or range of a few values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Spread {
    /// Holds the true value in `level` of samples.
    Interval {
        /// Lower bound.
        low: f64,
        /// Upper bound.
        high: f64,
        /// Confidence level that the bounds reach, e.g. 0.979 for ten values.
        level: f64,
    },
    /// Smallest to largest: fewer values than an interval needs.
    Range {
        /// Smallest value.
        low: f64,
        /// Largest value.
        high: f64,
    },
}

impl Spread {
    /// Lower bound or smallest value.
    #[must_use]
    pub fn low(&self) -> f64 {
        match *self {
            Self::Interval { low, .. } | Self::Range { low, .. } => low,
        }
    }

    /// Upper bound or largest value.
    #[must_use]
    pub fn high(&self) -> f64 {
        match *self {
            Self::Interval { high, .. } | Self::Range { high, .. } => high,
        }
    }

    /// Confidence level; a range has none.
    #[must_use]
    pub fn level(&self) -> Option<f64> {
        match *self {
            Self::Interval { level, .. } => Some(level),
            Self::Range { .. } => None,
        }
    }

    /// Both bounds through an increasing function.
    pub(crate) fn map(self, f: impl Fn(f64) -> f64) -> Self {
        match self {
            Self::Interval { low, high, level } => Self::Interval { low: f(low), high: f(high), level },
            Self::Range { low, high } => Self::Range { low: f(low), high: f(high) },
        }
    }
}

/// Interval of the median between two order statistics (Thompson 1936; David and Nagaraja, Order Statistics, 7.1): the narrowest
/// pair of ranks `r` and `n + 1 - r` whose level `1 - 2 P(Bin(n, 1/2) < r)` is at least [`LEVEL`]. It assumes that the values are
/// independent, and nothing about their distribution: with ties the true level is higher. Fewer than [`FEWEST`] values: their
/// range.
///
/// # Errors
/// `values` is empty or holds a NaN or an infinity.
pub fn spread(values: &[f64]) -> Result<Spread, StatsError> {
    check_finite(values.iter().copied())?;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (Some(&low), Some(&high)) = (sorted.first(), sorted.last()) else {
        return Err(StatsError::Empty { what: "spread" });
    };
    let Some((rank, level)) = median_rank(sorted.len()) else {
        return Ok(Spread::Range { low, high });
    };
    Ok(Spread::Interval { low: sorted[rank - 1], high: sorted[sorted.len() - rank], level })
}

/// The largest rank (from 1) whose symmetric interval of the median reaches [`LEVEL`], and the level that it reaches.
fn median_rank(values: usize) -> Option<(usize, f64)> {
    let heads = Binomial::new(0.5, values as u64).ok().filter(|_| values >= FEWEST)?;
    innermost(values, |rank| 1.0 - 2.0 * heads.cdf(rank as u64 - 1))
}

/// The largest rank (from 1) of `values` ordered ones whose symmetric interval reaches [`LEVEL`], and the level that it reaches, which
/// falls with the rank; `None` where not even the range does.
pub(crate) fn innermost(values: usize, level: impl Fn(usize) -> f64) -> Option<(usize, f64)> {
    if level(1) < LEVEL {
        return None;
    }
    // `low` reaches the level, `high` does not.
    let (mut low, mut high) = (1, values / 2 + 1);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if level(middle) >= LEVEL { low = middle } else { high = middle }
    }
    Some((low, level(low)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::median;

    #[test]
    fn ranks_and_levels_are_those_of_the_binomial() {
        // By hand: the sums of binomial coefficients up to rank - 1, twice, over 2^n. David and Nagaraja's table has the ranks.
        let table = [
            (6, 1, 2.0 / 64.0),
            (8, 1, 2.0 / 256.0),
            (9, 2, 20.0 / 512.0),
            (10, 2, 22.0 / 1024.0),
            (11, 2, 24.0 / 2048.0),
        ];
        for (n, rank, miss) in table {
            let (found, level) = median_rank(n).unwrap();
            assert_eq!(found, rank, "{n}");
            assert!((level - (1.0 - miss)).abs() < 1e-12, "{n}: {level}");
        }
        let (found, level) = median_rank(20).unwrap();
        assert_eq!(found, 6);
        assert!((level - (1.0 - 2.0 * 21_700.0 / 1_048_576.0)).abs() < 1e-12, "{level}");
        assert_eq!(median_rank(100).unwrap().0, 40);
        assert_eq!(median_rank(5), None);
    }

    #[test]
    fn ten_values_give_the_second_and_the_ninth() {
        let values = [7.0, 1.0, 10.0, 4.0, 3.0, 2.0, 9.0, 5.0, 8.0, 6.0];
        let Spread::Interval { low, high, level } = spread(&values).unwrap() else { panic!("a range") };
        assert_eq!((low, high), (2.0, 9.0));
        assert!((level - 0.978_515_625).abs() < 1e-12);
    }

    #[test]
    fn few_values_give_their_range() {
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Ok(Spread::Range { low: 1.0, high: 3.0 }));
        assert_eq!(spread(&[3.0]), Ok(Spread::Range { low: 3.0, high: 3.0 }));
        assert_eq!(spread(&[]), Err(StatsError::Empty { what: "spread" }));
        assert!(matches!(spread(&[1.0, f64::NAN]), Err(StatsError::NotFinite { index: 1, .. })));
    }

    proptest! {
        #[test]
        fn any_bits_give_a_spread_or_an_error(values in prop::collection::vec(any::<f64>(), 0..40)) {
            let finite = !values.is_empty() && values.iter().all(|value| value.is_finite());
            let spread = spread(&values);
            prop_assert_eq!(spread.is_ok(), finite);
        }

        #[test]
        fn the_median_lies_inside(values in prop::collection::vec(-1e9..1e9_f64, 1..200)) {
            let (spread, median) = (spread(&values).unwrap(), median(&values).unwrap());
            prop_assert!(spread.low() <= median && median <= spread.high());
            prop_assert!(spread.level().is_none_or(|level| (LEVEL..1.0).contains(&level)));
        }
    }
}
