//! The models of `datapath-sim`, programmed with lbcurve's services, and the packets for them.

use std::net::{Ipv4Addr, SocketAddrV4};

use datapath_sim::{
    Addresses, Datapath, DirectConntrack, Ebpf, Endpoint, EndpointChoice, Iptables, Ipvs, Nftables, Packet, Protocol,
    Scheduler, Service, Table,
};
use lbcurve::workload::{Service as Programmed, VipLayout, Workload};

use crate::workload;

/// Seed of everything that a model draws.
const SEED: u64 = 42;
/// Source ports of a client: those above the privileged ones.
const PORTS: u64 = 1 << 15;

/// A datapath with its services programmed and no flow seen, to be had again and again.
pub type Prototype = Box<dyn Fn() -> Box<dyn Datapath>>;

/// Which service a packet asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The first that was programmed.
    First,
    /// The last.
    Last,
    /// None: straight to a pod.
    Missing,
}

/// A model in one configuration.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    /// Its name in the benches.
    pub name: &'static str,
    /// Where it looks longest.
    pub worst: Place,
    layout: VipLayout,
    program: fn(Addresses, &[Service]) -> Prototype,
}

/// Every model. IPVS is there as kernels before 2026 have it, with VIPs that spread over its buckets and with VIPs that share one,
/// and with the resizable table that came then.
pub const MODELS: [Model; 8] = [
    Model {
        name: "direct-conntrack",
        worst: Place::Missing,
        layout: VipLayout::Sequential,
        program: |_, _| prototype(DirectConntrack::default()),
    },
    Model {
        name: "iptables",
        worst: Place::Last,
        layout: VipLayout::Sequential,
        program: |addresses, services| prototype(Iptables::new(addresses, services, SEED)),
    },
    Model {
        name: "ipvs",
        worst: Place::First,
        layout: VipLayout::Sequential,
        program: |addresses, services| prototype(Ipvs::new(addresses, services, Scheduler::Rr, Table::Fixed256, SEED)),
    },
    Model {
        name: "ipvs, VIPs 256 apart",
        worst: Place::First,
        layout: VipLayout::Stride256,
        program: |addresses, services| prototype(Ipvs::new(addresses, services, Scheduler::Rr, Table::Fixed256, SEED)),
    },
    Model {
        name: "ipvs, VIPs 256 apart, resizable table",
        worst: Place::First,
        layout: VipLayout::Stride256,
        program: |addresses, services| {
            let table = Table::Resizable { seed: SEED };
            prototype(Ipvs::new(addresses, services, Scheduler::Rr, table, SEED))
        },
    },
    Model {
        name: "nftables",
        worst: Place::Last,
        layout: VipLayout::Sequential,
        program: |addresses, services| prototype(Nftables::new(addresses, services, SEED)),
    },
    Model {
        name: "ebpf",
        worst: Place::Last,
        layout: VipLayout::Sequential,
        program: |_, services| prototype(ebpf(services, EndpointChoice::Random)),
    },
    Model {
        name: "ebpf, maglev",
        worst: Place::Last,
        layout: VipLayout::Sequential,
        program: |_, services| prototype(ebpf(services, EndpointChoice::Maglev)),
    },
];

fn ebpf(services: &[Service], choice: EndpointChoice) -> Ebpf {
    Ebpf::new(services, choice, SEED).expect("a Maglev table names two endpoints")
}

impl Model {
    /// The model with N services programmed, and where packets for `place` go.
    ///
    /// # Panics
    /// N does not fit the default address plan.
    #[must_use]
    pub fn with_services(&self, services: u32, place: Place) -> (Prototype, SocketAddrV4) {
        let workload = workload(services, self.layout);
        let programmed: Vec<_> = workload.services.iter().map(as_service).collect();
        ((self.program)(Addresses::default(), &programmed), destination(&workload, place))
    }
}

fn prototype(model: impl Datapath + Clone + 'static) -> Prototype {
    Box::new(move || Box::new(model.clone()))
}

fn as_service(service: &Programmed) -> Service {
    Service {
        address: SocketAddrV4::new(service.vip, service.port),
        protocol: Protocol::Tcp,
        endpoints: service
            .endpoints
            .iter()
            .map(|pod| Endpoint { address: SocketAddrV4::new(pod.addr, pod.port), weight: 1 })
            .collect(),
    }
}

#[expect(clippy::unwrap_used, reason = "a workload of the benches has services, and they have endpoints")]
fn destination(workload: &Workload, place: Place) -> SocketAddrV4 {
    let (first, last) = (workload.services.first().unwrap(), workload.services.last().unwrap());
    match place {
        Place::First => SocketAddrV4::new(first.vip, first.port),
        Place::Last => SocketAddrV4::new(last.vip, last.port),
        Place::Missing => SocketAddrV4::new(first.endpoints[0].addr, first.endpoints[0].port),
    }
}

/// The packet of a flow: no two flows below 2^31 share a client's address and port.
#[must_use]
pub fn packet(flow: u64, destination: SocketAddrV4) -> Packet {
    let client = u32::from(Ipv4Addr::new(10, 248, 0, 1)) + (flow / PORTS) as u32;
    let port = 1024 + (flow % PORTS) as u16;
    Packet { source: SocketAddrV4::new(client.into(), port), destination, protocol: Protocol::Tcp }
}

#[cfg(test)]
mod tests {
    use datapath_sim::Decision;

    use super::*;

    #[test]
    fn every_model_sends_a_packet_where_it_belongs() {
        for model in MODELS {
            for place in [Place::First, Place::Last, Place::Missing] {
                let (fresh, destination) = model.with_services(300, place);
                let outcome = fresh().process(&packet(7, destination));
                let balanced = matches!(outcome.decision, Decision::Endpoint(_));
                let expected = place != Place::Missing && model.name != "direct-conntrack";
                assert_eq!(balanced, expected, "{} {place:?}: {:?}", model.name, outcome.decision);
            }
        }
    }

    #[test]
    fn flows_have_clients_of_their_own() {
        let destination = SocketAddrV4::new([10, 64, 0, 10].into(), 80);
        let sources: std::collections::HashSet<_> =
            (0..3 * PORTS).map(|flow| packet(flow, destination).source).collect();
        assert_eq!(sources.len() as u64, 3 * PORTS);
    }
}
