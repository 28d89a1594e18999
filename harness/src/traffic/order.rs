//! What to send, and its translation for the generator.

use std::net::{Ipv4Addr, SocketAddrV4};

use datapath_common::flow::PORTS_PER_CLIENT;
use datapath_common::frame::{TCP_SYN, UDP};
use datapath_common::traffic::{GeneratorConfig, MAX_TARGETS, Target};
use ipnet::Ipv4Net;

use super::{ESTABLISHED_FLOWS, TrafficError};
use crate::net::Link;
use crate::result::Flow;
use crate::workload::Protocol;

/// Packets of one trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrafficOrder {
    /// `New`: every packet opens a flow (TCP: SYN). `Established`: [`ESTABLISHED_FLOWS`] flows, opened and answered first, in
    /// turn.
    pub flow: Flow,
    /// UDP or TCP.
    pub protocol: Protocol,
    /// Where to: every flow draws one, by its number and the seed.
    pub targets: Vec<SocketAddrV4>,
    /// Packets to measure, at least 1. A rate is searched over as many distinct flows as its limit allows instead.
    pub packets: u32,
    /// Number of the first flow. A flow's number is its client address and port: never use one twice in a namespace.
    pub first_flow: u64,
    /// Seed of the draws.
    pub seed: u64,
    /// Source addresses; the network address is left out.
    pub clients: Ipv4Net,
}

impl TrafficOrder {
    /// Flow numbers that the order takes, from `first_flow` on: the next order of the namespace begins behind them.
    #[must_use]
    pub fn flows(&self) -> u64 {
        match self.flow {
            Flow::New => u64::from(self.packets),
            Flow::Established => u64::from(self.packets.min(ESTABLISHED_FLOWS)),
        }
    }

    /// Checks that `flows` flows can be told apart.
    pub(crate) fn validate(&self, flows: u64) -> Result<(), TrafficError> {
        if self.targets.is_empty() || self.packets == 0 {
            return Err(TrafficError::Empty { targets: self.targets.len(), packets: self.packets });
        }
        if self.targets.len() > MAX_TARGETS as usize {
            return Err(TrafficError::TooManyTargets { targets: self.targets.len(), most: MAX_TARGETS });
        }
        let last = self.first_flow.saturating_add(flows - 1);
        let capacity = capacity(self.clients);
        if last >= capacity {
            return Err(TrafficError::TooManyFlows { last, capacity, clients: self.clients });
        }
        Ok(())
    }

    /// The generator's order for `flows` flows in turn.
    pub(super) fn config(&self, flows: u64, client: &Link, node: &Link) -> GeneratorConfig {
        GeneratorConfig {
            seed: self.seed,
            first_flow: self.first_flow,
            flows,
            deadline_ns: 0,
            targets: self.targets.len() as u32,
            client_base: u32::from(self.clients.network()) + 1,
            node_mac: node.mac,
            client_mac: client.mac,
            segment: match self.protocol {
                Protocol::Udp => UDP,
                Protocol::Tcp => TCP_SYN,
            },
            verdict: aya_xdp::PASS,
            paced: 0,
        }
    }

    /// The table of targets.
    pub(super) fn table(&self) -> impl Iterator<Item = Target> + '_ {
        self.targets.iter().map(|target| Target {
            addr_be: u32::from(*target.ip()).to_be(),
            port_be: target.port().to_be(),
            reserved: 0,
        })
    }
}

/// Verdicts of XDP (`enum xdp_action`, include/uapi/linux/bpf.h).
pub(super) mod aya_xdp {
    /// On to the stack of the device.
    pub(in super::super) const PASS: u32 = 2;
    /// Out of the device.
    pub(in super::super) const TX: u32 = 3;
}

/// Distinct address and port pairs of a client range without its network and broadcast address.
fn capacity(clients: Ipv4Net) -> u64 {
    let addresses = u64::from(u32::from(clients.broadcast()) - u32::from(clients.network()));
    addresses.saturating_sub(1) * PORTS_PER_CLIENT
}

/// An order whose packets never leave the entry hook: documentation addresses (RFC 5737), for the probe's floor.
pub(super) fn floor(packets: u32) -> TrafficOrder {
    let documentation = Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 2, 0), 24);
    TrafficOrder {
        flow: Flow::New,
        protocol: Protocol::Udp,
        targets: vec![SocketAddrV4::new(documentation.broadcast(), 9)],
        packets,
        first_flow: 0,
        seed: 0,
        clients: documentation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(packets: u32, first_flow: u64) -> TrafficOrder {
        TrafficOrder { packets, first_flow, clients: "10.0.0.0/30".parse().unwrap(), ..floor(1) }
    }

    #[test]
    fn flows_must_fit_the_client_range() {
        let capacity = 2 * PORTS_PER_CLIENT;
        assert!(order(10, capacity - 10).validate(10).is_ok());
        assert!(matches!(order(10, capacity - 9).validate(10), Err(TrafficError::TooManyFlows { .. })));
        assert!(matches!(order(10, u64::MAX).validate(10), Err(TrafficError::TooManyFlows { .. })));
    }

    #[test]
    fn an_order_asks_for_something() {
        assert!(matches!(order(0, 0).validate(1), Err(TrafficError::Empty { packets: 0, .. })));
        let nowhere = TrafficOrder { targets: vec![], ..order(1, 0) };
        assert!(matches!(nowhere.validate(1), Err(TrafficError::Empty { targets: 0, .. })));
    }

    #[test]
    fn established_flows_are_few() {
        let established = TrafficOrder { flow: Flow::Established, ..order(100_000, 0) };
        assert_eq!(established.flows(), u64::from(ESTABLISHED_FLOWS));
        assert_eq!(order(100_000, 0).flows(), 100_000);
    }
}
