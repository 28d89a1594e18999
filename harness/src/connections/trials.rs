//! A trial: servers, what does not count, the client, and what the node says of it all.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::cpu::Meter;
use super::ipvs::{self, IpvsUse, Reusing};
use super::{ConnectionOrder, ConnectionsError, Outcome, Servers, conntrack, generate};
use crate::chain::one_line;
use crate::net::Topology;
use crate::result::{
    BackendKind, Cell, ConnectionCpu, ConnectionLoad, ConnectionRecord, ConntrackUse, HistogramError, Times,
};

/// Exchanges before a trial that are not counted: what is met for the first time takes longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarmUp {
    /// 64, in a tenth of the trial's time at the most: caches.
    Short,
    /// As many as the trial's own: an emulator translates code as it first comes to it, and the first trial of a boot would pay for all others.
    Whole,
}

impl WarmUp {
    fn of(self, order: &ConnectionOrder) -> ConnectionOrder {
        match self {
            Self::Short => ConnectionOrder { most: 64, duration: order.duration / 10, ..order.clone() },
            Self::Whole => order.clone(),
        }
    }
}

/// A trial that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// What became of the attempts.
    pub outcome: Outcome,
    /// The node's connection tracking; `None` without.
    pub conntrack: Option<ConntrackUse>,
    /// The node's IPVS after the trial; `None` without.
    pub ipvs: Option<IpvsUse>,
    /// CPU time; `None` where the servers failed, whose thread is gone.
    pub cpu: Option<ConnectionCpu>,
    /// Why the servers failed; `None` where they did not. What they left unanswered is in the outcome.
    pub servers_failed: Option<String>,
}

/// Makes one trial on a programmed topology: servers behind every endpoint that is asked for, and the client.
///
/// # Errors
/// [`ConnectionsError`]: the trial could not be made. Servers that fail in its course are part of it.
pub fn trial(topology: &Topology, order: &ConnectionOrder, warm_up: WarmUp) -> Result<Trial, ConnectionsError> {
    trial_with(topology, order, warm_up, |_| ())
}

/// As [`trial`], with something that happens meanwhile: `during` is called right before the first exchange that counts, which waits for it.
///
/// # Errors
/// As [`trial`].
pub fn trial_with(
    topology: &Topology,
    order: &ConnectionOrder,
    warm_up: WarmUp,
    during: impl FnOnce(&Servers),
) -> Result<Trial, ConnectionsError> {
    raise_descriptors().map_err(ConnectionsError::io("raise the limit of file descriptors"))?;
    let _reusing = order.load.reuse_mode().map(|mode| Reusing::set(&topology.node, mode)).transpose()?;
    let servers = Servers::start(&topology.backend, order.protocol, &order.endpoints())?;
    if let Some(percent) = order.load.filled() {
        conntrack::fill(&topology.node, percent)?;
    }
    let warm_up = warm_up.of(order);
    generate(&topology.client, &warm_up)?;
    let meter = Meter::of(servers.thread())?;
    let (before, begin) = (conntrack::use_of(&topology.node)?, meter.read());
    during(&servers);
    let outcome = generate(&topology.client, &ConnectionOrder { first: order.first + warm_up.most, ..order.clone() })?;
    let (end, after) = (meter.read(), conntrack::use_of(&topology.node)?);
    let ipvs = ipvs::use_of(&topology.node)?;
    let servers_failed = servers.stop().err().map(|error| one_line(&error));
    if order.load.filled().is_some() {
        conntrack::empty(&topology.node)?;
    }
    let conntrack = before.zip(after).map(|(before, after)| conntrack::between(before, after));
    // Of a thread that is gone there is nothing to read.
    let cpu = if servers_failed.is_none() { Some(end?.since(begin?)) } else { None };
    Ok(Trial { outcome, conntrack, ipvs, cpu, servers_failed })
}

impl Trial {
    /// Its record, as trial `index` of a cell.
    ///
    /// # Errors
    /// A histogram cannot be encoded.
    pub fn record(self, cell: Cell, load: ConnectionLoad, index: u32) -> Result<ConnectionRecord, HistogramError> {
        let Self { outcome: found, conntrack, ipvs, cpu, servers_failed } = self;
        // A kernel may have IPVS in every namespace; only here it carries something.
        let ipvs = ipvs.filter(|_| cell.backend == BackendKind::Ipvs);
        Ok(ConnectionRecord {
            cell,
            load,
            trial: index,
            attempted: found.attempted,
            succeeded: found.succeeded,
            failures: found.failures,
            per_second: found.per_second,
            bits_per_second: load.is_stream().then_some(found.bits_per_second),
            started_per_second: load.per_second().map(|_| found.started_per_second),
            connect: Times::of(&found.connect)?,
            exchange: Times::of(&found.exchange)?,
            lag: Times::of(&found.lag)?,
            repeated: found.repeated,
            reached: found.reached,
            conntrack,
            conn_reuse_mode: ipvs.and_then(|ipvs| ipvs.conn_reuse_mode),
            ipvs_entries: ipvs.map(|ipvs| ipvs.entries),
            cpu,
            servers_failed,
        })
    }
}

/// Many systems allow 1,024 at first, and more to who asks.
fn raise_descriptors() -> io::Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return Ok(());
    }
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}
