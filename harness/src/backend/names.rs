//! The names that kube-proxy derives from a service: chain names are hashes, so that they fit the kernel's 28 bytes.

use data_encoding::BASE32;
use sha2::{Digest, Sha256};

use crate::workload::{Endpoint, Protocol, Service};

/// Characters of the hash in an iptables chain name.
const IPTABLES_HASH: usize = 16;
/// Characters of the hash in an nftables chain name.
const NFTABLES_HASH: usize = 8;

/// The protocol as kube-proxy and the tools write it.
pub(crate) fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

/// `namespace/name`, and `:port` behind it where the port has a name: what comments and hashes use.
pub(crate) fn service_port_name(service: &Service) -> String {
    let Service { namespace, name, port_name, .. } = service;
    if port_name.is_empty() { format!("{namespace}/{name}") } else { format!("{namespace}/{name}:{port_name}") }
}

/// iptables' chain of a service.
pub(crate) fn service_chain(service: &Service) -> String {
    let name = service_port_name(service) + protocol(service.protocol);
    format!("KUBE-SVC-{}", hash(&name, IPTABLES_HASH))
}

/// iptables' chain of what asks for a service from outside.
pub(crate) fn external_chain(service: &Service) -> String {
    service_chain(service).replacen("KUBE-SVC-", "KUBE-EXT-", 1)
}

/// iptables' chain of an endpoint of a service.
pub(crate) fn endpoint_chain(service: &Service, endpoint: &Endpoint) -> String {
    let name = format!("{}{}{}", service_port_name(service), protocol(service.protocol), endpoint_name(endpoint));
    format!("KUBE-SEP-{}", hash(&name, IPTABLES_HASH))
}

/// nftables' chain of a service.
pub(crate) fn nftables_chain(service: &Service) -> String {
    let Service { namespace, name, port_name, .. } = service;
    let base = format!("{namespace}/{name}/{}/{port_name}", protocol(service.protocol));
    format!("service-{}-{base}", hash(&base, NFTABLES_HASH))
}

/// nftables' chain of what asks for a service from outside.
pub(crate) fn nftables_external_chain(service: &Service) -> String {
    nftables_chain(service).replacen("service-", "external-", 1)
}

/// `address:port`.
pub(crate) fn endpoint_name(endpoint: &Endpoint) -> String {
    format!("{}:{}", endpoint.addr, endpoint.port)
}

/// A service's endpoints as kube-proxy orders them: as the text `address:port`, so that 10.0.0.10 comes before 10.0.0.2.
pub(crate) fn sorted_endpoints(service: &Service) -> Vec<Endpoint> {
    let mut endpoints = service.endpoints.clone();
    endpoints.sort_by_cached_key(endpoint_name);
    endpoints
}

fn hash(text: &str, length: usize) -> String {
    let mut encoded = BASE32.encode(&Sha256::digest(text.as_bytes()));
    encoded.truncate(length);
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{AddressPlan, VipLayout, Workload, WorkloadSpec};

    fn first() -> Service {
        let addresses = AddressPlan::kube_proxy_dumps();
        let (layout, protocol) = (VipLayout::Sequential, Protocol::Tcp);
        let spec = WorkloadSpec { services: 1, endpoints: 2, layout, protocol, seed: 0, addresses };
        Workload::generate(&spec).expect("fits").services.remove(0)
    }

    #[test]
    fn names_are_those_that_kube_proxy_1_36_gave() {
        let service = first();
        assert_eq!(service_chain(&service), "KUBE-SVC-QYLWHLBLZIIUVLIX");
        assert_eq!(endpoint_chain(&service, &service.endpoints[0]), "KUBE-SEP-APJAL7H2XGYNPPYK");
        assert_eq!(endpoint_chain(&service, &service.endpoints[1]), "KUBE-SEP-H3CZRYOFQ7ST62XN");
        assert_eq!(nftables_chain(&service), "service-UWYIIP4K-default/svc-0/tcp/");
    }

    #[test]
    fn a_named_port_is_part_of_the_name() {
        let service = Service { port_name: "http".into(), ..first() };
        assert_eq!(service_port_name(&service), "default/svc-0:http");
        assert!(nftables_chain(&service).ends_with("-default/svc-0/tcp/http"));
    }

    #[test]
    fn endpoints_sort_as_text() {
        let mut service = first();
        let endpoint = |last, port| Endpoint { addr: [10, 0, 0, last].into(), port };
        service.endpoints = vec![endpoint(2, 80), endpoint(10, 80), endpoint(1, 80)];
        let order: Vec<_> = sorted_endpoints(&service).iter().map(|e| e.addr.octets()[3]).collect();
        assert_eq!(order, [10, 1, 2], "a colon sorts behind digits");
    }
}
