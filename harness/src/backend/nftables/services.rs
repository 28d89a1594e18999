//! Back from tables to services: what a listing or a transaction in kube-proxy's shape balances, and where to.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::listing::RulesetListing;
use crate::backend::BackendError;
use crate::workload::{Endpoint, Protocol, Service};

/// Cluster range, service range and node address, as far as the rules name them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClusterFacts {
    /// Sources that are not masqueraded.
    pub cluster_cidr: Option<Ipv4Net>,
    /// Destinations that are dropped unless they are VIPs.
    pub service_cidr: Option<Ipv4Net>,
    /// Node port address.
    pub node_addr: Option<Ipv4Addr>,
}

/// Reads the ranges off rules in listing or transaction syntax.
#[must_use]
pub fn cluster_facts(text: &str) -> ClusterFacts {
    let after = |marker: &str| text.split_once(marker).and_then(|(_, rest)| rest.split_whitespace().next());
    let drop_rule = text.lines().find(|line| line.contains("Drop traffic to unallocated ClusterIPs"));
    let service_cidr = drop_rule.and_then(|line| line.split(' ').find_map(|word| word.parse().ok()));
    let node = text.lines().find(|line| line.contains("element ip kube-proxy nodeport-ips")).map(|line| (line, ""));
    let node = node.or_else(|| text.split_once("set nodeport-ips {")?.1.split_once("elements = {"));
    let node_addr = node.and_then(|(line, rest)| {
        let place = if rest.is_empty() { line } else { rest };
        place.split([' ', ',']).find_map(|word| word.parse().ok())
    });
    ClusterFacts { cluster_cidr: after("ip saddr != ").and_then(|range| range.parse().ok()), service_cidr, node_addr }
}

/// The services of a listing, sorted by VIP and port.
///
/// # Errors
/// [`BackendError::Parse`] where an element or a rule cannot be read.
pub fn services(listing: &RulesetListing) -> Result<Vec<Service>, BackendError> {
    let Some(table) = listing.table("ip kube-proxy") else { return Ok(Vec::new()) };
    let elements =
        |name: &str| table.object(name).into_iter().flat_map(|object| object.elements.iter().cloned()).collect();
    let chains = table.objects.iter().filter(|object| object.kind == "chain");
    let rules = chains.filter_map(|chain| Some((chain.name.clone(), chain.lines.first()?.clone()))).collect();
    assemble(elements("service-ips"), elements("no-endpoint-services"), &rules)
}

/// The services of a transaction, sorted by VIP and port.
///
/// # Errors
/// [`BackendError::Parse`] where an element or a rule cannot be read.
pub fn transaction_services(text: &str) -> Result<Vec<Service>, BackendError> {
    let elements = |map: &str| -> Vec<String> {
        let start = format!("add element ip kube-proxy {map} {{ ");
        text.lines().filter_map(|line| Some(line.strip_prefix(&start)?.strip_suffix(" }")?.to_owned())).collect()
    };
    let rules = text.lines().filter_map(|line| line.strip_prefix("add rule ip kube-proxy service-"));
    let rules =
        rules.filter_map(|rule| rule.split_once(' ')).map(|(chain, rule)| (format!("service-{chain}"), rule.into()));
    assemble(elements("service-ips"), elements("no-endpoint-services"), &rules.collect())
}

fn assemble(
    portals: Vec<String>,
    rejected: Vec<String>,
    rules: &HashMap<String, String>,
) -> Result<Vec<Service>, BackendError> {
    let with = portals.iter().map(|element| with_endpoints(element, rules).ok_or_else(|| unreadable(element)));
    let without = rejected.iter().map(|element| without_endpoints(element).ok_or_else(|| unreadable(element)));
    let mut services = with.chain(without).collect::<Result<Vec<_>, _>>()?;
    services.sort_by_key(|service| (service.vip, service.port));
    Ok(services)
}

fn unreadable(element: &str) -> BackendError {
    BackendError::Parse { what: "a map element of nftables".into(), reason: format!("{element:?} leads to no service") }
}

/// `VIP . protocol . port : goto service-HASH-namespace/name/protocol/port-name`
fn with_endpoints(element: &str, rules: &HashMap<String, String>) -> Option<Service> {
    let (key, chain) = element.split_once(" : goto ")?;
    let mut parts = chain.strip_prefix("service-")?.split_once('-')?.1.split('/');
    let (namespace, name, _, port_name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let mut endpoints = Vec::new();
    for part in rules.get(chain)?.split_once(" map { ")?.1.trim_end_matches([' ', '}']).split(',') {
        let (addr, port) = part.split_once(" : ")?.1.split_once(" . ")?;
        endpoints.push(Endpoint { addr: addr.trim().parse().ok()?, port: port.trim().parse().ok()? });
    }
    service(key, namespace, name, port_name, endpoints)
}

/// `VIP . protocol . port comment "namespace/name:port-name" : goto reject-chain`
fn without_endpoints(element: &str) -> Option<Service> {
    let (key, rest) = element.split_once(" comment \"")?;
    let (namespace, name) = rest.split_once('"')?.0.split_once('/')?;
    let (name, port_name) = name.split_once(':').unwrap_or((name, ""));
    service(key, namespace, name, port_name, Vec::new())
}

fn service(key: &str, namespace: &str, name: &str, port_name: &str, endpoints: Vec<Endpoint>) -> Option<Service> {
    let mut parts = key.split(" . ");
    let (vip, protocol, port) = (parts.next()?, parts.next()?, parts.next()?);
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return None,
    };
    let (namespace, name, port_name) = (namespace.into(), name.into(), port_name.into());
    let (vip, port) = (vip.parse().ok()?, port.parse().ok()?);
    Some(Service { namespace, name, port_name, vip, port, protocol, endpoints })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::backend::nftables::render::full;
    use crate::workload::{AddressPlan, VipLayout, Workload, WorkloadSpec};

    fn workload(n: u32, m: u32, seed: u64, protocol: Protocol) -> Workload {
        let addresses = AddressPlan::default();
        let spec = WorkloadSpec { services: n, endpoints: m, layout: VipLayout::Random, protocol, seed, addresses };
        let mut workload = Workload::generate(&spec).expect("fits");
        workload.services[0].port_name = "http".into();
        workload.services.sort_by_key(|service| service.vip);
        workload
    }

    proptest! {
        #[test]
        fn services_survive_rendering_and_parsing(n in 1u32..30, m in 0u32..12, seed: u64, udp: bool) {
            let workload = workload(n, m, seed, if udp { Protocol::Udp } else { Protocol::Tcp });
            let mut parsed = transaction_services(&full(&workload)).expect("readable");
            parsed.iter_mut().for_each(|service| service.endpoints.sort_by_key(|endpoint| endpoint.addr));
            prop_assert_eq!(parsed, workload.services);
        }
    }

    #[test]
    fn ranges_are_read_off_a_transaction() {
        let workload = workload(1, 1, 0, Protocol::Tcp);
        let AddressPlan { cluster_cidr, service_cidr, node_addr, .. } = workload.addresses;
        let expected = ClusterFacts {
            cluster_cidr: Some(cluster_cidr),
            service_cidr: Some(service_cidr),
            node_addr: Some(node_addr),
        };
        assert_eq!(cluster_facts(&full(&workload)), expected);
        assert_eq!(cluster_facts("nothing"), ClusterFacts::default());
    }
}
