//! Real connections: sockets of the kernel in a topology's namespaces, a client's on one side and a server's behind every endpoint.
//!
//! Client and servers have a thread each, which has entered its namespace and runs a tokio runtime of its own. Nothing of the probe
//! is on the path. An answer names the endpoint that gave it, and the client checks that it is one of the service that it asked.
//! Every attempt ends as a success or as a failure of a kind: nothing is lost.

mod ask;
mod conntrack;
mod cpu;
mod generator;
mod ipvs;
mod pacer;
mod servers;
mod sources;
mod tally;
mod trials;
mod wire;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use ipnet::Ipv4Net;

pub(crate) use ask::kind as failure_kind;
pub use conntrack::use_of;
pub use generator::generate;
pub use ipvs::IpvsUse;
pub use servers::Servers;
pub(crate) use sources::address;
pub use tally::{Outcome, REPEATED};
pub use trials::{Trial, WarmUp, trial, trial_with};

use crate::net::NetError;
use crate::result::ConnectionLoad;
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

impl ConnectionOrder {
    /// Every endpoint that may answer.
    fn endpoints(&self) -> BTreeSet<SocketAddrV4> {
        self.asked.iter().flat_map(|asked| asked.endpoints.keys().copied()).collect()
    }
}
