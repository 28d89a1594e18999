//! What is said of a cell.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::quantity::Scale;
use crate::result::{Bracket, VenueKind, name};

/// The verdict on one cell. Traversal, added and times are costs: less is better. Of rates more is.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// B costs less or carries more, beyond chance and beyond the floor.
    Improved,
    /// B costs more or carries less, beyond chance and beyond the floor.
    Regressed,
    /// No difference was found: none beyond chance, or none beyond the floor.
    NoChange,
    /// The two sides say nothing of each other.
    NotComparable {
        /// Why.
        reason: Reason,
    },
}

impl Verdict {
    /// Whether the two sides differ.
    #[must_use]
    pub fn is_change(&self) -> bool {
        matches!(self, Self::Improved | Self::Regressed)
    }
}

/// Which side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum Letter {
    /// The first.
    A,
    /// The second.
    B,
}

/// Why a cell cannot be compared.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Reason {
    /// Only one side has the cell.
    Missing {
        /// The side that lacks it.
        side: Letter,
        /// Why that run did not measure it, where it says so.
        skipped: Option<String>,
    },
    /// Measured in different venues.
    Venue {
        /// Of A.
        a: VenueKind,
        /// Of B.
        b: VenueKind,
    },
    /// Different kernels, and kernels are not what is compared.
    Kernel {
        /// Release or build of A.
        a: String,
        /// Release or build of B.
        b: String,
    },
    /// Times against instructions.
    Unit {
        /// Of A.
        a: Scale,
        /// Of B.
        b: Scale,
    },
    /// Timed between other hooks.
    Bracket {
        /// Of A.
        a: Bracket,
        /// Of B.
        b: Bracket,
    },
    /// Different presets.
    Preset {
        /// Of A.
        a: String,
        /// Of B.
        b: String,
    },
    /// Trials of different length.
    Packets {
        /// Packets a trial of A.
        a: u64,
        /// Packets a trial of B.
        b: u64,
    },
    /// The rates of one side hold what stood in a queue when sending ended.
    Queues {
        /// The side: its searches are of an earlier version.
        side: Letter,
    },
    /// Times on different processors.
    Processor {
        /// Model of A.
        a: String,
        /// Model of B.
        b: String,
    },
    /// The machine of one side was emulated in software, the other's was not.
    Emulated {
        /// The side.
        side: Letter,
    },
    /// Packets were lost or went elsewhere.
    Suspect {
        /// The side.
        side: Letter,
        /// What happened.
        what: String,
    },
    /// A trial cost nothing or less over plain routing: there is no ratio.
    NotPositive {
        /// The side.
        side: Letter,
        /// Its smallest value.
        least: f64,
    },
    /// Whatever the trials were, Holm's correction could not find a difference.
    TooFewTrials {
        /// Trials of A.
        a: u32,
        /// Trials of B.
        b: u32,
        /// Cells tested at once.
        cells: usize,
    },
    /// A ratio cannot be computed.
    Statistics {
        /// Why.
        error: String,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Improved => f.pad("improved"),
            Self::Regressed => f.pad("regressed"),
            Self::NoChange => f.pad("no change"),
            Self::NotComparable { reason } => write!(f, "not comparable: {reason}"),
        }
    }
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { side, skipped: None } => write!(f, "not measured in {side}"),
            Self::Missing { side, skipped: Some(why) } => write!(f, "not measured in {side}: {why}"),
            Self::Venue { a, b } => write!(f, "venue {} against {}", name(a), name(b)),
            Self::Kernel { a, b } => write!(f, "kernel {a} against {b} (--kernels compares kernels)"),
            Self::Unit { a, b } => write!(f, "unit {a} against {b}"),
            Self::Bracket { a, b } => write!(f, "bracket {} against {}", name(a), name(b)),
            Self::Preset { a, b } => write!(f, "preset {a} against {b}"),
            Self::Packets { a, b } => write!(f, "{a} packets a trial against {b}"),
            Self::Queues { side } => {
                write!(f, "{side} alone counts what a queue still held when sending ended, as an earlier version did")
            }
            Self::Processor { a, b } => write!(f, "times on different processors, {a} against {b}"),
            Self::Emulated { side } => write!(f, "{side} alone is of an emulated machine"),
            Self::Suspect { side, what } => write!(f, "{side} is suspect: {what}"),
            Self::NotPositive { side, least } => {
                write!(f, "a trial of {side} costs no more than plain routing ({least}): there is no ratio")
            }
            Self::TooFewTrials { a, b, cells } => {
                write!(f, "{a} and {b} trials are too few to find any difference among {cells} cells")
            }
            Self::Statistics { error } => f.write_str(error),
        }
    }
}
