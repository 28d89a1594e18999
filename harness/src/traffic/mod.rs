//! Packets: live frames through `BPF_PROG_TEST_RUN`, for latency one at a time into the node, for rates as fast as the client's
//! device takes them, or at a rate that is asked for.

mod decide;
mod established;
mod follow;
mod live;
mod napi;
mod order;
mod pace;
mod room;
mod saturate;

use std::io;

use aya::programs::ProgramError;
use curve_stats::search::{InputError, OutcomeError, SearchError};
use rustix::time::{ClockId, clock_gettime};

pub use decide::Fate;
pub use established::ESTABLISHED_FLOWS;
pub use order::TrafficOrder;
pub use pace::{
    FIXED_LOAD, Loaded, PaceOrder, Passage, Rates, Road, SHARES, TIMED_LAG_BOUND, Timed, goals, loaded, longest, rates,
    top,
};
pub use saturate::{Limit, Saturation, most_flows};

use crate::net::NetError;
use crate::probe::ProbeError;
use crate::result::Flow;
use crate::usage::UsageError;

/// `CLOCK_MONOTONIC`, the clock of `bpf_ktime_get_ns`.
fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Why packets could not be sent or measured.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    /// The order asks for nothing.
    #[error("an order needs at least one target and one packet, this one has {targets} and {packets}")]
    Empty {
        /// Targets.
        targets: usize,
        /// Packets.
        packets: u32,
    },
    /// More targets than the generator's table holds.
    #[error("{targets} targets, the generator's table holds {most}")]
    TooManyTargets {
        /// Asked for.
        targets: usize,
        /// Capacity.
        most: u32,
    },
    /// The client range has too few addresses for as many distinct flows.
    #[error(
        "flows up to {last} do not fit the {capacity} address and port pairs of {clients}: use a wider client range"
    )]
    TooManyFlows {
        /// Last flow.
        last: u64,
        /// Pairs.
        capacity: u64,
        /// Range.
        clients: ipnet::Ipv4Net,
    },
    /// The connection tracking table would overflow: packets would be dropped, not measured.
    #[error(
        "{wanted} new flows do not fit conntrack's table, {used} of {most} entries are taken: use fresh namespaces"
    )]
    ConntrackFull {
        /// Flows.
        wanted: u64,
        /// Entries in use.
        used: u64,
        /// Capacity.
        most: u64,
    },
    /// Not every flow that was opened was answered from its target.
    #[error(
        "{flows} flows opened, {answered} answered by the backend, {matching} replies from their service, {foreign} from \
         elsewhere: the datapath does not bring replies back"
    )]
    NotEstablished {
        /// Flows.
        flows: u64,
        /// Packets that the backend answered.
        answered: u64,
        /// Replies from where the flow was sent to.
        matching: u64,
        /// Replies from elsewhere.
        foreign: u64,
    },
    /// The kernel put the packets' processing off for too long.
    #[error(
        "{sent} of {packets} packets sent: each waits for the one before, and the kernel did not process them in time; is the \
             machine overloaded?"
    )]
    Stalled {
        /// Asked for.
        packets: u32,
        /// Sent.
        sent: u64,
    },
    /// Decisions are those of new flows, and of no more than the instrument has room for.
    #[error("decisions of {flows} {flow:?} flows cannot be written down: at most {most} new ones")]
    Decisions {
        /// Which flows.
        flow: Flow,
        /// How many.
        flows: u32,
        /// How many there is room for.
        most: u32,
    },
    /// Live frames were refused or interrupted.
    #[error("cannot send live frames into {device}: {source}")]
    LiveFrames {
        /// Device.
        device: String,
        /// Why.
        source: Box<ProgramError>,
    },
    /// Saturation needs a CPU for the sender and one for the node.
    #[error("saturation needs two CPUs, one for the generator and one for the node; {available} may be used")]
    OneCpu {
        /// CPUs that this process may use.
        available: usize,
    },
    /// The node's receive thread could not be set up.
    #[error("cannot {action}: {source}")]
    Napi {
        /// What was tried.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The node's receive thread was not found.
    #[error("{found} new threads named {prefix}* instead of one after threaded NAPI was switched on")]
    NapiThread {
        /// Prefix of the name.
        prefix: String,
        /// How many there were.
        found: usize,
    },
    /// CPU time could not be read.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// A search was interrupted between two trials.
    #[error("interrupted")]
    Interrupted,
    /// A paced trial's counts cannot be: nothing was sent, or more arrived.
    #[error("a paced trial came to nothing: {0}")]
    Outcome(#[from] OutcomeError),
    /// A throughput search cannot be made of its input.
    #[error("cannot search for a rate: {0}")]
    Input(#[from] InputError),
    /// A throughput search failed.
    #[error("cannot search for a rate: {0}")]
    Search(#[source] Box<SearchError<TrafficError>>),
    /// The sending thread panicked.
    #[error("the sending thread panicked")]
    Thread,
    /// The probe failed.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// A namespace could not be entered.
    #[error(transparent)]
    Net(#[from] NetError),
}
