//! The cell that the axes span, and what the cells of a curve have in common.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BackendKind, Bracket, Flow, Position, VenueKind, name};
use crate::workload::{Protocol, VipLayout};

/// One combination of the axes: what a trial repeats.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Cell {
    /// Where.
    pub venue: VenueKind,
    /// Kernel release, e.g. `6.1.0-50-amd64`.
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
    /// N.
    pub services: u32,
    /// M.
    pub endpoints: u32,
    /// Flow.
    pub flow: Flow,
    /// Position.
    pub position: Position,
}

/// Every axis but N: what the points of one curve have in common, whatever it shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Axes {
    /// Where.
    pub venue: VenueKind,
    /// Kernel release.
    pub kernel: String,
    /// Datapath.
    pub backend: BackendKind,
    /// Between which hooks a packet is timed; the backend's own where none is.
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
}

impl Axes {
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

impl From<&Cell> for Axes {
    fn from(cell: &Cell) -> Self {
        let Cell { venue, kernel, backend, bracket, layout, protocol, endpoints, flow, position, .. } = cell.clone();
        Self { venue, kernel, backend, bracket, layout, protocol, endpoints, flow, position }
    }
}

impl fmt::Display for Axes {
    /// E.g. `vm 6.1.0 ipvs sequential tcp M=2 new first`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { venue, kernel, backend, bracket, layout, protocol, endpoints, flow, position } = self;
        let bracket = bracket_suffix(*bracket);
        let (venue, backend, layout) = (name(venue), name(backend), name(layout));
        let (protocol, flow, position) = (name(protocol), name(flow), name(position));
        write!(f, "{venue} {kernel} {backend}{bracket} {layout} {protocol} M={endpoints} {flow} {position}")
    }
}

/// The name of a backend, with its bracket where that is not its own.
#[must_use]
pub fn subject(backend: BackendKind, bracket: Bracket) -> String {
    let (is_home, backend) = (bracket == backend.bracket(), name(&backend));
    if is_home { backend } else { format!("{backend} ({} bracket)", name(&bracket)) }
}

/// The bracket behind a backend's name, with a space before it; nothing for `tc`, which a reader takes for granted.
fn bracket_suffix(bracket: Bracket) -> &'static str {
    match bracket {
        Bracket::Tc => "",
        Bracket::Xdp => " xdp-bracket",
    }
}

impl fmt::Display for Cell {
    /// E.g. `vm 6.1.0 ipvs sequential tcp N=100 M=2 new first`, or `vm 6.1.0 direct xdp-bracket sequential ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { venue, kernel, backend, bracket, layout, protocol, services, endpoints, flow, position } = self;
        let bracket = bracket_suffix(*bracket);
        let (venue, backend, layout) = (name(venue), name(backend), name(layout));
        let (protocol, flow, position) = (name(protocol), name(flow), name(position));
        write!(
            f,
            "{venue} {kernel} {backend}{bracket} {layout} {protocol} N={services} M={endpoints} {flow} {position}"
        )
    }
}
