//! What a throughput search found: a line of `trials.jsonl`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cell, CpuAccounts, LoadedRecord, NewShare, NodeCpu, PacketSize};

/// How rates are searched for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum RateMethod {
    /// The maximum receive rate alone: ten short bursts at max load.
    Mrr,
    /// It, and MLRsearch with goals for a curve: a load is decided by ten trials of 100 ms, bounds lie up to 2% apart.
    Quick,
    /// It, and MLRsearch with FD.io CSIT's goals: 21 trials of 1 s (new flows: of 100 ms), bounds up to 0.5% apart.
    Csit,
}

/// One search in one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RateRecord {
    /// The cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// Index of the search within its cell, from 0.
    pub trial: u32,
    /// What was searched for, and how.
    pub method: RateMethod,
    /// Bytes of its packets.
    #[serde(default, skip_serializing_if = "PacketSize::is_default")]
    pub packet_size: PacketSize,
    /// Share of its packets that open a flow, where the others belong to established ones; absent where all are of the cell's flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_share: Option<NewShare>,
    /// Packets a second that the generator sent when it sent as fast as it could.
    pub sender_pps: f64,
    /// The largest load of the search, packets a second.
    pub max_load_pps: f64,
    /// The maximum receive rate; absent where the generator kept its rate in no burst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<ReceivedRate>,
    /// Goals and what came of them; none for the maximum receive rate alone.
    pub goals: Vec<GoalRecord>,
    /// The trial at the highest load that the generator kept: what the node does when most is offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<PassageRecord>,
    /// Trials that count.
    pub valid: u32,
    /// Trials in which the generator did not keep its rate.
    pub invalid: u32,
    /// How much later than intended the generator sent, over all trials that count.
    pub lag: LagRecord,
    /// CPU time of the node at a load that is the same for every backend; absent in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_cpu: Option<NodeCpu>,
    /// CPU time of the node over the whole search, by two accounts; absent in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<CpuAccounts>,
    /// Latency under shares of the loss-free rate; none where no such rate was found, or not searched for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loaded: Vec<LoadedRecord>,
}

/// A maximum receive rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReceivedRate {
    /// Mean over the bursts, packets a second.
    pub mean_pps: f64,
    /// Standard deviation, packets a second; absent for one burst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdev_pps: Option<f64>,
    /// Bursts in which the generator kept its rate.
    pub bursts: u32,
    /// Those of which nothing was lost: they measure the generator.
    pub lossless: u32,
    /// Bursts in which it did not keep its rate.
    pub invalid: u32,
    /// CPU time of the node in the bursts, what it took for packets that it then dropped included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<NodeCpu>,
}

/// What came of one goal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GoalRecord {
    /// Share of a trial's packets that may be lost, 0 to 1.
    pub loss_ratio: f64,
    /// Relevant lower bound: the largest load that meets the goal, packets a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_pps: Option<f64>,
    /// Relevant upper bound: the smallest load that fails it, packets a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper_pps: Option<f64>,
    /// Conditional throughput: what is forwarded at the lower bound, packets a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput_pps: Option<f64>,
    /// Why the result is irregular; absent where both bounds are known and close enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub irregular: Option<String>,
    /// CPU time of the node in the trials at the lower bound; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<NodeCpu>,
}

/// The packets of one trial, place by place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PassageRecord {
    /// The load that was asked for, packets a second.
    pub load_pps: f64,
    /// Time of sending, ns.
    pub duration_ns: u64,
    /// Packets that the generator did not send.
    pub unsent: u64,
    /// Packets that it sent.
    pub offered: u64,
    /// Packets that arrived in the pods' namespace, for a pod; not those that are `queued`.
    pub carried: u64,
    /// Packets that arrived there, but stood in a queue when sending had ended; absent in records of earlier versions, which counted them as
    /// carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<u64>,
    /// Packets that arrived there for another destination.
    pub misdirected: u64,
    /// Lost at the ring of the node's client-side device.
    pub at_ring: u64,
    /// Lost in the node: its hooks and its stack.
    pub in_node: u64,
    /// Lost at the ring of the pods' device.
    pub at_egress: u64,
    /// Offered packets that neither arrived nor were located; less than nothing where something was counted twice.
    pub unexplained: i64,
    /// CPU time of the node's receive thread and of its CPU's `ksoftirqd`, ns, until the last packet came out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ns: Option<u64>,
    /// Entries in the node's connection table afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conntrack_entries: Option<u64>,
}

impl PassageRecord {
    /// Offered packets for each that was carried; infinite where none was.
    #[must_use]
    pub fn overload(&self) -> f64 {
        self.offered as f64 / self.carried as f64
    }

    /// Packets a second that were offered and carried.
    #[must_use]
    pub fn rates(&self) -> [f64; 2] {
        let seconds = self.duration_ns as f64 / 1e9;
        [self.offered as f64 / seconds, self.carried as f64 / seconds]
    }
}

/// The generator's lag, ns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LagRecord {
    /// Median.
    pub p50: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
    /// Maximum.
    pub max: u64,
    /// The whole histogram: HDR V2 deflate, base64.
    pub histogram: String,
}
