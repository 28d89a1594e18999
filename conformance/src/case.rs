//! Random workloads: few services with what makes datapaths differ, and packets for every kind of destination.

use std::net::{Ipv4Addr, SocketAddrV4};

use datapath_common::flow::{PORTS_PER_CLIENT, client_of, target_of};
use datapath_sim::{Endpoint, Packet, Protocol, Service};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// First client address of lbcurve's address plan.
const CLIENT_BASE: Ipv4Addr = Ipv4Addr::new(10, 248, 0, 1);
/// Client addresses that a case may use: cases of one namespace never share one, so no 5-tuple comes twice.
pub const CLIENTS_A_CASE: u32 = 64;
/// Pods that a case may use, likewise: IPVS remembers destinations that still have connections.
const PODS_A_CASE: u32 = 1024;
const FIRST_POD: u32 = 0x0a80_0002;
const FIRST_VIP: u32 = 0x0a40_000a;
/// VIPs are drawn from as many addresses.
const VIPS: u32 = 1 << 20;

/// How large a case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Most services.
    pub services: u32,
    /// Most endpoints of a service.
    pub endpoints: u32,
    /// Orders of each protocol, each from a client address of its own: at most half of [`CLIENTS_A_CASE`].
    pub orders: u32,
    /// Flows of an order.
    pub flows: u32,
    /// Endpoints weigh 1 to this.
    pub weights: u32,
}

/// A random workload and what is asked of it. The same arguments make the same case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Services in order of programming.
    pub services: Vec<Service>,
    /// What is asked, in this order.
    pub orders: Vec<Order>,
}

/// Flows from one client address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Protocol of its packets.
    pub protocol: Protocol,
    /// Where to: each flow draws one by its number and the seed.
    pub targets: Vec<SocketAddrV4>,
    /// Flows.
    pub flows: u32,
    /// Number of the first.
    pub first_flow: u64,
    /// Seed of the draws.
    pub seed: u64,
}

impl Order {
    /// The first packet of each flow, in order.
    pub fn packets(&self) -> impl Iterator<Item = Packet> + '_ {
        let targets = u32::try_from(self.targets.len()).unwrap_or(u32::MAX);
        (self.first_flow..).take(self.flows as usize).map(move |flow| {
            let (client, port) = client_of(flow, CLIENT_BASE.to_bits());
            let destination = self.targets[target_of(flow, self.seed, targets) as usize];
            Packet { source: SocketAddrV4::new(client.into(), port), destination, protocol: self.protocol }
        })
    }
}

impl Case {
    /// The case of a seed. `index` counts the cases of one namespace: it sets pods and clients apart.
    #[must_use]
    pub fn random(seed: u64, index: u32, shape: Shape) -> Self {
        let mut draw = Draw(ChaCha20Rng::seed_from_u64(seed));
        let services = services(&mut draw, index, shape);
        let mut orders = Vec::new();
        for at in 0..shape.orders {
            for (protocol, half) in [(Protocol::Tcp, 0), (Protocol::Udp, 1)] {
                let client = u64::from(index * CLIENTS_A_CASE + (2 * at + half) % CLIENTS_A_CASE);
                let targets = targets(&mut draw, &services, protocol);
                let first_flow = client * PORTS_PER_CLIENT + u64::from(draw.below(1_000));
                orders.push(Order { protocol, targets, flows: shape.flows, first_flow, seed: draw.0.next_u64() });
            }
        }
        Self { services, orders }
    }

    /// Every endpoint, in the order of services.
    #[must_use]
    pub fn endpoints(&self) -> Vec<SocketAddrV4> {
        self.services.iter().flat_map(|service| &service.endpoints).map(|endpoint| endpoint.address).collect()
    }
}

/// Draws of small numbers.
struct Draw(ChaCha20Rng);

impl Draw {
    /// One of 0..`bound`, by multiply-shift.
    fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    fn one_of<const N: usize, T: Copy>(&mut self, values: [T; N]) -> T {
        values[self.below(N as u32) as usize]
    }

    /// True in `per_cent` of a hundred.
    fn chance(&mut self, per_cent: u32) -> bool {
        self.below(100) < per_cent
    }
}

fn services(draw: &mut Draw, index: u32, shape: Shape) -> Vec<Service> {
    let mut services: Vec<Service> = Vec::new();
    let mut pods = 0;
    let stride = draw.one_of([1, 1, 256, 7]);
    let first = FIRST_VIP + draw.below(VIPS);
    for at in 0..1 + draw.below(shape.services) {
        let (address, protocol) = portal(draw, &services, Ipv4Addr::from(first + at * stride));
        // One in seven has none: it is rejected.
        let count = if draw.chance(15) { 0 } else { 1 + draw.below(shape.endpoints) };
        // Weights follow addresses. Two apart they share a divisor, or differ by two.
        let apart = if shape.weights > 1 && draw.chance(50) { 2 } else { 1 };
        let count = count.min((PODS_A_CASE - pods) / apart);
        let port = draw.one_of([8080, 80, 9376, 53]);
        let place = |pod| index * PODS_A_CASE + pods + apart * pod;
        let endpoints = (0..count).map(|pod| endpoint(place(pod), port, shape.weights)).collect();
        // An odd number now and then, so that the next begins at either.
        pods = (pods + apart * count + u32::from(apart > 1 && draw.chance(50))).min(PODS_A_CASE);
        services.push(Service { address, protocol, endpoints });
    }
    services
}

/// A VIP, port and protocol that no service has: sometimes another port or protocol of the service before.
fn portal(draw: &mut Draw, services: &[Service], vip: Ipv4Addr) -> (SocketAddrV4, Protocol) {
    let protocol = draw.one_of([Protocol::Tcp, Protocol::Udp]);
    let taken = |address, protocol| services.iter().any(|s| (s.address, s.protocol) == (address, protocol));
    if let Some(before) = services.last().filter(|_| draw.chance(20)) {
        let mut address = before.address;
        if draw.chance(50) {
            address.set_port(1 + draw.below(30_000) as u16);
        }
        let other = if before.protocol == Protocol::Tcp { Protocol::Udp } else { Protocol::Tcp };
        if !taken(address, other) {
            return (address, other);
        }
    }
    let port = draw.one_of([80, 443, 53, 8443]);
    let port = if draw.chance(30) { 1 + draw.below(60_000) as u16 } else { port };
    (SocketAddrV4::new(vip, port), protocol)
}

fn endpoint(pod: u32, port: u16, weights: u32) -> Endpoint {
    let address = FIRST_POD + pod;
    Endpoint { address: SocketAddrV4::new(address.into(), port), weight: 1 + address % weights.max(1) }
}

/// All services of the protocol, most of them twice, and what is none: another port, the other protocol's, an unknown VIP, a pod.
fn targets(draw: &mut Draw, services: &[Service], protocol: Protocol) -> Vec<SocketAddrV4> {
    let mut targets: Vec<_> = services.iter().map(|service| service.address).collect();
    targets.extend(services.iter().filter(|service| service.protocol == protocol).map(|service| service.address));
    targets.extend(services.iter().filter(|service| service.protocol == protocol).map(|service| service.address));
    let any = services[draw.below(services.len() as u32) as usize].clone();
    targets.push(SocketAddrV4::new(*any.address.ip(), any.address.port() ^ 0x4000));
    targets.push(SocketAddrV4::new(Ipv4Addr::from(FIRST_VIP + 2 * VIPS + draw.below(1_000)), 80));
    targets.extend(any.endpoints.first().map(|endpoint| endpoint.address));
    targets
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const SHAPE: Shape = Shape { services: 12, endpoints: 5, orders: 2, flows: 50, weights: 4 };

    #[test]
    fn a_seed_makes_one_case_and_another_seed_another() {
        assert_eq!(Case::random(1, 0, SHAPE), Case::random(1, 0, SHAPE));
        assert_ne!(Case::random(1, 0, SHAPE), Case::random(2, 0, SHAPE));
    }

    #[test]
    fn cases_hold_what_datapaths_differ_in() {
        let cases: Vec<_> = (0..100).map(|seed| Case::random(seed, seed as u32, SHAPE)).collect();
        let services = || cases.iter().flat_map(|case| &case.services);
        assert!(services().any(|service| service.endpoints.is_empty()));
        assert!(services().any(|service| service.endpoints.len() > 3));
        assert!(services().any(|service| service.protocol == Protocol::Udp));
        assert!(services().flat_map(|service| &service.endpoints).any(|endpoint| endpoint.weight == 3));
        let even = |service: &&Service| service.endpoints.iter().all(|endpoint| endpoint.weight.is_multiple_of(2));
        let differ = |service: &Service| service.endpoints.iter().any(|it| it.weight != service.endpoints[0].weight);
        assert!(services().filter(even).any(differ), "weights with a common divisor, not all alike");
        let shares = |case: &Case| case.services.windows(2).any(|pair| pair[0].address.ip() == pair[1].address.ip());
        assert!(cases.iter().any(shares));
    }

    #[test]
    fn no_tuple_pod_or_portal_comes_twice() {
        let (mut tuples, mut pods) = (HashSet::new(), HashSet::new());
        for index in 0..40 {
            let case = Case::random(u64::from(index), index, SHAPE);
            assert!(case.endpoints().into_iter().all(|pod| pods.insert(pod)));
            let mut portals = HashSet::new();
            assert!(case.services.iter().all(|service| portals.insert((service.address, service.protocol))));
            let mut packets = case.orders.iter().flat_map(Order::packets);
            assert!(packets.all(|packet| tuples.insert((packet.source, packet.protocol))));
        }
    }
}
