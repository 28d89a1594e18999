//! Needs root: the three namespaces of a cell carry packets and leave nothing behind.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use lbcurve::net::{NetNs, Topology};
use lbcurve::workload::AddressPlan;

fn addresses() -> AddressPlan {
    AddressPlan {
        cluster_cidr: "10.128.0.0/9".parse().unwrap(),
        service_cidr: "10.96.0.0/12".parse().unwrap(),
        client_range: "10.255.0.0/16".parse().unwrap(),
        node_addr: Ipv4Addr::new(192, 168, 100, 1),
    }
}

fn socket_in(namespace: &NetNs, addr: &str) -> UdpSocket {
    let _inside = namespace.enter().unwrap();
    let socket = UdpSocket::bind(addr).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    socket
}

#[test]
fn a_packet_goes_from_any_client_to_any_pod_and_back() {
    let topology = Topology::create(&addresses()).unwrap();
    let server = socket_in(&topology.backend, "10.250.17.3:8080");
    let client = socket_in(&topology.client, "10.255.3.4:4000");

    client.send_to(b"ask", "10.250.17.3:8080").unwrap();
    let mut buffer = [0; 16];
    let (length, from) = server.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], from), (&b"ask"[..], "10.255.3.4:4000".parse::<SocketAddr>().unwrap()));

    server.send_to(b"answer", from).unwrap();
    let (length, from) = client.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], from), (&b"answer"[..], "10.250.17.3:8080".parse::<SocketAddr>().unwrap()));
}

#[test]
fn the_thread_returns_to_its_own_namespace() {
    let links = || std::fs::read_to_string("/proc/thread-self/net/dev").unwrap().lines().count();
    let before = links();
    let topology = Topology::create(&addresses()).unwrap();
    assert_eq!(links(), before);
    {
        let _inside = topology.node.enter().unwrap();
        assert_eq!(links(), 2 + 3, "two header lines, loopback and two veth ends");
    }
    assert_eq!(links(), before);
}
