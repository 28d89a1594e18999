//! Loads the eBPF programs, attaches them to a topology and reads what they counted.
//!
//! Nothing is pinned: programs, maps and XDP links go with the last file descriptor, classifiers with their namespace.

mod filter;
mod instrument;
mod logs;
mod record;

use std::io;
use std::net::SocketAddrV4;

use aya::EbpfError;
use aya::maps::MapError;
use aya::programs::ProgramError;
use aya::programs::tc::TcError;
use ipnet::Ipv4Net;

pub(crate) use filter::{Filter, classifier};
pub(crate) use instrument::DECISIONS;
pub(crate) use instrument::xdp;
pub use instrument::{Instrument, OBJECT};
pub(crate) use record::histogram;
pub use record::{Sample, Tally};

use crate::net::NetError;

/// Where packets may leave the node: an endpoint of the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destinations {
    /// Range of the pods.
    pub pods: Ipv4Net,
    /// Port of every endpoint.
    pub port: u16,
}

impl Destinations {
    /// Whether `destination` is one of them.
    #[must_use]
    pub fn contains(&self, destination: SocketAddrV4) -> bool {
        self.pods.contains(destination.ip()) && destination.port() == self.port
    }
}

/// Why the probe cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The kernel or aya refused the object.
    #[error("cannot load the eBPF object: {0}")]
    Load(#[source] Box<EbpfError>),
    /// The object does not hold what this program expects: it is stale.
    #[error("the eBPF object has no {kind} \"{name}\": rebuild it with `cargo xtask ebpf`")]
    Missing {
        /// `program` or `map`.
        kind: &'static str,
        /// Name.
        name: &'static str,
    },
    /// A program was refused by the verifier or could not be attached.
    #[error("cannot {action} eBPF program \"{program}\": {source}")]
    Program {
        /// `load`, `attach` or `detach`.
        action: &'static str,
        /// Program.
        program: &'static str,
        /// Why.
        source: Box<ProgramError>,
    },
    /// The clsact queueing discipline could not be added.
    #[error("cannot add clsact to {device}: {source}")]
    Clsact {
        /// Device.
        device: String,
        /// Why.
        source: TcError,
    },
    /// A map could not be read or written.
    #[error("cannot access eBPF map \"{map}\": {source}")]
    Map {
        /// Map.
        map: &'static str,
        /// Why.
        source: MapError,
    },
    /// The records could not be read or reset.
    #[error("cannot access the probe's records of CPU {cpu}: {source}")]
    Record {
        /// CPU.
        cpu: u32,
        /// Why.
        source: io::Error,
    },
    /// The number of CPUs is unknown.
    #[error("cannot read the number of CPUs from {path}: {source}")]
    Cpus {
        /// File.
        path: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A histogram could not be built from the buckets.
    #[error("bucket {lowest} does not fit the histogram")]
    Histogram {
        /// Lowest value of the bucket.
        lowest: u64,
    },
    /// A namespace could not be entered.
    #[error(transparent)]
    Net(#[from] NetError),
}
