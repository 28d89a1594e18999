//! lbcurve's own eBPF load balancer: the source of its decisions is that of the eBPF programs (`datapath_common::balancer`), compiled for
//! user space, over tables that count.
//!
//! A map is a hash table or an array that is not walked, so each call is one probe; a flow that is remembered takes two, one for each direction.
//! The node has no connection tracking and no rules: what else is counted is the route. At tc and as XDP the decisions are the
//! same, so one model stands for both. The connection map's limit is not modelled: no flow is ever forgotten.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

use datapath_common::balancer::maglev::{MaglevError, SLOTS_AN_ELEMENT, Turn, build, size_for};
use datapath_common::balancer::{self, ConnectionKey, ServiceKey, Tables, V4, balance};

use crate::random::Random;
use crate::table::{HashMap, map_for};
use crate::{Datapath, Decision, Outcome, Packet, Service, Steps};

type Endpoint = balancer::Endpoint<V4>;

// What documents it here, a schema describes it with.
/// How the eBPF load balancer chooses an endpoint for a new flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(
    feature = "names",
    derive(clap::ValueEnum, schemars::JsonSchema, serde::Deserialize, serde::Serialize),
    serde(rename_all = "kebab-case")
)]
pub enum EndpointChoice {
    /// A uniform draw.
    #[default]
    Random,
    /// By the flow's hash in a Maglev table.
    Maglev,
}

impl EndpointChoice {
    /// Whether it is what is chosen where nothing is asked for.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A service whose Maglev table cannot be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoTable {
    /// VIP and port.
    pub service: SocketAddrV4,
    /// How many endpoints it has.
    pub endpoints: usize,
    /// Why.
    pub source: MaglevError,
}

impl fmt::Display for NoTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, endpoints, source } = self;
        write!(f, "{service} cannot have a Maglev table of its {endpoints} endpoints: {source}")
    }
}

impl std::error::Error for NoTable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// A node with the eBPF load balancer.
#[derive(Debug, Clone)]
pub struct Ebpf {
    maps: Maps,
}

/// The programs' maps, and what is counted of their use.
#[derive(Debug, Clone)]
struct Maps {
    services: HashMap<ServiceKey<V4>, balancer::Service>,
    endpoints: Vec<Endpoint>,
    slots: Vec<u16>,
    connections: HashMap<ConnectionKey<V4>, Endpoint>,
    replies: HashMap<ConnectionKey<V4>, Endpoint>,
    random: Random,
    probes: u64,
}

impl Ebpf {
    /// A node with `services`. `seed` rules what `bpf_get_prandom_u32` draws. Of services at one address the first is programmed.
    ///
    /// # Errors
    /// A service has more endpoints than a Maglev table can name, and `choice` wants one.
    pub fn new(services: &[Service], choice: EndpointChoice, seed: u64) -> Result<Self, NoTable> {
        let mut maps = Maps {
            services: map_for(2 * services.len()),
            endpoints: Vec::new(),
            slots: Vec::new(),
            connections: HashMap::default(),
            replies: HashMap::default(),
            random: Random::new(seed),
            probes: 0,
        };
        services.iter().try_for_each(|service| maps.add(service, choice))?;
        Ok(Self { maps })
    }
}

impl Maps {
    fn add(&mut self, service: &Service, choice: EndpointChoice) -> Result<(), NoTable> {
        let vip = V4::new(service.address.ip().octets());
        let key = ServiceKey::new(vip, service.address.port().to_be(), service.protocol.number());
        if self.services.contains_key(&key) {
            return Ok(());
        }
        let first = self.endpoints.len();
        self.endpoints.extend(service.endpoints.iter().map(|endpoint| on_the_wire(endpoint.address)));
        let (table, slots) = match choice {
            EndpointChoice::Maglev if !service.endpoints.is_empty() => {
                let refused = |source| NoTable { service: service.address, endpoints: service.endpoints.len(), source };
                self.add_table(first).map_err(refused)?
            }
            _ => (0, 0),
        };
        let (first, count) = (number(first), number(service.endpoints.len()));
        self.services.insert(key, balancer::Service { first, count, table, slots });
        self.services.entry(ServiceKey::wildcard(vip)).or_default();
        Ok(())
    }

    /// The Maglev table of the endpoints from `first` on: where it begins, and its slots.
    fn add_table(&mut self, first: usize) -> Result<(u32, u32), MaglevError> {
        let endpoints = &self.endpoints[first..];
        let begin = self.slots.len().next_multiple_of(SLOTS_AN_ELEMENT as usize);
        let size = size_for(number(endpoints.len()));
        self.slots.resize(begin + size as usize, 0);
        let mut turns = vec![Turn::default(); endpoints.len()];
        build(endpoints, &mut turns, &mut self.slots[begin..])?;
        Ok((number(begin), size))
    }

    fn steps(&mut self) -> Steps {
        Steps { map_probes: std::mem::take(&mut self.probes), ..Steps::default() }
    }
}

impl Tables<V4> for Maps {
    fn service(&mut self, key: &ServiceKey<V4>) -> Option<balancer::Service> {
        self.probes += 1;
        self.services.get(key).copied()
    }

    fn endpoint(&mut self, index: u32) -> Option<Endpoint> {
        self.probes += 1;
        self.endpoints.get(index as usize).copied()
    }

    fn slot(&mut self, index: u32) -> Option<u16> {
        self.probes += 1;
        self.slots.get(index as usize).copied()
    }

    fn connection(&mut self, flow: &ConnectionKey<V4>) -> Option<Endpoint> {
        self.probes += 1;
        self.connections.get(flow).copied()
    }

    fn insert(&mut self, flow: &ConnectionKey<V4>, endpoint: &Endpoint, reply: &ConnectionKey<V4>) -> bool {
        self.probes += 2;
        self.connections.insert(*flow, *endpoint);
        self.replies.insert(*reply, flow.destination());
        true
    }

    fn random(&mut self) -> u32 {
        self.random.next_u32()
    }
}

impl Datapath for Ebpf {
    fn process(&mut self, packet: &Packet) -> Outcome {
        let decided = balance(&mut self.maps, &key(packet));
        let mut steps = self.maps.steps();
        let (decision, packet) = match decided {
            balancer::Decision::Reject => return Outcome { decision: Decision::Reject, packet: *packet, steps },
            balancer::Decision::Drop => return Outcome { decision: Decision::Drop, packet: *packet, steps },
            balancer::Decision::Pass => (Decision::Route, *packet),
            balancer::Decision::Forward(endpoint) => {
                let destination = from_the_wire(endpoint);
                (Decision::Endpoint(destination), Packet { destination, ..*packet })
            }
        };
        steps.routes = 1;
        Outcome { decision, packet, steps }
    }

    fn reply(&mut self, packet: &Packet) -> Outcome {
        let vip = self.maps.replies.get(&key(packet)).copied();
        let source = vip.map_or(packet.source, from_the_wire);
        let steps = Steps { map_probes: 1, routes: 1, ..Steps::default() };
        Outcome { decision: Decision::Route, packet: Packet { source, ..*packet }, steps }
    }
}

fn key(packet: &Packet) -> ConnectionKey<V4> {
    let Packet { source, destination, protocol } = *packet;
    ConnectionKey {
        src: V4::new(source.ip().octets()),
        dst: V4::new(destination.ip().octets()),
        src_port_be: source.port().to_be(),
        dst_port_be: destination.port().to_be(),
        protocol: u32::from(protocol.number()),
    }
}

fn on_the_wire(address: SocketAddrV4) -> Endpoint {
    Endpoint::new(V4::new(address.ip().octets()), address.port().to_be())
}

fn from_the_wire(endpoint: Endpoint) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from(endpoint.addr.octets()), u16::from_be(endpoint.port_be))
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
