//! Real connections: sockets of the kernel in a topology's namespaces, a client's on one side and a server's behind every endpoint.
//!
//! Client and servers have a thread each, which has entered its namespace and runs a tokio runtime of its own. Nothing of the probe
//! is on the path. An answer names the endpoint that gave it, and the client checks that it is one of the service that it asked.
//! Every attempt ends as a success or as a failure of a kind: nothing is lost.

mod ask;
mod conntrack;
mod cpu;
mod generator;
mod pacer;
mod servers;
mod sources;
mod tally;
mod wire;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use ipnet::Ipv4Net;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

pub(crate) use ask::kind as failure_kind;
pub use conntrack::use_of;
pub use generator::generate;
pub use servers::Servers;
pub(crate) use sources::address;
pub use tally::{Outcome, REPEATED};

use cpu::Meter;

use crate::net::{NetError, Topology};
use crate::result::{ConnectionCpu, ConnectionLoad, ConntrackUse};
use crate::usage::UsageError;
use crate::workload::Protocol;

/// Why a trial of connections could not be made at all. What happens to single connections is in its [`Outcome`].
#[derive(Debug, thiserror::Error)]
pub enum ConnectionsError {
    /// Nobody to ask.
    #[error("an order of connections names no target")]
    NoTarget,
    /// A namespace could not be entered.
    #[error(transparent)]
    Net(#[from] NetError),
    /// Something of the runtime or of the servers failed.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A task of the client panicked: what it attempted has no end.
    #[error("a task of the client failed: {0}")]
    Task(#[source] tokio::task::JoinError),
    /// CPU time could not be read.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The thread of the servers panicked.
    #[error("the servers' thread panicked")]
    Thread,
}

impl ConnectionsError {
    fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, source }
    }
}

/// Whom to ask, and who may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The address that is asked: a service's, or a pod's own.
    pub address: SocketAddrV4,
    /// The endpoints that may answer, each with its index in the service. Shared, for a popular service is there more than once.
    pub endpoints: Arc<HashMap<SocketAddrV4, usize>>,
}

/// A trial to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionOrder {
    /// How many at a time, or a second.
    pub load: ConnectionLoad,
    /// TCP, or UDP: there a socket of its own stands for a connection.
    pub protocol: Protocol,
    /// Every exchange draws one of these, by its number and the seed.
    pub asked: Vec<Asked>,
    /// Most exchanges.
    pub most: u64,
    /// Number of the first exchange among all of its namespaces: no two datagrams' sockets come from one address and port.
    pub first: u64,
    /// No exchange begins later than this after the first.
    pub duration: Duration,
    /// How long an exchange may take.
    pub patience: Duration,
    /// Seed of the draws.
    pub seed: u64,
    /// Client addresses; the network address is left out, and of the others [`MOST_CLIENTS`] are used. The kernel chooses ports.
    pub clients: Ipv4Net,
}

/// Client addresses that take turns.
pub const MOST_CLIENTS: u64 = 250;

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
    /// CPU time.
    pub cpu: ConnectionCpu,
}

/// Makes one trial on a programmed topology: servers behind every endpoint that is asked for, and the client.
///
/// # Errors
/// [`ConnectionsError`].
pub fn trial(topology: &Topology, order: &ConnectionOrder, warm_up: WarmUp) -> Result<Trial, ConnectionsError> {
    raise_descriptors().map_err(ConnectionsError::io("raise the limit of file descriptors"))?;
    let servers = Servers::start(&topology.backend, order.protocol, &order.endpoints())?;
    if let Some(percent) = order.load.filled() {
        conntrack::fill(&topology.node, percent)?;
    }
    let warm_up = warm_up.of(order);
    generate(&topology.client, &warm_up)?;
    let meter = Meter::of(servers.thread())?;
    let (before, begin) = (use_of(&topology.node)?, meter.read()?);
    let outcome = generate(&topology.client, &ConnectionOrder { first: order.first + warm_up.most, ..order.clone() })?;
    let (end, after) = (meter.read()?, use_of(&topology.node)?);
    servers.stop()?;
    if order.load.filled().is_some() {
        conntrack::empty(&topology.node)?;
    }
    let conntrack = before.zip(after).map(|(before, after)| conntrack::between(before, after));
    Ok(Trial { outcome, conntrack, cpu: end.since(begin) })
}

impl ConnectionOrder {
    /// Every endpoint that may answer.
    fn endpoints(&self) -> BTreeSet<SocketAddrV4> {
        self.asked.iter().flat_map(|asked| asked.endpoints.keys().copied()).collect()
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
