//! What is recorded while a run goes on: trials, programming times, saturation trials.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BackendKind, Cell, StateMemory, Unit, VenueKind};
use crate::workload::{Protocol, VipLayout};

/// Quantiles of one trial, in the trial's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quantiles {
    /// Exact minimum.
    pub min: u64,
    /// 10th percentile.
    pub p10: u64,
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
}

/// What a trial measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TrialKind {
    /// Traversal of the cell's packets.
    Traversal,
    /// The probe's floor in the cell's namespaces.
    Floor,
}

/// One measured repetition of a cell: a line of `trials.jsonl`. Holds no wall clock, so deterministic runs compare byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrialRecord {
    /// The cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// What was timed.
    pub kind: TrialKind,
    /// Index of the trial within its cell, from 0.
    pub trial: u32,
    /// Unit of the quantiles.
    pub unit: Unit,
    /// Packets timed.
    pub packets: u64,
    /// Packets whose entry slot held another packet's tag.
    pub mismatched: u64,
    /// Packets sent that never reached the exit.
    pub lost: u64,
    /// Packets that reached the exit for another destination than the cell's endpoints.
    pub misdirected: u64,
    /// Quantiles.
    #[serde(flatten)]
    pub quantiles: Quantiles,
    /// The whole histogram: HDR V2 deflate, base64.
    pub histogram: String,
}

/// Which programming operation was timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProgrammingOp {
    /// All N services into an empty kernel.
    FromNothing,
    /// One service added to N.
    AddService,
    /// One endpoint of one service changed.
    ChangeEndpoint,
}

/// Cost of one programming operation: a line of `programming.jsonl` and an entry of `run.json`'s `programming`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProgrammingRecord {
    /// Where.
    pub venue: VenueKind,
    /// Kernel release.
    pub kernel: String,
    /// Datapath.
    pub backend: BackendKind,
    /// VIP layout.
    pub layout: VipLayout,
    /// Protocol.
    pub protocol: Protocol,
    /// N.
    pub services: u32,
    /// M.
    pub endpoints: u32,
    /// Operation.
    pub op: ProgrammingOp,
    /// Index of the repetition, from 0.
    pub trial: u32,
    /// Unit of the durations.
    pub unit: Unit,
    /// From the first byte rendered to the kernel's last acknowledgement.
    pub total: u64,
    /// Share outside the kernel (rendering, tools' own work).
    pub user: u64,
    /// Share inside the kernel.
    pub kernel_time: u64,
    /// Memory that the kernel took for it; of programming from nothing, and absent in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<StateMemory>,
}

/// One saturation trial of the host venue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThroughputRecord {
    /// The cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// Index of the trial within its cell.
    pub trial: u32,
    /// Packets a second offered to the node's device.
    pub offered_pps: f64,
    /// Packets a second that left towards the backends.
    pub forwarded_pps: f64,
    /// Packets counted at the exit.
    pub forwarded: u64,
    /// Packets offered.
    pub offered: u64,
    /// Of the forwarded packets, those for another destination than the cell's endpoints.
    pub misdirected: u64,
}

impl fmt::Display for ProgrammingOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::FromNothing => "from nothing",
            Self::AddService => "one service added",
            Self::ChangeEndpoint => "one endpoint changed",
        })
    }
}
