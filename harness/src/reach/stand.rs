//! A topology with the network outside beside it, on which attempts are made.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::arrivals::Counters;
use super::exchange::{Exchanged, Listeners, ingress_port};
use super::{ReachError, TRIES, ping};
use crate::connections::address;
use crate::net::{NetNs, Outside, Topology, write_sysctl};
use crate::result::{Arrivals, Attempt, Destination, Origin, Question};
use crate::workload::{AddressPlan, Service};

/// Everything that attempts need.
#[derive(Debug)]
pub struct Stand<'a> {
    topology: &'a Topology,
    outside: Outside,
    listeners: Listeners,
    addresses: AddressPlan,
    /// The service whose ClusterIP is asked.
    service: &'a Service,
    /// The endpoint that is asked as the control.
    pod: Ipv4Addr,
    /// Identifier of the next echo requests.
    id: u16,
}

impl<'a> Stand<'a> {
    /// Puts the network outside beside a topology and starts the servers; `pod` is an endpoint of `service`.
    ///
    /// # Errors
    /// [`ReachError`].
    pub fn new(
        topology: &'a Topology,
        addresses: AddressPlan,
        service: &'a Service,
        pod: Ipv4Addr,
    ) -> Result<Self, ReachError> {
        let outside = Outside::beside(topology)?;
        {
            let _inside = topology.node.enter()?;
            // The node answers all of an attempt's packets, however soon after those of another.
            write_sysctl("net.ipv4.icmp_ratelimit", "0")?;
        }
        let listeners = Listeners::start(topology, &outside.namespace, service)?;
        Ok(Self { topology, outside, listeners, addresses, service, pod, id: 1 })
    }

    /// Makes an attempt.
    ///
    /// # Errors
    /// [`ReachError`]: it could not be made. What became of its packets is in the result.
    pub fn attempt(&mut self, asked: Question) -> Result<Attempt, ReachError> {
        let before = self.counters()?;
        let mut attempt = match asked.to {
            Destination::Pod => self.ping(asked, self.pod),
            Destination::ClusterIp => self.ping(asked, self.service.vip),
            Destination::Ingress => self.connect(asked, ingress_port(self.service)),
            Destination::Service => self.connect(asked, self.service.port),
        }?;
        let after = self.counters()?;
        let [node, pods, outside] = std::array::from_fn(|index| after[index].since(before[index]));
        if matches!(asked.to, Destination::Pod | Destination::ClusterIp) {
            attempt.arrived = Arrivals { node: node.echoes, pods: pods.echoes, outside: outside.echoes };
        }
        attempt.left = outside.packets;
        Ok(attempt)
    }

    /// Ends the servers.
    ///
    /// # Errors
    /// They had failed.
    pub fn close(self) -> Result<(), ReachError> {
        self.listeners.stop()
    }

    fn ping(&mut self, asked: Question, to: Ipv4Addr) -> Result<Attempt, ReachError> {
        self.id = self.id.wrapping_add(1);
        let (namespace, range) = self.origin(asked.from);
        let found = ping(namespace, address(range, 0), to, self.id, TRIES)?;
        Ok(Attempt {
            asked,
            sent: found.sent,
            answered: found.answered,
            icmp: found.icmp,
            failures: found.failures,
            arrived: Arrivals::default(),
            left: 0,
        })
    }

    fn connect(&mut self, asked: Question, port: u16) -> Result<Attempt, ReachError> {
        let (namespace, range) = self.origin(asked.from);
        let Exchanged { sent, answered, failures, arrived } =
            self.listeners.ask(namespace, range, self.service, port)?;
        Ok(Attempt { asked, sent, answered, icmp: Vec::new(), failures, arrived, left: 0 })
    }

    /// The namespace, and its addresses; of a range the first is used.
    fn origin(&self, from: Origin) -> (&'a NetNs, Ipv4Net) {
        let topology = self.topology;
        match from {
            Origin::Client => (&topology.client, self.addresses.client_range),
            Origin::Node => (&topology.node, Ipv4Net::from(self.addresses.node_addr)),
        }
    }

    /// Of node, pods and outside.
    fn counters(&self) -> Result<[Counters; 3], ReachError> {
        let of = Counters::of;
        Ok([of(&self.topology.node)?, of(&self.topology.backend)?, of(&self.outside.namespace)?])
    }
}
