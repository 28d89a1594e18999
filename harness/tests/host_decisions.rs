//! Where the datapath sends each flow, written down by the exit and by the client's sink, on this kernel. Needs root.

use std::net::SocketAddrV4;

use lbcurve::backend::backend;
use lbcurve::net::Topology;
use lbcurve::probe::{Destinations, Instrument};
use lbcurve::result::{BackendKind, Bracket, Flow, Reached, count};
use lbcurve::run::decide::reached;
use lbcurve::traffic::{TrafficError, TrafficOrder};
use lbcurve::workload::{AddressPlan, Protocol, VipLayout, Workload, WorkloadSpec};

const FLOWS: u32 = 400;

fn workload(endpoints: u32, protocol: Protocol) -> Workload {
    let (layout, addresses) = (VipLayout::Sequential, AddressPlan::default());
    Workload::generate(&WorkloadSpec { services: 5, endpoints, layout, protocol, seed: 0, addresses }).expect("fits")
}

fn order(workload: &Workload, targets: Vec<SocketAddrV4>) -> TrafficOrder {
    let (flow, clients) = (Flow::New, workload.addresses.client_range);
    let protocol = workload.services[0].protocol;
    TrafficOrder { flow, protocol, targets, packets: FLOWS, first_flow: 70_000, seed: 3, clients }
}

/// What each flow to `targets` reaches with `kind` programmed.
fn decisions(kind: BackendKind, workload: &Workload, targets: Vec<SocketAddrV4>) -> Vec<Reached> {
    let topology = Topology::create(&workload.addresses).expect("needs root");
    topology.route_services(&workload.addresses).expect("a route");
    {
        let _inside = topology.node.enter().expect("the namespace is there");
        backend(kind).apply(workload).expect("applies");
    }
    let expected = Destinations { pods: workload.addresses.cluster_cidr, port: 8080 };
    let mut instrument =
        Instrument::attach_for_decisions(&topology, expected, Bracket::Tc, None, FLOWS).expect("attaches");
    let order = order(workload, targets);
    let too_many = TrafficOrder { packets: FLOWS + 1, ..order.clone() };
    assert!(matches!(instrument.decide(&too_many), Err(TrafficError::Decisions { most: FLOWS, .. })));
    // An order before it must leave nothing behind.
    let before = TrafficOrder { first_flow: 0, targets: vec![order.targets[0]], ..order.clone() };
    instrument.decide(&before).expect("decides");
    reached(workload, &order, &instrument.decide(&order).expect("decides"))
}

fn vips(workload: &Workload) -> Vec<SocketAddrV4> {
    workload.services.iter().map(|service| SocketAddrV4::new(service.vip, service.port)).collect()
}

const BALANCING: [BackendKind; 3] = [BackendKind::IptablesLegacy, BackendKind::IptablesNft, BackendKind::Nftables];

#[test]
fn every_flow_reaches_an_endpoint_of_its_service() {
    for (kind, protocol) in BALANCING.into_iter().zip([Protocol::Tcp, Protocol::Udp, Protocol::Tcp]) {
        let workload = workload(3, protocol);
        let reached = decisions(kind, &workload, vips(&workload));
        let counts: Vec<_> = (0..3).map(|index| count(&reached, Reached::Endpoint(index))).collect();
        assert_eq!(counts.iter().sum::<u32>(), FLOWS, "{kind:?}: {reached:?}");
        // Binomial: mean 133, standard deviation 9.4.
        assert!(counts.iter().all(|count| (70..200).contains(count)), "{kind:?}: {counts:?}");
    }
}

#[test]
fn every_flow_to_a_service_without_endpoints_is_rejected() {
    for (kind, protocol) in BALANCING.into_iter().zip([Protocol::Udp, Protocol::Tcp, Protocol::Udp]) {
        let workload = workload(0, protocol);
        let reached = decisions(kind, &workload, vips(&workload));
        assert_eq!(count(&reached, Reached::Rejected), FLOWS, "{kind:?}: {reached:?}");
    }
}

#[test]
fn what_no_service_takes_leaves_as_it_came() {
    let workload = workload(1, Protocol::Tcp);
    let unknown = SocketAddrV4::new([10, 64, 200, 200].into(), 80);
    let reached = decisions(BackendKind::DirectConntrack, &workload, vec![unknown]);
    assert_eq!(count(&reached, Reached::Untouched), FLOWS, "{reached:?}");
}

#[test]
fn what_is_dropped_is_lost() {
    let workload = workload(1, Protocol::Udp);
    // No route leads there: kernels answer with "network unreachable", which is a rejection too; the client's own range is not answered.
    let loopback = SocketAddrV4::new([127, 0, 0, 9].into(), 80);
    let reached = decisions(BackendKind::DirectConntrack, &workload, vec![loopback]);
    assert_eq!(count(&reached, Reached::Lost), FLOWS, "{reached:?}");
}
