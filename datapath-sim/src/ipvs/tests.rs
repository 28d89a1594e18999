use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::{Endpoint, Protocol};

fn services(n: u32, m: u32, stride: u32) -> Vec<Service> {
    let address = |base: u32, at: u32, port| SocketAddrV4::new(Ipv4Addr::from(base + at), port);
    let endpoint = |at| Endpoint { address: address(0x0a80_0002, at, 8080), weight: 1 };
    let service = |at: u32| Service {
        address: address(0x0a40_000a, at * stride, 80),
        protocol: Protocol::Udp,
        endpoints: (at * m..(at + 1) * m).map(endpoint).collect(),
    };
    (0..n).map(service).collect()
}

fn to(destination: SocketAddrV4) -> Packet {
    let source = SocketAddrV4::new(Ipv4Addr::new(10, 248, 0, 1), 1000);
    Packet { source, destination, protocol: Protocol::Udp }
}

fn node(services: &[Service], table: Table) -> Ipvs {
    Ipvs::new(Addresses::default(), services, Scheduler::Rr, table, 1)
}

#[test]
fn a_new_flow_visits_what_can_be_counted_by_hand() {
    let services = services(1, 2, 1);
    let steps = node(&services, Table::Fixed256).process(&to(services[0].address)).steps;
    // PREROUTING 1, KUBE-SERVICES 4; INPUT 3, KUBE-IPVS-FILTER 2, KUBE-NODE-PORT 1; OUTPUT 1; POSTROUTING 1, KUBE-POSTROUTING 1.
    assert_eq!(steps.rules, 14);
    // PREROUTING, KUBE-SERVICES, KUBE-NODE-PORT; INPUT, KUBE-IPVS-FILTER, KUBE-PROXY-FIREWALL, KUBE-NODE-PORT; OUTPUT,
    // KUBE-IPVS-OUT-FILTER; POSTROUTING, KUBE-POSTROUTING.
    assert_eq!(steps.chains, 11);
    // KUBE-CLUSTER-IP in the nat table; KUBE-LOAD-BALANCER, KUBE-CLUSTER-IP and the health check's in the filter table.
    assert_eq!(steps.set_probes, 4);
    // As an answer, then as a request, in an empty table; one service in its bucket, the first destination taken.
    assert_eq!((steps.connection_probes, steps.connection_entries), (2, 0));
    assert_eq!((steps.service_probes, steps.service_entries, steps.destinations), (1, 1, 1));
    assert_eq!((steps.conntrack_probes, steps.routes), (5, 1));
}

#[test]
fn an_established_flow_asks_neither_nat_nor_services() {
    let services = services(1000, 2, 256);
    let (mut node, packet) = (node(&services, Table::Fixed256), to(services[0].address));
    let there = node.process(&packet);
    assert_eq!(there.steps.service_entries, 1000);
    let back = node.reply(&there.packet.reversed());
    assert_eq!((back.decision, back.packet), (Decision::Route, packet.reversed()));
    let again = node.process(&packet);
    assert_eq!((again.decision, again.packet), (there.decision, there.packet));
    // INPUT 3, KUBE-IPVS-FILTER 2, KUBE-NODE-PORT 1; OUTPUT 1.
    assert_eq!((again.steps.rules, again.steps.service_probes, again.steps.connection_probes), (7, 0, 2));
}

#[test]
fn growth_is_that_of_the_bucket() {
    let entries = |n, stride, table| {
        let services = services(n, 1, stride);
        node(&services, table).process(&to(services[0].address)).steps.service_entries
    };
    assert_eq!([1, 256, 1000, 10_000].map(|n| entries(n, 1, Table::Fixed256)), [1, 1, 4, 40]);
    assert_eq!([1, 256, 1000, 10_000].map(|n| entries(n, 256, Table::Fixed256)), [1, 256, 1000, 10_000]);
    assert!(entries(10_000, 256, Table::Resizable { seed: 5 }) < 5);
}

#[test]
fn what_has_no_answer_is_rejected_and_pods_are_routed() {
    let mut services = services(3, 1, 1);
    services[1].endpoints.clear();
    let mut node = node(&services, Table::Fixed256);
    let mut decide = |to_address: &str| node.process(&to(to_address.parse().unwrap())).decision;
    assert_eq!(decide("10.64.0.11:80"), Decision::Reject, "no endpoints");
    assert_eq!(decide("10.64.0.10:81"), Decision::Reject, "no such port");
    assert_eq!(decide("10.64.9.9:80"), Decision::Route, "no such VIP");
    assert_eq!(decide("10.128.0.2:8080"), Decision::Route, "a pod");
    assert_eq!(decide("192.168.100.1:80"), Decision::Route, "the node");
}

#[test]
fn ipvs_leaves_to_the_node_what_comes_from_ftps_data_port() {
    let services = services(1, 1, 1);
    let mut node = node(&services, Table::Fixed256);
    let packet = to(services[0].address);
    let from = |port| Packet { source: SocketAddrV4::new(*packet.source.ip(), port), ..packet };
    assert_eq!(node.process(&from(20)).decision, Decision::Route);
    assert_eq!(node.process(&from(22)).decision, Decision::Endpoint(services[0].endpoints[0].address));
}

#[test]
fn what_comes_from_outside_the_cluster_is_masqueraded() {
    let services = services(1, 1, 1);
    let mut node = node(&services, Table::Fixed256);
    let packet = Packet { source: SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 7), 1000), ..to(services[0].address) };
    let there = node.process(&packet);
    assert_eq!(*there.packet.source.ip(), Addresses::default().node);
    assert_eq!(there.steps.service_probes, 2, "a marked packet looks for a service by its mark first");
    assert_eq!(node.reply(&there.packet.reversed()).packet, packet.reversed());
    assert_eq!(node.process(&packet).packet, there.packet);
}

#[test]
fn connections_are_counted_on_the_endpoint_that_was_added_last_first() {
    let services = services(1, 3, 1);
    let mut node = node(&services, Table::Fixed256);
    for port in 1000..1004 {
        let source = SocketAddrV4::new(Ipv4Addr::new(10, 248, 0, 1), port);
        node.process(&Packet { source, ..to(services[0].address) });
    }
    let counts: Vec<_> =
        node.connections(0).into_iter().map(|(to, active, idle)| (to.ip().octets()[3], active, idle)).collect();
    assert_eq!(counts, [(4, 0, 2), (3, 0, 1), (2, 0, 1)]);
}

proptest! {
    #[test]
    fn every_flow_reaches_an_endpoint_of_its_service_and_stays(
        n in 1_u32..30, m in 1_u32..5, ask: prop::sample::Index, at in 0..9_usize, fixed: bool, seed: u64,
    ) {
        let services = services(n, m, 256);
        let service = &services[ask.index(services.len())];
        let table = if fixed { Table::Fixed256 } else { Table::Resizable { seed } };
        let mut node = Ipvs::new(Addresses::default(), &services, Scheduler::ALL[at], table, seed);
        let packet = to(service.address);
        let there = node.process(&packet);
        prop_assert!(service.endpoints.iter().any(|endpoint| Decision::Endpoint(endpoint.address) == there.decision));
        prop_assert_eq!(node.reply(&there.packet.reversed()).packet, packet.reversed());
        prop_assert_eq!(node.process(&packet).packet, there.packet);
    }
}
