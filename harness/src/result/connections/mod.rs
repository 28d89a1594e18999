//! Real connections: one trial, and what the trials of a backend make over N.

mod check;
mod cpu;
mod curve;
mod failure;
mod point;

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use check::{ConnectionFault, check};
pub use cpu::{ConnectionCpu, ExchangeCpu, ThreadCpu};
pub use curve::{ConnectionCurve, ConnectionKey, connection_curves};
pub use failure::FailureKind;
pub use point::{ConnectionPoint, Percentiles};

use super::{Cell, ConnectionLoad, HistogramError, encode_histogram, is_zero};

/// Share of the asked rate that the generator must have kept.
pub const KEPT_RATE: f64 = 0.99;

/// One trial of real connections: a line of `trials.jsonl`. Every attempt is a success or has its kind of failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionRecord {
    /// The cell: `new` flows where each exchange has a connection of its own, `established` where connections are kept.
    #[serde(flatten)]
    pub cell: Cell,
    /// The load.
    pub load: ConnectionLoad,
    /// Index of the trial within its cell, from 0.
    pub trial: u32,
    /// Exchanges that were begun.
    pub attempted: u64,
    /// Exchanges that ended with the whole and right answer.
    pub succeeded: u64,
    /// The others, by kind.
    pub failures: BTreeMap<FailureKind, u64>,
    /// Exchanges that succeeded between the first and the last beginning, a second.
    pub per_second: f64,
    /// Streams only: bits of payload that the servers took, a second; from the first byte that was sent to the last answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_second: Option<f64>,
    /// Open loop only: exchanges that were begun, a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_per_second: Option<f64>,
    /// From the beginning (in the open loop: the intended one) to the established connection, of every connection that was; nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<Times>,
    /// From the same beginning to the end of the answer, of every success; nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Times>,
    /// Open loop only: from the intended beginning to the generator's; nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<Times>,
    /// Connections of `connect` that took a second or longer by themselves: their first packet (SYN) was lost or dropped, and repeated.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeated: u64,
    /// Successes by the endpoint that answered, by its index in the service; empty where several services were asked.
    pub reached: Vec<u64>,
    /// The node's connection tracking, where it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conntrack: Option<ConntrackUse>,
    /// IPVS only: `net.ipv4.vs.conn_reuse_mode` of the node in this trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conn_reuse_mode: Option<u8>,
    /// IPVS only: entries in its own connection table after the trial, active and inactive ones (`/proc/net/ip_vs`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipvs_entries: Option<u64>,
    /// CPU time; absent in records of earlier versions, and where the servers failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<ConnectionCpu>,
    /// Why the servers failed in mid-trial; absent where they did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub servers_failed: Option<String>,
}

/// Percentiles of durations, in nanoseconds, and their histogram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Times {
    /// How many.
    pub count: u64,
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
    /// The longest.
    pub max: u64,
    /// The whole histogram: HDR V2 deflate, base64.
    pub histogram: String,
}

/// What a trial did to the node's connection tracking (`/proc/net/stat/nf_conntrack`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConntrackUse {
    /// Entries after the trial.
    pub entries: u64,
    /// Most entries that there can be.
    pub most: u64,
    /// Packets that were dropped during the trial, the table being full among other reasons.
    pub dropped: u64,
    /// Entries that had to make room for others.
    pub early_dropped: u64,
    /// Entries that could not be inserted.
    pub insert_failed: u64,
}

impl Times {
    /// Of a histogram in nanoseconds; `None` of an empty one.
    ///
    /// # Errors
    /// The histogram cannot be encoded.
    pub fn of(histogram: &Histogram<u64>) -> Result<Option<Self>, HistogramError> {
        if histogram.is_empty() {
            return Ok(None);
        }
        let at = |quantile| histogram.value_at_quantile(quantile);
        Ok(Some(Self {
            count: histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max(),
            histogram: encode_histogram(histogram)?,
        }))
    }
}

impl ConnectionRecord {
    /// Whether the servers lasted and the generator kept its rate. A trial in which they did not is invalid, not slow. In a closed loop there
    /// is no rate to keep.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let kept = match (self.load.per_second(), self.started_per_second) {
            (Some(asked), Some(started)) => started >= KEPT_RATE * f64::from(asked),
            _ => true,
        };
        kept && self.servers_failed.is_none()
    }

    /// Attempts that failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}
