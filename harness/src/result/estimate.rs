//! A value over trials.

use curve_stats::{Spread, StatsError, median, spread};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A value of every trial, their median, and how far they lie apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// Median over trials.
    pub value: f64,
    /// An interval of the median, or where there are too few trials, their range.
    pub spread: Spread,
    /// The value of each trial, in the order of the trial's index.
    pub values: Vec<f64>,
}

impl Estimate {
    /// Whether it is the median of its values, and within its spread.
    pub(super) fn is_sound(&self) -> bool {
        let is_median = median(&self.values).is_ok_and(|middle| (middle - self.value).abs() <= 1e-9 * self.value.abs());
        is_median && self.spread.low() <= self.value && self.value <= self.spread.high()
    }

    /// Of the values of trials, in their order; `None` without one.
    ///
    /// # Errors
    /// A value is not finite.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Result<Option<Self>, StatsError> {
        let values: Vec<_> = values.collect();
        if values.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { value: median(&values)?, spread: spread(&values)?, values }))
    }
}
