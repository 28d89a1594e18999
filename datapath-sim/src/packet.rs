//! What goes in and what comes out.

use std::net::SocketAddrV4;

use crate::Steps;

/// Transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP; the first packet of a flow is a SYN.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// Its number in the IP header.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

/// A packet's 5-tuple. Whether it opens a flow or belongs to one is what the datapath's own connection table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Packet {
    /// Source address and port.
    pub source: SocketAddrV4,
    /// Destination address and port.
    pub destination: SocketAddrV4,
    /// Transport protocol.
    pub protocol: Protocol,
}

impl Packet {
    /// The answer to it.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self { source: self.destination, destination: self.source, protocol: self.protocol }
    }
}

/// An endpoint of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Pod address and port.
    pub address: SocketAddrV4,
    /// Weight, for the schedulers that know one; kube-proxy sets 1. A weight of 0 takes no new flows.
    pub weight: u32,
}

/// A ClusterIP service port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    /// VIP and port.
    pub address: SocketAddrV4,
    /// Transport protocol.
    pub protocol: Protocol,
    /// Endpoints in order of creation. Without any, packets are rejected.
    pub endpoints: Vec<Endpoint>,
}

/// What a datapath did with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// Sent to an endpoint of a service.
    Endpoint(SocketAddrV4),
    /// Routed on to where it was addressed: no service's, or the answer of an endpoint.
    Route,
    /// Answered with an ICMP error.
    Reject,
    /// Dropped in silence.
    Drop,
}

/// A decision, the packet as it left, and what that took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// What was done.
    pub decision: Decision,
    /// The packet after NAT; as it came where it was rejected or dropped.
    pub packet: Packet,
    /// What was counted.
    pub steps: Steps,
}

/// A node's datapath: its services, and the flows that it has seen.
pub trait Datapath {
    /// Takes a packet from the clients' side.
    fn process(&mut self, packet: &Packet) -> Outcome;

    /// Takes a packet from the pods' side. Where it answers a flow of a service, it leaves under the service's address.
    fn reply(&mut self, packet: &Packet) -> Outcome;
}
