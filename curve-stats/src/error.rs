//! What can be wrong with an input.

/// An input that no statistic can be computed from.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StatsError {
    /// There is nothing to compute from.
    #[error("no values to compute a {what} from")]
    Empty {
        /// The statistic that was asked for.
        what: &'static str,
    },
    /// A value is NaN or infinite.
    #[error("value {value} at index {index} is not finite")]
    NotFinite {
        /// Index in the input.
        index: usize,
        /// The value.
        value: f64,
    },
    /// A quantile outside 0..=1 was asked for.
    #[error("{probability} is not a probability (0 to 1)")]
    NotAProbability {
        /// What was asked for.
        probability: f64,
    },
    /// A noise floor that is no share of a value.
    #[error("{floor} is not a noise floor (a share, 0 or more)")]
    Floor {
        /// What was given.
        floor: f64,
    },
    /// A multiple that a curve cannot be compared with.
    #[error("{factor} is not a factor (a number above 0)")]
    Factor {
        /// What was given.
        factor: f64,
    },
    /// The values are finite, but so large that their sums are not.
    #[error("the sums over {values} values overflow: largest magnitude {largest}")]
    Overflow {
        /// How many values there are.
        values: usize,
        /// The largest magnitude among them.
        largest: f64,
    },
    /// A ratio was asked for of a value that is zero or negative.
    #[error("value {value} at index {index} is not positive: it has no ratio")]
    NotPositive {
        /// Index in the input.
        index: usize,
        /// The value.
        value: f64,
    },
    /// More pairs of values than an interval is computed from.
    #[error("{pairs} pairs of values are more than the {most} that an interval is computed from")]
    TooMany {
        /// How many pairs there are.
        pairs: usize,
        /// How many may be.
        most: usize,
    },
    /// A ratio is larger or smaller than a float can hold.
    #[error("ratios from e^{low_log} to e^{high_log} are beyond what a float can hold")]
    RatioOutOfRange {
        /// Natural logarithm of the smallest ratio.
        low_log: f64,
        /// Natural logarithm of the largest ratio.
        high_log: f64,
    },
    /// Student's t distribution has no such number of degrees of freedom.
    #[error("no Student t quantile at {freedom} degrees of freedom")]
    Freedom {
        /// Degrees of freedom.
        freedom: f64,
        /// Why.
        #[source]
        source: statrs::distribution::StudentsTError,
    },
}

/// Refuses the first value that is not finite.
pub(crate) fn check_finite(values: impl Iterator<Item = f64>) -> Result<(), StatsError> {
    for (index, value) in values.enumerate() {
        if !value.is_finite() {
            return Err(StatsError::NotFinite { index, value });
        }
    }
    Ok(())
}
