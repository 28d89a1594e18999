//! Addresses of the tests that know every packet.

use std::net::Ipv4Addr;

use lbcurve::workload::AddressPlan;

/// Pods in 10.0.0.0/9, clients in the end of it, VIPs behind it, the node apart.
pub(crate) fn addresses() -> AddressPlan {
    let range = |text: &str| text.parse().expect("a range");
    AddressPlan {
        cluster_cidr: range("10.0.0.0/9"),
        service_cidr: range("10.200.0.0/16"),
        client_range: range("10.127.0.0/16"),
        node_addr: Ipv4Addr::new(192, 168, 77, 1),
    }
}
