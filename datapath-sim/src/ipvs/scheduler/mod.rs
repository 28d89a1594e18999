//! Schedulers: who gets a new connection, exactly as the kernel computes it.

mod hashed;
mod least;
mod maglev;
mod round_robin;

use std::fmt;
use std::net::SocketAddrV4;
use std::str::FromStr;

use crate::{Endpoint, Packet, Protocol, Service, Steps};
use round_robin::Wrr;

// All are modelled with the kernel's default flags and table sizes. What documents them here, a schema describes them with.
/// A scheduler of IPVS (`net/netfilter/ipvs/ip_vs_*.c`), as kube-proxy's `--ipvs-scheduler` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(
    feature = "names",
    derive(clap::ValueEnum, schemars::JsonSchema, serde::Deserialize, serde::Serialize),
    serde(rename_all = "kebab-case")
)]
pub enum Scheduler {
    /// Round robin: kube-proxy's default.
    #[default]
    Rr,
    /// Weighted round robin.
    Wrr,
    /// Least connections.
    Lc,
    /// Weighted least connections.
    Wlc,
    /// Shortest expected delay.
    Sed,
    /// Never queue.
    Nq,
    /// Source hashing.
    Sh,
    /// Destination hashing.
    Dh,
    /// Maglev hashing.
    Mh,
}

/// A name that is no scheduler's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownScheduler(pub String);

impl fmt::Display for UnknownScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Scheduler::ALL.map(Scheduler::name).join(", ");
        write!(f, "{:?} is no scheduler; there are {names}", self.0)
    }
}

impl std::error::Error for UnknownScheduler {}

impl Scheduler {
    /// Every scheduler.
    pub const ALL: [Self; 9] =
        [Self::Rr, Self::Wrr, Self::Lc, Self::Wlc, Self::Sed, Self::Nq, Self::Sh, Self::Dh, Self::Mh];

    /// Its name in the kernel: the module `ip_vs_<name>` brings it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rr => "rr",
            Self::Wrr => "wrr",
            Self::Lc => "lc",
            Self::Wlc => "wlc",
            Self::Sed => "sed",
            Self::Nq => "nq",
            Self::Sh => "sh",
            Self::Dh => "dh",
            Self::Mh => "mh",
        }
    }
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scheduler {
    type Err = UnknownScheduler;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|known| known.name() == name).ok_or_else(|| UnknownScheduler(name.to_owned()))
    }
}

/// A real server of a service, with the connections that the kernel counts on it.
#[derive(Debug, Clone, Copy)]
struct Destination {
    address: SocketAddrV4,
    weight: u32,
    active: u32,
    inactive: u32,
}

/// What a scheduler keeps of a service.
#[derive(Debug, Clone)]
enum State {
    /// The destination chosen last; none: the head of the list.
    Rr(Option<usize>),
    Wrr(Wrr),
    None,
    /// Destination of each bucket, made when first asked: 100,000 services would have as many tables of 4,093 entries.
    Buckets(Option<Vec<Option<usize>>>),
}

/// A service and its destinations.
#[derive(Debug, Clone)]
pub(crate) struct VirtualService {
    scheduler: Scheduler,
    protocol: Protocol,
    port: u16,
    /// In the kernel's order: new ones are put in front (`__ip_vs_update_dest`).
    destinations: Vec<Destination>,
    state: State,
}

impl VirtualService {
    /// A service whose endpoints were added one by one, in their order.
    pub(super) fn new(service: &Service, scheduler: Scheduler) -> Self {
        let as_destination = |endpoint: &Endpoint| Destination {
            address: endpoint.address,
            weight: endpoint.weight,
            active: 0,
            inactive: 0,
        };
        let destinations = service.endpoints.iter().rev().map(as_destination).collect();
        let state = match scheduler {
            Scheduler::Rr => State::Rr(None),
            Scheduler::Wrr => State::Wrr(Wrr::after_adding(service.endpoints.iter().map(|endpoint| endpoint.weight))),
            Scheduler::Lc | Scheduler::Wlc | Scheduler::Sed | Scheduler::Nq => State::None,
            Scheduler::Sh | Scheduler::Dh | Scheduler::Mh => State::Buckets(None),
        };
        Self { scheduler, protocol: service.protocol, port: service.address.port(), destinations, state }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Chooses for a packet that opens a connection, and counts the connection.
    ///
    /// A new connection is inactive (`ip_vs_bind_dest`); TCP's SYN makes it active at once (`set_tcp_state`), UDP never does.
    pub(super) fn schedule(&mut self, packet: &Packet, steps: &mut Steps) -> Option<SocketAddrV4> {
        let chosen = self.choose(packet, steps)?;
        let protocol = self.protocol;
        let destination = &mut self.destinations[chosen];
        match protocol {
            Protocol::Tcp => destination.active += 1,
            Protocol::Udp => destination.inactive += 1,
        }
        Some(destination.address)
    }

    fn choose(&mut self, packet: &Packet, steps: &mut Steps) -> Option<usize> {
        let destinations = &self.destinations[..];
        let looked_at = &mut steps.destinations;
        match (self.scheduler, &mut self.state) {
            (_, State::Rr(last)) => round_robin::rr(destinations, last, looked_at),
            (_, State::Wrr(mark)) => mark.choose(destinations, looked_at),
            (Scheduler::Lc, _) => least::lc(destinations, looked_at),
            (Scheduler::Wlc, _) => least::wlc(destinations, looked_at),
            (Scheduler::Sed, _) => least::sed(destinations, looked_at),
            (Scheduler::Nq, _) => least::nq(destinations, looked_at),
            (Scheduler::Sh, State::Buckets(table)) => hashed::sh(destinations, table, *packet.source.ip(), looked_at),
            (Scheduler::Dh, State::Buckets(table)) => {
                hashed::dh(destinations, table, *packet.destination.ip(), looked_at)
            }
            (_, State::Buckets(table)) => maglev::mh(destinations, table, *packet.source.ip(), looked_at),
            (_, State::None) => None,
        }
    }

    /// Address, active and inactive connections of each destination, in the kernel's order.
    pub(super) fn connections(&self) -> Vec<(SocketAddrV4, u32, u32)> {
        self.destinations.iter().map(|d| (d.address, d.active, d.inactive)).collect()
    }
}

/// The greatest common divisor; that of 0 and another number is the other.
fn common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests;
