//! Back from rules to services: what a ruleset in kube-proxy's shape balances, and where to.

use std::net::Ipv4Addr;

use super::ruleset::{Ruleset, Table};
use crate::backend::BackendError;
use crate::workload::{Endpoint, Protocol, Service};

/// The ClusterIP services of a ruleset of the iptables mode, in the order of KUBE-SERVICES, those without endpoints last.
///
/// # Errors
/// [`BackendError::Parse`] where a rule in KUBE-SERVICES has no address, port or endpoint chain that can be read.
pub fn services(ruleset: &Ruleset) -> Result<Vec<Service>, BackendError> {
    let mut services = Vec::new();
    for (table, ending) in [("nat", " cluster IP"), ("filter", " has no endpoints")] {
        let Some(table) = ruleset.table(table) else { continue };
        let rules = table.chain("KUBE-SERVICES").map_or(&[][..], |chain| &chain.rules);
        for rule in rules {
            if let Some(name) = comment(rule).and_then(|comment| comment.strip_suffix(ending)) {
                services.push(service(table, rule, name)?);
            }
        }
    }
    Ok(services)
}

fn service(table: &Table, rule: &str, name: &str) -> Result<Service, BackendError> {
    let unreadable = |reason: &str| BackendError::Parse {
        what: "a rule of KUBE-SERVICES".into(),
        reason: format!("{rule:?} {reason}"),
    };
    let (namespace, name) = name.split_once('/').ok_or_else(|| unreadable("names no namespace"))?;
    let (name, port_name) = name.split_once(':').unwrap_or((name, ""));
    let vip = value(rule, "-d ").and_then(address).ok_or_else(|| unreadable("has no destination"))?;
    let port = value(rule, "--dport ").and_then(|port| port.parse().ok()).ok_or_else(|| unreadable("has no port"))?;
    let protocol = match value(rule, "-p ") {
        Some("tcp") => Protocol::Tcp,
        Some("udp") => Protocol::Udp,
        _ => return Err(unreadable("is neither TCP nor UDP")),
    };
    let target = value(rule, "-j ").ok_or_else(|| unreadable("has no target"))?;
    let endpoints = endpoints(table, target).ok_or_else(|| unreadable("leads to an endpoint that cannot be read"))?;
    Ok(Service {
        namespace: namespace.into(),
        name: name.into(),
        port_name: port_name.into(),
        vip,
        port,
        protocol,
        endpoints,
    })
}

fn endpoints(table: &Table, service_chain: &str) -> Option<Vec<Endpoint>> {
    let Some(chain) = table.chain(service_chain) else { return Some(Vec::new()) };
    let targets =
        chain.rules.iter().filter_map(|rule| value(rule, "-j ")).filter(|target| target.starts_with("KUBE-SEP-"));
    targets.map(|target| table.chain(target)?.rules.iter().find_map(|rule| dnat(rule))).collect()
}

fn dnat(rule: &str) -> Option<Endpoint> {
    let (addr, port) = value(rule, "--to-destination ")?.split_once(':')?;
    Some(Endpoint { addr: addr.parse().ok()?, port: port.parse().ok()? })
}

fn comment(rule: &str) -> Option<&str> {
    Some(rule.split_once("--comment \"")?.1.split_once('"')?.0)
}

fn value<'a>(rule: &'a str, option: &str) -> Option<&'a str> {
    let at = rule.match_indices(option).map(|(at, _)| at).find(|at| *at == 0 || rule.as_bytes()[at - 1] == b' ')?;
    rule[at + option.len()..].split(' ').next()
}

fn address(text: &str) -> Option<Ipv4Addr> {
    text.strip_suffix("/32")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::backend::iptables::render::{Counter, Scope, sync};
    use crate::workload::{AddressPlan, VipLayout, Workload, WorkloadSpec};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn services_survive_rendering_and_parsing(n in 1u32..30, m in 0u32..12, seed: u64, udp: bool, large: bool) {
            let protocol = if udp { Protocol::Udp } else { Protocol::Tcp };
            let m = if large { m * 40 } else { m };
            let spec = WorkloadSpec {
                services: n, endpoints: m, layout: VipLayout::Random, protocol, seed, addresses: AddressPlan::default(),
            };
            let mut workload = Workload::generate(&spec).expect("fits");
            workload.services[0].port_name = "http".into();
            let mut ruleset = Ruleset::default();
            ruleset.restore(&sync(&workload, Scope::All, Counter::Present, &[])).expect("valid");
            let mut parsed = services(&ruleset).expect("readable");
            parsed.iter_mut().for_each(|service| service.endpoints.sort_by_key(|endpoint| endpoint.addr));
            prop_assert_eq!(parsed, workload.services);
        }
    }

    #[test]
    fn a_rule_without_a_port_is_refused() {
        let mut ruleset = Ruleset::default();
        let text = "*nat\n:KUBE-SERVICES - [0:0]\n-A KUBE-SERVICES -d 10.0.0.1 -p tcp -m comment --comment \"a/b cluster IP\" -j X\nCOMMIT\n";
        ruleset.restore(text).expect("valid");
        let message = services(&ruleset).expect_err("no port").to_string();
        assert!(message.contains("has no port"), "{message}");
    }
}
