//! Reachability of a programmed topology: pings of a ClusterIP, and connections to a load balancer's address that a service shares with an
//! Ingress. Nothing is timed; what counts is what comes back, and which namespace the packets reached.

mod arrivals;
mod exchange;
mod icmp;
mod ping;
mod stand;

use std::io;

pub use ping::{Pinged, ping};
pub use stand::Stand;

use crate::connections::ConnectionsError;
use crate::net::NetError;

/// Echo requests, or connections, of an attempt: few enough that no limit on messages of ICMP is met.
pub const TRIES: u16 = 5;

/// Why an attempt could not be made at all.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// A namespace, a link or a sysctl failed.
    #[error(transparent)]
    Net(#[from] NetError),
    /// Servers or a client of connections failed.
    #[error(transparent)]
    Connections(#[from] ConnectionsError),
    /// A socket for ICMP failed, of which single packets are no part.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The counters of a namespace lack one.
    #[error("/proc/net/snmp has no number for {counter}")]
    Counter {
        /// Group and counter.
        counter: &'static str,
    },
}
