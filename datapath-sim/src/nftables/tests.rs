use proptest::prelude::*;

use super::*;

fn services(n: u32, m: u32) -> Vec<Service> {
    let address = |base: u32, at: u32, port| SocketAddrV4::new(Ipv4Addr::from(base + at), port);
    let endpoint = |at| Endpoint { address: address(0x0a80_0002, at, 8080), weight: 1 };
    let service = |at: u32| Service {
        address: address(0x0a40_000a, at, 80),
        protocol: Protocol::Tcp,
        endpoints: (at * m..(at + 1) * m).map(endpoint).collect(),
    };
    (0..n).map(service).collect()
}

fn to(destination: SocketAddrV4) -> Packet {
    let source = SocketAddrV4::new(Ipv4Addr::new(10, 248, 0, 1), 1000);
    Packet { source, destination, protocol: Protocol::Tcp }
}

fn node(services: &[Service]) -> Nftables {
    Nftables::new(Addresses::default(), services, 1)
}

#[test]
fn a_new_flow_costs_the_same_whatever_the_services() {
    for n in [1, 10, 1000] {
        let services = services(n, 2);
        let steps = node(&services).process(&to(services[n as usize - 1].address)).steps;
        // pre-dnat 1, firewall-check 1; nat-prerouting 1, services 2, the service's chain 1; forward 2, service-endpoints-check 1,
        // cluster-ips-check 2; nat-postrouting 1, masquerading 2.
        assert_eq!((steps.rules, steps.chains), (14, 10));
        // firewall-ips, cluster-ips, service-ips, the endpoints' map, no-endpoint-services, cluster-ips, hairpin-connections.
        assert_eq!((steps.set_probes, steps.conntrack_probes, steps.routes), (7, 5, 1));
    }
}

#[test]
fn an_established_flow_meets_three_rules() {
    let services = services(10, 2);
    let (mut node, packet) = (node(&services), to(services[9].address));
    let there = node.process(&packet).packet;
    assert_eq!(node.reply(&there.reversed()).packet, packet.reversed());
    let steps = node.process(&packet).steps;
    assert_eq!((steps.rules, steps.chains, steps.set_probes, steps.conntrack_probes), (3, 2, 0, 1));
}

#[test]
fn vips_that_have_no_answer_are_rejected_and_unknown_ones_dropped() {
    let mut services = services(3, 1);
    services[1].endpoints.clear();
    let decide = |to_address: &str| node(&services).process(&to(to_address.parse().unwrap())).decision;
    assert_eq!(decide("10.64.0.11:80"), Decision::Reject, "no endpoints");
    assert_eq!(decide("10.64.0.10:81"), Decision::Reject, "no such port");
    assert_eq!(decide("10.64.9.9:80"), Decision::Drop, "no such VIP");
    assert_eq!(decide("10.128.0.2:8080"), Decision::Route, "a pod");
    assert_eq!(decide("192.168.100.1:80"), Decision::Route, "the node");
}

#[test]
fn what_comes_from_outside_the_cluster_is_masqueraded() {
    let services = services(1, 1);
    let mut node = node(&services);
    let source = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 7), 1000);
    let packet = Packet { source, ..to(services[0].address) };
    let there = node.process(&packet).packet;
    assert_eq!(*there.source.ip(), Addresses::default().node);
    assert_eq!(node.reply(&there.reversed()).packet, packet.reversed());
}

proptest! {
    #[test]
    fn every_flow_reaches_an_endpoint_of_its_service_and_stays(n in 1_u32..30, m in 1_u32..5, ask: prop::sample::Index, seed: u64) {
        let services = services(n, m);
        let service = &services[ask.index(services.len())];
        let mut node = Nftables::new(Addresses::default(), &services, seed);
        let packet = to(service.address);
        let there = node.process(&packet);
        prop_assert!(service.endpoints.iter().any(|endpoint| Decision::Endpoint(endpoint.address) == there.decision));
        prop_assert_eq!(node.reply(&there.packet.reversed()).packet, packet.reversed());
        prop_assert_eq!(node.process(&packet).packet, there.packet);
    }
}
