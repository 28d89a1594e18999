use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};

use proptest::prelude::*;

use super::*;
use crate::{Endpoint, Protocol};

/// `n` services with `m` endpoints each at 10.64.0.10 and on; the client is in the cluster.
fn services(n: u32, m: u32) -> Vec<Service> {
    let address = |base: [u8; 4], at: u32, port| SocketAddrV4::new(Ipv4Addr::from(u32::from_be_bytes(base) + at), port);
    let endpoint = |at| Endpoint { address: address([10, 128, 0, 2], at, 8080), weight: 1 };
    let endpoints = |service: u32| (service * m..(service + 1) * m).map(endpoint).collect();
    let service =
        |at| Service { address: address([10, 64, 0, 10], at, 80), protocol: Protocol::Udp, endpoints: endpoints(at) };
    (0..n).map(service).collect()
}

fn to(destination: SocketAddrV4, port: u16) -> Packet {
    let source = SocketAddrV4::new(Ipv4Addr::new(10, 248, 0, 1), port);
    Packet { source, destination, protocol: Protocol::Udp }
}

fn node(services: &[Service]) -> Iptables {
    Iptables::new(Addresses::default(), services, 1)
}

#[test]
fn a_new_flow_to_the_only_service_visits_what_can_be_counted_by_hand() {
    let services = services(1, 1);
    let steps = node(&services).process(&to(services[0].address, 1000)).steps;
    // nat PREROUTING 1, KUBE-SERVICES 1, KUBE-SVC 2, KUBE-SEP 2; filter FORWARD 4, KUBE-FORWARD 3; nat POSTROUTING 1,
    // KUBE-POSTROUTING 1.
    assert_eq!(steps.rules, 6 + 7 + 2);
    // PREROUTING, KUBE-SERVICES, KUBE-SVC, KUBE-SEP; FORWARD, KUBE-PROXY-FIREWALL, KUBE-FORWARD, KUBE-SERVICES,
    // KUBE-EXTERNAL-SERVICES; POSTROUTING, KUBE-POSTROUTING.
    assert_eq!(steps.chains, 11);
    // Looked up, both translations free, confirmed in both directions.
    assert_eq!((steps.conntrack_probes, steps.routes), (5, 1));
    assert_eq!(steps.total(), 15 + 11 + 5 + 1);
}

#[test]
fn an_established_flow_visits_the_filter_table_only() {
    let services = services(100, 2);
    let (mut node, packet) = (node(&services), to(services[99].address, 1000));
    let there = node.process(&packet).packet;
    let back = node.reply(&there.reversed());
    assert_eq!((back.decision, back.packet), (Decision::Route, packet.reversed()));
    let again = node.process(&packet);
    assert_eq!((again.decision, again.packet), (Decision::Endpoint(there.destination), there));
    // FORWARD 1 (NEW does not match), jump, KUBE-FORWARD 3 of which the last accepts.
    assert_eq!((again.steps.rules, again.steps.chains, again.steps.conntrack_probes), (5, 2, 1));
}

#[test]
fn a_rule_more_for_each_service_before() {
    let services = services(1000, 2);
    // One node for all flows, so that each draws anew: the second endpoint costs a rule more, since the first is asked for before.
    let rules = |at: usize| -> BTreeSet<u64> {
        let mut node = node(&services);
        (0..64).map(|port| node.process(&to(services[at].address, 1000 + port)).steps.rules).collect()
    };
    let first = *rules(0).first().unwrap();
    assert_eq!(rules(0), [first, first + 1].into());
    assert_eq!(rules(999), [first + 999, first + 1000].into());
}

#[test]
fn a_service_without_endpoints_is_rejected_by_the_filter_table() {
    let mut services = services(3, 1);
    services[1].endpoints.clear();
    let mut node = node(&services);
    let packet = to(services[1].address, 1000);
    let outcome = node.process(&packet);
    assert_eq!((outcome.decision, outcome.packet), (Decision::Reject, packet));
    // Nothing is remembered of it.
    assert_eq!(node.process(&packet).steps, outcome.steps);
}

#[test]
fn another_port_of_a_vip_is_routed() {
    let services = services(2, 1);
    let mut destination = services[0].address;
    destination.set_port(81);
    assert_eq!(node(&services).process(&to(destination, 1000)).decision, Decision::Route);
}

#[test]
fn a_packet_for_the_node_meets_no_rule_after_routing() {
    let node_itself = SocketAddrV4::new(Addresses::default().node, 22);
    let outcome = node(&[]).process(&to(node_itself, 1000));
    assert_eq!(outcome.decision, Decision::Route);
    // PREROUTING 1, KUBE-SERVICES 1, its jump to KUBE-NODEPORTS; INPUT 4, KUBE-FIREWALL 1.
    assert_eq!((outcome.steps.rules, outcome.steps.chains), (7, 8));
}

#[test]
fn what_comes_from_outside_the_cluster_or_from_the_endpoint_itself_is_masqueraded() {
    let services = services(1, 1);
    for source in [Ipv4Addr::new(203, 0, 113, 7), *services[0].endpoints[0].address.ip()] {
        let mut node = node(&services);
        let packet = Packet { source: SocketAddrV4::new(source, 1000), ..to(services[0].address, 0) };
        let there = node.process(&packet);
        assert_eq!(there.packet.source.ip(), &Addresses::default().node);
        assert_eq!(node.reply(&there.packet.reversed()).packet, packet.reversed());
    }
}

#[test]
fn ballast_stands_after_every_so_many_services() {
    let services = services(100, 1);
    let rules = |ballast| {
        let mut node = Iptables::with_ballast(Addresses::default(), &services, NonZeroU32::new(ballast), 1);
        node.process(&to(services[99].address, 1000)).steps.rules
    };
    assert_eq!(rules(32), rules(0) + 3);
}

/// Every rule compared one by one: what `next` must not change.
struct Literal(RuleSet);

impl Rules for Literal {
    fn len(&self, table: TableName, chain: Chain) -> usize {
        self.0.len(table, chain)
    }

    fn rule(&self, table: TableName, chain: Chain, at: usize) -> Rule {
        self.0.rule(table, chain, at)
    }

    fn is_local(&self, address: Ipv4Addr) -> bool {
        self.0.is_local(address)
    }
}

proptest! {
    #[test]
    fn every_flow_reaches_an_endpoint_of_its_service_and_stays(n in 1_u32..30, m in 1_u32..5, ask: prop::sample::Index, seed: u64) {
        let services = services(n, m);
        let service = &services[ask.index(services.len())];
        let mut node = Iptables::new(Addresses::default(), &services, seed);
        let packet = to(service.address, 1000);
        let there = node.process(&packet);
        prop_assert!(service.endpoints.iter().any(|endpoint| Decision::Endpoint(endpoint.address) == there.decision));
        prop_assert_eq!(node.reply(&there.packet.reversed()).packet, packet.reversed());
        prop_assert_eq!(node.process(&packet).packet, there.packet);
    }

    #[test]
    fn skipping_what_cannot_match_counts_what_a_literal_walk_counts(
        n in 1_u32..40, m in 0_u32..4, vip in 0_u32..45, port in 79_u16..82, ballast in 0_u32..5, seed: u64,
    ) {
        let mut services = services(n, m);
        services.iter_mut().skip(1).step_by(3).for_each(|service| service.endpoints.clear());
        let packet = to(SocketAddrV4::new(Ipv4Addr::from(0x0a40_000a + vip), port), 1000);
        let rules = RuleSet::new(Addresses::default(), &services, NonZeroU32::new(ballast));
        let walk = |random: &mut Random| {
            let (mut conntrack, literal) = (Conntrack::default(), Literal(rules.clone()));
            let mut walk = Walk::enter(&literal, &mut conntrack, random, &packet);
            walk.prerouting();
            let verdict = walk.route_and_filter();
            (verdict, walk.steps)
        };
        let mut conntrack = Conntrack::default();
        let mut random = Random::new(seed);
        let mut quick = Walk::enter(&rules, &mut conntrack, &mut random, &packet);
        quick.prerouting();
        let verdict = quick.route_and_filter();
        let quick = (verdict, quick.steps);
        prop_assert_eq!(quick, walk(&mut Random::new(seed)));
    }
}
