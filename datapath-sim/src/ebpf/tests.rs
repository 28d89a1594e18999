use proptest::prelude::*;

use super::*;
use crate::Protocol;

fn services(n: u32, m: u32) -> Vec<Service> {
    let address = |base: u32, at: u32, port| SocketAddrV4::new(Ipv4Addr::from(base + at), port);
    let endpoint = |at| crate::Endpoint { address: address(0x0a80_0002, at, 8080), weight: 1 };
    let service = |at: u32| Service {
        address: address(0x0a40_000a, at, 80),
        protocol: Protocol::Tcp,
        endpoints: (at * m..(at + 1) * m).map(endpoint).collect(),
    };
    (0..n).map(service).collect()
}

fn to(destination: SocketAddrV4, port: u16) -> Packet {
    Packet { source: SocketAddrV4::new([10, 248, 0, 1].into(), port), destination, protocol: Protocol::Tcp }
}

#[test]
fn probes_do_not_depend_on_the_services() {
    for n in [1, 10, 1000] {
        for (choice, new) in [(EndpointChoice::Random, 5), (EndpointChoice::Maglev, 6)] {
            let services = services(n, 2);
            let mut node = Ebpf::new(&services, choice, 1).unwrap();
            let packet = to(services[n as usize - 1].address, 1000);
            // Service, connection, (slot,) endpoint, both directions remembered; then service and connection.
            let steps = node.process(&packet).steps;
            assert_eq!((steps.map_probes, steps.routes, steps.total()), (new, 1, new + 1));
            assert_eq!(node.process(&packet).steps.map_probes, 2);
        }
    }
}

#[test]
fn what_has_no_answer_is_rejected_and_pods_are_routed() {
    let mut services = services(3, 1);
    services[1].endpoints.clear();
    let mut node = Ebpf::new(&services, EndpointChoice::Maglev, 1).unwrap();
    let mut decide = |to_address: &str| node.process(&to(to_address.parse().unwrap(), 1000)).decision;
    assert_eq!(decide("10.64.0.11:80"), Decision::Reject, "no endpoints");
    assert_eq!(decide("10.64.0.10:81"), Decision::Reject, "no such port");
    assert_eq!(decide("10.128.0.2:8080"), Decision::Route, "a pod");
}

#[test]
fn maglev_gives_a_flow_the_same_endpoint_on_every_node() {
    let services = services(5, 7);
    let node = |seed| Ebpf::new(&services, EndpointChoice::Maglev, seed).unwrap();
    let (mut one, mut other) = (node(1), node(2));
    let mut reached = std::collections::HashSet::new();
    for port in 1024..1224 {
        let packet = to(services[3].address, port);
        let there = one.process(&packet).decision;
        assert_eq!(other.process(&packet).decision, there);
        reached.insert(there);
    }
    assert_eq!(reached.len(), 7);
}

#[test]
fn more_endpoints_than_a_slot_can_name_are_refused_where_a_table_is_wanted() {
    let services = services(1, 65_536);
    let refused = Ebpf::new(&services, EndpointChoice::Maglev, 1).expect_err("no slot can name the last");
    let (service, source) = (services[0].address, MaglevError::TooManyEndpoints);
    assert_eq!(refused, NoTable { service, endpoints: 65_536, source });
    assert!(Ebpf::new(&services, EndpointChoice::Random, 1).is_ok());
}

proptest! {
    #[test]
    fn every_flow_reaches_an_endpoint_of_its_service_and_stays(
        n in 1_u32..30, m in 1_u32..5, ask: prop::sample::Index, maglev: bool, seed: u64,
    ) {
        let services = services(n, m);
        let service = &services[ask.index(services.len())];
        let choice = if maglev { EndpointChoice::Maglev } else { EndpointChoice::Random };
        let mut node = Ebpf::new(&services, choice, seed).unwrap();
        let packet = to(service.address, 1000);
        let there = node.process(&packet);
        prop_assert!(service.endpoints.iter().any(|endpoint| Decision::Endpoint(endpoint.address) == there.decision));
        prop_assert_eq!(node.reply(&there.packet.reversed()).packet, packet.reversed());
        prop_assert_eq!(node.process(&packet).packet, there.packet);
    }
}
