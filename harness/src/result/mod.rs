//! What a run leaves behind: `trials.jsonl` (one [`TrialRecord`] a line) and `run.json` ([`RunFile`]).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::workload::{Protocol, VipLayout};

/// One datapath under test.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum BackendKind {
    /// Plain routing, no conntrack.
    Direct,
    /// Plain routing with conntrack on and zero services: what `added` is measured against.
    DirectConntrack,
    /// kube-proxy's iptables mode on xtables-legacy.
    IptablesLegacy,
    /// kube-proxy's iptables mode on the nf_tables compatibility layer.
    IptablesNft,
    /// kube-proxy's IPVS mode.
    Ipvs,
    /// kube-proxy's nftables mode.
    Nftables,
}

/// Where the kernel under test runs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum VenueKind {
    /// This kernel.
    Host,
    /// A stock kernel in QEMU.
    Vm,
}

/// Whether the lookup happens.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// First packet of a flow: the lookup happens.
    New,
    /// A flow that conntrack has seen in both directions.
    Established,
}

/// Which service a packet asks for, in order of programming.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Position {
    /// Index 0: IPVS's worst (new services go to a bucket's head).
    First,
    /// Index N/2.
    Middle,
    /// Index N-1: iptables' worst.
    Last,
    /// A seeded uniform draw a packet.
    Random,
    /// No service: straight to a pod address.
    Missing,
}

/// Unit of a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    Ns,
    /// Retired guest instructions (deterministic vm); never a latency.
    Instructions,
}

/// What a curve shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Entry of the node's client-side device to its exit at the backend side.
    Traversal,
    /// `traversal` minus that of `direct-conntrack`, paired trial by trial.
    Added,
    /// The probe's own floor: entry and exit at one hook.
    Floor,
}

/// One combination of the axes: what a trial repeats.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Cell {
    /// Where.
    pub venue: VenueKind,
    /// Kernel release, e.g. `6.1.0-50-amd64`.
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
    /// Flow.
    pub flow: Flow,
    /// Position.
    pub position: Position,
}

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
    /// Unit of the durations.
    pub unit: Unit,
    /// From the first byte rendered to the kernel's last acknowledgement.
    pub total: u64,
    /// Share outside the kernel (rendering, tools' own work).
    pub user: u64,
    /// Share inside the kernel.
    pub kernel_time: u64,
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
}
