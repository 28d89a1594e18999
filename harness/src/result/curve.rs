//! A curve: one metric of one backend over N, and its fit.

use std::fmt;

use curve_stats::{Fit, Spread};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Axes, Metric, Unit};

/// What tells one curve from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct CurveKey {
    /// Every axis but N.
    #[serde(flatten)]
    pub axes: Axes,
    /// What is shown.
    pub metric: Metric,
    /// Unit of every value.
    pub unit: Unit,
}

impl fmt::Display for CurveKey {
    /// E.g. `added of vm 6.1.0 ipvs sequential tcp M=2 new first`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.metric, self.axes)
    }
}

/// Packets that did not do what their trial expected, summed over a curve's trials (for `added`: its own and those of the
/// `direct-conntrack` trials that they are paired with).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Integrity {
    /// Packets whose entry slot held another packet's tag: not timed.
    pub mismatched: u64,
    /// Packets sent that never reached the exit.
    pub lost: u64,
    /// Packets that reached the exit for another destination than the cell's endpoints.
    pub misdirected: u64,
}

/// One curve over N.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Curve {
    /// Which curve.
    #[serde(flatten)]
    pub key: CurveKey,
    /// One a measured N, ascending.
    pub points: Vec<Point>,
    /// What went wrong with packets.
    pub integrity: Integrity,
    /// What the medians of all trials say of its growth.
    pub fit: Fit,
}

/// One N of a curve: medians over the cell's trials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// N.
    pub services: u32,
    /// M.
    pub endpoints: u32,
    /// Trials behind the point.
    pub trials: u32,
    /// Packets behind the point.
    pub packets: u64,
    /// Median over trials of the trial's quantile.
    pub min: f64,
    /// Median over trials of the trial's quantile.
    pub p10: f64,
    /// Median over trials of the trial's quantile.
    pub p50: f64,
    /// Median over trials of the trial's quantile.
    pub p90: f64,
    /// Median over trials of the trial's quantile.
    pub p99: f64,
    /// Median over trials of the trial's quantile.
    pub p999: f64,
    /// Median of each trial, in order of the trial's index; for `added` the paired difference.
    pub values: Vec<f64>,
    /// How far the values lie apart: an interval of their median, or where there are too few, their range.
    pub spread: Spread,
    /// Why the point cannot be trusted: packets of its trials were lost or went elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspect: Option<String>,
}
