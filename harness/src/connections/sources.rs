//! Where exchanges come from: addresses of the clients, and ports where the kernel's choice would not do.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use ipnet::Ipv4Net;

use super::{ConnectionOrder, MOST_CLIENTS};
use crate::result::ConnectionLoad;
use crate::workload::Protocol;

/// The kernel's default range of ports that it chooses from (`net.ipv4.ip_local_port_range`).
const CHOSEN_PORTS: RangeInclusive<u16> = 32_768..=60_999;
/// Ports that are used again and again: outside of that range.
const REUSED_PORTS: RangeInclusive<u16> = 10_000..=10_999;
/// Of so many ports that are used again one is in use.
const PORTS_A_CONNECTION: u32 = 4;

/// Hands out an address and port for each exchange; port 0 leaves the choice to the kernel when it connects.
#[derive(Debug)]
pub(super) struct Sources {
    clients: Ipv4Net,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// TCP: the kernel chooses a port that no connection of the address towards this destination has.
    Kernel,
    /// UDP: the kernel would choose at random, and so now and then what connection tracking still knows. The number of the first exchange.
    InTurn { first: u64 },
    /// Few ports, the one that has rested longest next.
    Reused(RefCell<VecDeque<SocketAddrV4>>),
}

impl Sources {
    pub(super) fn new(order: &ConnectionOrder) -> Self {
        let clients = order.clients;
        let kind = match (order.load, order.protocol) {
            (ConnectionLoad::Reuse { ports, .. }, _) => {
                let reused = (0..u64::from(ports.get())).map(|index| turn(clients, &REUSED_PORTS, index));
                Kind::Reused(RefCell::new(reused.collect()))
            }
            (_, Protocol::Udp) => Kind::InTurn { first: order.first },
            (_, Protocol::Tcp) => Kind::Kernel,
        };
        Self { clients, kind }
    }

    /// The source of exchange `number`. Whoever uses it gives it back.
    pub(super) fn take(&self, number: u64) -> SocketAddrV4 {
        let of_kernel = || SocketAddrV4::new(address(self.clients, number), 0);
        match &self.kind {
            Kind::Kernel => of_kernel(),
            Kind::InTurn { first } => turn(self.clients, &CHOSEN_PORTS, first.wrapping_add(number)),
            Kind::Reused(rested) => rested.borrow_mut().pop_front().unwrap_or_else(of_kernel),
        }
    }

    /// Whether ports are used again, and may have to be waited for.
    pub(super) fn are_reused(&self) -> bool {
        matches!(self.kind, Kind::Reused(_))
    }

    /// The exchange of this source is over.
    pub(super) fn give_back(&self, source: SocketAddrV4) {
        if let Kind::Reused(rested) = &self.kind {
            rested.borrow_mut().push_back(source);
        }
    }
}

/// Connections at a time that use `ports` again and again, each after it has rested.
pub(super) fn at_a_time(ports: NonZeroU32) -> u32 {
    (ports.get() / PORTS_A_CONNECTION).max(1)
}

/// Addresses take turns, and ports after each round of them: all pairs are distinct until every one has come.
fn turn(clients: Ipv4Net, ports: &RangeInclusive<u16>, number: u64) -> SocketAddrV4 {
    let round = number / addresses(clients);
    let port = u64::from(*ports.start()) + round % ports.len() as u64;
    SocketAddrV4::new(address(clients, number), port as u16)
}

/// Client addresses: hosts of the range, of which a single address is one.
fn addresses(clients: Ipv4Net) -> u64 {
    (clients.hosts().count() as u64).min(MOST_CLIENTS)
}

/// Address of the client of exchange `number`.
pub(crate) fn address(clients: Ipv4Net, number: u64) -> Ipv4Addr {
    let index = (number % addresses(clients)) as usize;
    clients.hosts().nth(index).unwrap_or(clients.network())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;

    fn order(load: &str, protocol: Protocol, first: u64) -> ConnectionOrder {
        ConnectionOrder {
            load: load.parse().unwrap(),
            protocol,
            asked: Vec::new(),
            most: 1,
            first,
            duration: Duration::ZERO,
            patience: Duration::ZERO,
            seed: 0,
            clients: "10.127.0.0/16".parse().unwrap(),
        }
    }

    #[test]
    fn datagrams_of_two_trials_have_sources_of_their_own() {
        let trials = [0, 1 << 17].map(|first| Sources::new(&order("8", Protocol::Udp, first)));
        let sources = trials.iter().flat_map(|sources| (0..20_000).map(|number| sources.take(number)));
        let distinct: HashSet<_> = sources.collect();
        assert_eq!(distinct.len(), 40_000);
        assert!(distinct.iter().all(|source| CHOSEN_PORTS.contains(&source.port())));
    }

    #[test]
    fn a_port_that_is_used_again_has_rested_longest() {
        let sources = Sources::new(&order("reuse:3", Protocol::Tcp, 0));
        let [a, b] = [0, 1].map(|number| sources.take(number));
        sources.give_back(b);
        sources.give_back(a);
        let c = sources.take(2);
        assert_eq!([3, 4].map(|number| sources.take(number)), [b, a]);
        assert_eq!(HashSet::from([a, b, c]).len(), 3);
    }

    #[test]
    fn the_kernel_chooses_ports_of_connections_and_addresses_take_turns() {
        let sources = Sources::new(&order("8", Protocol::Tcp, 0));
        let first = |number| sources.take(number);
        assert_eq!(first(0), SocketAddrV4::new(Ipv4Addr::new(10, 127, 0, 1), 0));
        assert_eq!(first(MOST_CLIENTS), first(0));
        assert_eq!([1, 4, 16].map(|ports| at_a_time(NonZeroU32::new(ports).unwrap())), [1, 1, 4]);
    }
}
