//! The transactions of a full and of a partial sync: kube-proxy's lines in kube-proxy's order.

use std::fmt::Write;

use crate::backend::names::{nftables_chain, nftables_external_chain, protocol, service_port_name, sorted_endpoints};
use crate::workload::{AddressPlan, EndpointChoice, Scheduling, Service, VipLayout, Workload, WorkloadSpec};

/// Base chains: name, type, hook, priority.
const BASE_CHAINS: [(&str, &str, &str, i32); 8] = [
    ("filter-prerouting-pre-dnat", "filter", "prerouting", -110),
    ("filter-output-pre-dnat", "filter", "output", -110),
    ("filter-input", "filter", "input", 0),
    ("filter-forward", "filter", "forward", 0),
    ("filter-output", "filter", "output", 0),
    ("nat-prerouting", "nat", "prerouting", -100),
    ("nat-output", "nat", "output", -100),
    ("nat-postrouting", "nat", "postrouting", 100),
];

/// Chains that the base chains jump to, each with its jumps: base chain and the rule's start.
const JUMPS: [(&str, &[(&str, &str)]); 6] = [
    ("nodeport-endpoints-check", &[("filter-input", "ct state new ")]),
    (
        "service-endpoints-check",
        &[("filter-input", "ct state new "), ("filter-forward", "ct state new "), ("filter-output", "ct state new ")],
    ),
    ("firewall-check", &[("filter-prerouting-pre-dnat", "ct state new "), ("filter-output-pre-dnat", "ct state new ")]),
    ("services", &[("nat-output", ""), ("nat-prerouting", "")]),
    ("masquerading", &[("nat-postrouting", "")]),
    ("cluster-ips-check", &[("filter-forward", "ct state new "), ("filter-output", "ct state new ")]),
];

/// Sets, maps and the rules that use them. The first word of a line is put behind `add` or `flush`, the rest behind the table.
const OBJECTS: &str = "\
add set hairpin-connections { type ipv4_addr . ipv4_addr . inet_proto . inet_service ; comment \"service hairpin connections\" ; }
add rule masquerading mark and 0x00004000 != 0 mark set mark xor 0x00004000 masquerade fully-random
add rule masquerading ct status dnat ip saddr . ip daddr . meta l4proto . th dport @hairpin-connections masquerade fully-random
add set cluster-ips { type ipv4_addr ; comment \"Active ClusterIPs\" ; }
add rule cluster-ips-check ip daddr @cluster-ips reject comment \"Reject traffic to invalid ports of ClusterIPs\"
add rule cluster-ips-check ip daddr { SERVICE-CIDR } drop comment \"Drop traffic to unallocated ClusterIPs\"
add set nodeport-ips { type ipv4_addr ; comment \"IPs that accept NodePort traffic\" ; }
flush set nodeport-ips
add element nodeport-ips { NODE }
add map no-endpoint-services { type ipv4_addr . inet_proto . inet_service : verdict ; comment \"vmap to drop or reject packets to services with no endpoints\" ; }
add map no-endpoint-nodeports { type inet_proto . inet_service : verdict ; comment \"vmap to drop or reject packets to service nodeports with no endpoints\" ; }
add chain reject-chain { comment \"helper for @no-endpoint-services / @no-endpoint-nodeports\" ; }
flush chain reject-chain
add rule reject-chain reject
add rule service-endpoints-check ip daddr . meta l4proto . th dport vmap @no-endpoint-services
add rule nodeport-endpoints-check ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports
add map firewall-ips { type ipv4_addr . inet_proto . inet_service : verdict ; comment \"destinations that are subject to LoadBalancerSourceRanges\" ; }
add rule firewall-check ip daddr . meta l4proto . th dport vmap @firewall-ips
add map service-ips { type ipv4_addr . inet_proto . inet_service : verdict ; comment \"ClusterIP, ExternalIP and LoadBalancer IP traffic\" ; }
add map service-nodeports { type inet_proto . inet_service : verdict ; comment \"NodePort traffic\" ; }
add rule services ip daddr @cluster-ips ip saddr != CLUSTER-CIDR mark set mark or 0x00004000 comment \"masquerade clusterIP traffic from outside cluster\"
add rule services ip daddr . meta l4proto . th dport vmap @service-ips
add rule services ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
";

/// The transaction of a full sync.
pub(crate) fn full(workload: &Workload) -> String {
    let mut text = String::with_capacity(8192 + 512 * workload.services.len() + 40 * workload.endpoint_count());
    base_chains(&mut text);
    jumps(&mut text);
    objects(&mut text, &workload.addresses);
    for service in &workload.services {
        new_service(&mut text, service);
    }
    text
}

/// The transaction of a partial sync for a service that appeared.
pub(crate) fn added(service: &Service) -> String {
    let mut text = String::new();
    new_service(&mut text, service);
    text
}

/// The transaction of a partial sync for a service whose endpoints changed: its chain is written anew; map elements are touched
/// only where the first endpoint appears or the last one goes.
pub(crate) fn changed(before: &Service, after: &Service) -> String {
    let mut text = String::new();
    match (before.endpoints.is_empty(), after.endpoints.is_empty()) {
        (true, true) => {}
        (false, true) => {
            line(&mut text, "flush chain", &nftables_chain(before));
            line(&mut text, "delete element", &format!("service-ips {{ {} }}", key(before)));
            no_endpoints(&mut text, after);
        }
        (was_empty, false) => {
            chain(&mut text, after);
            if was_empty {
                line(&mut text, "delete element", &format!("no-endpoint-services {{ {} }}", key(before)));
                portal(&mut text, after);
            }
            balance(&mut text, after);
        }
    }
    text
}

/// The transaction that gives a service a load balancer's address (pkg/proxy/nftables/proxier.go, "Capture load-balancer ingress",
/// `externalTrafficChain`). The address is none of `cluster-ips`.
pub(crate) fn exposed(service: &Service) -> String {
    let (external, chain) = (nftables_external_chain(service), nftables_chain(service));
    let key = key(service);
    let mut text = String::new();
    line(&mut text, "add chain", &external);
    line(&mut text, "add rule", &format!("{external} mark set mark or 0x00004000"));
    line(&mut text, "add rule", &format!("{external} goto {chain}"));
    line(&mut text, "add element", &format!("service-ips {{ {key} : goto {external} }}"));
    text
}

/// The transaction for one service, and then the whole table deleted again.
pub(crate) fn readiness_probe() -> String {
    let addresses = AddressPlan::default();
    let (layout, protocol) = (VipLayout::Sequential, crate::workload::Protocol::Tcp);
    let spec = WorkloadSpec { services: 1, endpoints: 2, layout, protocol, seed: 0, addresses };
    let services = Workload::generate(&spec).map(|workload| workload.services).unwrap_or_default();
    full(&Workload {
        addresses,
        services,
        ballast: None,
        scheduling: Scheduling::DEFAULT,
        endpoint_choice: EndpointChoice::default(),
    }) + "delete table ip kube-proxy\n"
}

fn line(text: &mut String, command: &str, rest: &str) {
    let _ = writeln!(text, "{command} ip kube-proxy {rest}");
}

/// A base chain is deleted first, so that a change of its priority takes effect.
fn base_chains(text: &mut String) {
    text.push_str("add table ip kube-proxy { comment \"rules for kube-proxy\" ; }\n");
    for (name, ..) in BASE_CHAINS {
        line(text, "add chain", name);
        line(text, "delete chain", name);
    }
    for (name, kind, hook, priority) in BASE_CHAINS {
        line(text, "add chain", &format!("{name} {{ type {kind} hook {hook} priority {priority} ; }}"));
        line(text, "flush chain", name);
    }
}

fn jumps(text: &mut String) {
    for (target, jumps) in JUMPS {
        line(text, "add chain", target);
        line(text, "flush chain", target);
        for (from, matches) in jumps {
            line(text, "add rule", &format!("{from} {matches}jump {target}"));
        }
    }
}

fn objects(text: &mut String, addresses: &AddressPlan) {
    for entry in OBJECTS.lines() {
        let mut words = entry.splitn(3, ' ');
        let command = [words.next().unwrap_or_default(), words.next().unwrap_or_default()].join(" ");
        let rest = fill(words.next().unwrap_or_default(), addresses);
        line(text, &command, &rest);
    }
}

/// Puts the cluster's addresses in the place of their names.
pub(super) fn fill(text: &str, addresses: &AddressPlan) -> String {
    text.replace("SERVICE-CIDR", &addresses.service_cidr.to_string())
        .replace("CLUSTER-CIDR", &addresses.cluster_cidr.to_string())
        .replace("NODE", &addresses.node_addr.to_string())
}

fn new_service(text: &mut String, service: &Service) {
    if service.endpoints.is_empty() {
        line(text, "add element", &format!("cluster-ips {{ {} }}", service.vip));
        no_endpoints(text, service);
        return;
    }
    chain(text, service);
    line(text, "add element", &format!("cluster-ips {{ {} }}", service.vip));
    portal(text, service);
    balance(text, service);
}

fn chain(text: &mut String, service: &Service) {
    let chain = nftables_chain(service);
    line(text, "add chain", &chain);
    line(text, "flush chain", &chain);
}

fn portal(text: &mut String, service: &Service) {
    let (key, chain) = (key(service), nftables_chain(service));
    line(text, "add element", &format!("service-ips {{ {key} : goto {chain} }}"));
}

fn no_endpoints(text: &mut String, service: &Service) {
    let (key, name) = (key(service), service_port_name(service));
    line(text, "add element", &format!("no-endpoint-services {{ {key} comment \"{name}\" : goto reject-chain }}"));
}

fn balance(text: &mut String, service: &Service) {
    let endpoints = sorted_endpoints(service);
    let elements: Vec<String> =
        endpoints.iter().enumerate().map(|(index, e)| format!("{index} : {} . {}", e.addr, e.port)).collect();
    let (chain, protocol, count) = (nftables_chain(service), protocol(service.protocol), endpoints.len());
    let map = elements.join(" , ");
    line(
        text,
        "add rule",
        &format!("{chain} meta l4proto {protocol} dnat ip addr . port to numgen random mod {count} map {{ {map} }}"),
    );
}

fn key(service: &Service) -> String {
    format!("{} . {} . {}", service.vip, protocol(service.protocol), service.port)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::backend::golden;
    use crate::workload::Endpoint;

    #[test]
    fn an_exposed_service_is_an_element_that_goes_through_its_external_chain() {
        let text = exposed(&Service { vip: Ipv4Addr::new(203, 0, 113, 80), ..golden::service() });
        let external = nftables_external_chain(&golden::service());
        assert!(external.starts_with("external-"), "{external}");
        assert!(text.contains(&format!("{external} goto {}\n", nftables_chain(&golden::service()))), "{text}");
        assert!(text.ends_with(&format!(" : goto {external} }}\n")) && text.contains("service-ips { 203.0.113.80 . "));
        assert!(!text.contains("cluster-ips"), "other ports of the address are none of kube-proxy's business");
    }

    #[test]
    fn rendered_partial_syncs() {
        let before = golden::service();
        let mut after = before.clone();
        after.endpoints[0] = Endpoint { addr: [10, 200, 0, 1].into(), port: 8080 };
        let mut none = before.clone();
        none.endpoints.clear();
        golden::assert(
            "nftables-partial",
            &[
                ("service added", added(&before)),
                ("endpoint changed", changed(&before, &after)),
                ("last endpoint gone", changed(&before, &none)),
                ("first endpoint back", changed(&none, &before)),
                ("still none", changed(&none, &none)),
            ],
        );
    }
}
