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
        is_median(&self.values, self.value) && holds(&self.spread, self.value)
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

/// Whether a value is the median of the values, but for rounding.
pub(super) fn is_median(values: &[f64], value: f64) -> bool {
    median(values).is_ok_and(|middle| (middle - value).abs() <= 1e-9 * value.abs())
}

/// Whether a spread holds its median and has a level. A NaN is in no range.
pub(super) fn holds(spread: &Spread, middle: f64) -> bool {
    let is_level = |level: f64| (0.0..=1.0).contains(&level);
    spread.low() <= middle && middle <= spread.high() && spread.level().is_none_or(is_level)
}
