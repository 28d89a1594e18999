//! A curve: one metric of one backend over N, and its fit.

use std::fmt;

use curve_stats::{Fit, Spread};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BackendKind, Bracket, Cell, Flow, Metric, Position, Unit, VenueKind, axes::bracket_suffix, name};
use crate::workload::{Protocol, VipLayout};

/// What tells one curve from another: every axis but N.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct CurveKey {
    /// Where.
    pub venue: VenueKind,
    /// Kernel release.
    pub kernel: String,
    /// Datapath.
    pub backend: BackendKind,
    /// Between which hooks.
    #[serde(default, skip_serializing_if = "Bracket::is_tc")]
    pub bracket: Bracket,
    /// VIP layout.
    pub layout: VipLayout,
    /// Protocol.
    pub protocol: Protocol,
    /// M.
    pub endpoints: u32,
    /// Flow.
    pub flow: Flow,
    /// Position.
    pub position: Position,
    /// What is shown.
    pub metric: Metric,
    /// Unit of every value.
    pub unit: Unit,
}

impl CurveKey {
    /// The cell of the curve at one N.
    #[must_use]
    pub fn cell(&self, services: u32) -> Cell {
        let Self { venue, backend, bracket, layout, protocol, endpoints, flow, position, .. } = *self;
        let kernel = self.kernel.clone();
        Cell { venue, kernel, backend, bracket, layout, protocol, services, endpoints, flow, position }
    }

    /// The name of the backend, with the bracket where that is not the backend's own: `direct (xdp bracket)`.
    #[must_use]
    pub fn subject(&self) -> String {
        subject(self.backend, self.bracket)
    }
}

impl fmt::Display for CurveKey {
    /// E.g. `added of vm 6.1.0 ipvs sequential tcp M=2 new first`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { venue, kernel, backend, bracket, layout, protocol, endpoints, flow, position, metric, .. } = self;
        let bracket = bracket_suffix(*bracket);
        let (venue, backend, layout) = (name(venue), name(backend), name(layout));
        let (protocol, flow, position) = (name(protocol), name(flow), name(position));
        write!(f, "{metric} of {venue} {kernel} {backend}{bracket} {layout} {protocol} M={endpoints} {flow} {position}")
    }
}

/// See [`CurveKey::subject`].
#[must_use]
pub fn subject(backend: BackendKind, bracket: Bracket) -> String {
    let (is_home, backend) = (bracket == backend.bracket(), name(&backend));
    if is_home { backend } else { format!("{backend} ({} bracket)", name(&bracket)) }
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
