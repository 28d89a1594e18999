//! The table of connections (net/netfilter/ipvs/ip_vs_conn.c): chained buckets, keyed by the client's address, port and the protocol, new
//! ones at a bucket's head.
//!
//! 4,096 buckets (`conn_tab_bits` = 12), as the table had before 2026, whichever table of services a node has. That it has been resizable
//! since, and grows with the connections up to that, is not modelled: with few connections its buckets are shorter here.

use std::net::SocketAddrV4;

use crate::hash::jhash_3words;
use crate::table::HashMap;
use crate::{Packet, Protocol, Steps};

const BUCKETS: u32 = 4096;

/// Client, VIP or endpoint, protocol.
type Key = (SocketAddrV4, SocketAddrV4, Protocol);

/// Connections. What stands where in a bucket follows from how many were there before and are there now.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    key: u32,
    lengths: Vec<u32>,
    /// Endpoint and number of connections that were in the bucket before.
    requests: HashMap<Key, (SocketAddrV4, u32)>,
    answers: HashMap<Key, u32>,
}

impl Connections {
    pub(super) fn new(key: u32) -> Self {
        Self { key, lengths: vec![0; BUCKETS as usize], requests: HashMap::default(), answers: HashMap::default() }
    }

    /// Looks for the connection whose endpoint answers with `packet` (`ip_vs_conn_out_get`).
    pub(super) fn answer(&self, packet: &Packet, steps: &mut Steps) -> bool {
        let Packet { source, destination, protocol } = *packet;
        let found = self.answers.get(&(destination, source, protocol)).copied();
        self.count(destination, protocol, found, steps);
        found.is_some()
    }

    /// Looks for the connection of a request (`ip_vs_conn_in_get`), and where it leads.
    pub(super) fn request(&self, packet: &Packet, steps: &mut Steps) -> Option<SocketAddrV4> {
        let Packet { source, destination, protocol } = *packet;
        let found = self.requests.get(&(source, destination, protocol)).copied();
        self.count(source, protocol, found.map(|(_, before)| before), steps);
        found.map(|(endpoint, _)| endpoint)
    }

    pub(super) fn add(&mut self, packet: &Packet, endpoint: SocketAddrV4) {
        let Packet { source, destination, protocol } = *packet;
        let bucket = self.bucket(source, protocol);
        let before = self.lengths[bucket];
        self.requests.insert((source, destination, protocol), (endpoint, before));
        self.answers.insert((source, endpoint, protocol), before);
        self.lengths[bucket] += 1;
    }

    fn count(&self, client: SocketAddrV4, protocol: Protocol, before: Option<u32>, steps: &mut Steps) {
        let length = self.lengths[self.bucket(client, protocol)];
        steps.connection_probes += 1;
        steps.connection_entries += u64::from(length - before.unwrap_or(0));
    }

    /// `ip_vs_conn_hashkey()`: address and port as they stand in the packet.
    fn bucket(&self, client: SocketAddrV4, protocol: Protocol) -> usize {
        let (address, port) = (u32::from(*client.ip()).to_be(), u32::from(client.port().to_be()));
        (jhash_3words(address, port, protocol.number().into(), self.key) % BUCKETS) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_bucket_is_found_first() {
        let mut connections = Connections::new(7);
        let client = |port| SocketAddrV4::new([10, 248, 0, 1].into(), port);
        let (vip, pod) =
            (SocketAddrV4::new([10, 64, 0, 10].into(), 80), SocketAddrV4::new([10, 128, 0, 2].into(), 8080));
        let packet = |port| Packet { source: client(port), destination: vip, protocol: Protocol::Udp };
        let bucket = connections.bucket(client(1024), Protocol::Udp);
        let together: Vec<u16> = (1024..=u16::MAX)
            .filter(|port| connections.bucket(client(*port), Protocol::Udp) == bucket)
            .take(3)
            .collect();
        together.iter().for_each(|port| connections.add(&packet(*port), pod));
        let entries = |port| {
            let mut steps = Steps::default();
            assert_eq!(connections.request(&packet(port), &mut steps), Some(pod));
            let answer = Packet { source: pod, destination: client(port), protocol: Protocol::Udp };
            assert!(connections.answer(&answer, &mut steps));
            (steps.connection_probes, steps.connection_entries)
        };
        assert_eq!(together.iter().map(|port| entries(*port)).collect::<Vec<_>>(), [(2, 6), (2, 4), (2, 2)]);
    }
}
