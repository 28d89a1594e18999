//! The services and address ranges that a dump holds.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{Dump, DumpKind};
use crate::backend::iptables::{self, Ruleset};
use crate::backend::nftables::{self, RulesetListing};
use crate::backend::{BackendError, ipvs};
use crate::result::BackendKind;
use crate::workload::{
    AddressPlan, Endpoint, EndpointChoice, Protocol, Scheduling, Service, VipLayout, Workload, WorkloadSpec,
};

/// What has to be programmed for a dump to come out. Ranges that the dump does not name are those of
/// [`AddressPlan::kube_proxy_dumps`]. The IPVS mode's iptables rules hold no services: one is made up for them.
///
/// # Errors
/// [`BackendError::Parse`] with the text that cannot be understood.
pub fn workload(dump: &Dump) -> Result<Workload, BackendError> {
    let mut addresses = AddressPlan::kube_proxy_dumps();
    let services = match dump.kind {
        DumpKind::IptablesSave | DumpKind::RestoreInput => {
            addresses.cluster_cidr = cluster_cidr(&dump.text).unwrap_or(addresses.cluster_cidr);
            iptables_services(dump, &addresses)?
        }
        DumpKind::NftListing => {
            set_ranges(&mut addresses, &dump.text);
            nftables::services(&RulesetListing::parse(&dump.text)?)?
        }
        DumpKind::NftTransaction => {
            set_ranges(&mut addresses, &dump.text);
            nftables::transaction_services(&dump.text)?
        }
        DumpKind::IpSet => set_services(&dump.text)?,
        DumpKind::Ipvs => virtual_services(&dump.text)?,
    };
    if services.is_empty() {
        return Err(BackendError::Parse { what: dump.name.clone(), reason: "it holds no service".into() });
    }
    Ok(Workload {
        addresses,
        services,
        ballast: None,
        scheduling: Scheduling::DEFAULT,
        endpoint_choice: EndpointChoice::default(),
    })
}

fn iptables_services(dump: &Dump, addresses: &AddressPlan) -> Result<Vec<Service>, BackendError> {
    if dump.backend == BackendKind::Ipvs {
        return Ok(one_service(addresses));
    }
    let mut ruleset = Ruleset::default();
    ruleset.restore(&dump.text)?;
    iptables::services(&ruleset)
}

fn one_service(addresses: &AddressPlan) -> Vec<Service> {
    let (layout, protocol) = (VipLayout::Sequential, Protocol::Tcp);
    let spec = WorkloadSpec { services: 1, endpoints: 1, layout, protocol, seed: 0, addresses: *addresses };
    Workload::generate(&spec).map(|workload| workload.services).unwrap_or_default()
}

fn cluster_cidr(text: &str) -> Option<Ipv4Net> {
    let rules = text.lines().filter(|line| line.ends_with("-j KUBE-MARK-MASQ"));
    rules.filter_map(|line| line.split_once("! -s ")).find_map(|(_, rest)| rest.split(' ').next()?.parse().ok())
}

fn set_ranges(addresses: &mut AddressPlan, text: &str) {
    let facts = nftables::cluster_facts(text);
    addresses.cluster_cidr = facts.cluster_cidr.unwrap_or(addresses.cluster_cidr);
    addresses.service_cidr = facts.service_cidr.unwrap_or(addresses.service_cidr);
    addresses.node_addr = facts.node_addr.unwrap_or(addresses.node_addr);
}

/// Entries of KUBE-CLUSTER-IP: `10.96.0.10,tcp:80`. Sets do not know endpoints.
fn set_services(text: &str) -> Result<Vec<Service>, BackendError> {
    let sets = ipvs::parse_sets(text)?;
    let entries = sets.get("KUBE-CLUSTER-IP").into_iter().flat_map(|set| &set.entries);
    let parse = |entry: &String| {
        let (vip, rest) = entry.split_once(',')?;
        let (protocol, port) = rest.split_once(':')?;
        Some(service(vip.parse().ok()?, port.parse().ok()?, protocol_of(protocol)?))
    };
    entries.map(|entry| parse(entry).ok_or_else(|| unreadable("an entry of KUBE-CLUSTER-IP", entry))).collect()
}

/// Lines of `ipvsadm -Sn`: `-A -t VIP:port -s rr` and `-a -t VIP:port -r address:port -m -w 1`.
fn virtual_services(text: &str) -> Result<Vec<Service>, BackendError> {
    let mut services: Vec<Service> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("-A ") || line.starts_with("-a ")) {
        let failed = || unreadable("a line of ipvsadm", line);
        let words: Vec<&str> = line.split(' ').collect();
        let protocol = words.get(1).copied().and_then(protocol_of).ok_or_else(failed)?;
        let (vip, port) = words.get(2).copied().and_then(socket).ok_or_else(failed)?;
        if words[0] == "-A" {
            services.push(service(vip, port, protocol));
            continue;
        }
        let (addr, target) = words.get(4).copied().and_then(socket).ok_or_else(failed)?;
        let owner =
            services.iter_mut().find(|service| (service.vip, service.port, service.protocol) == (vip, port, protocol));
        owner.ok_or_else(failed)?.endpoints.push(Endpoint { addr, port: target });
    }
    Ok(services)
}

fn protocol_of(text: &str) -> Option<Protocol> {
    match text {
        "tcp" | "-t" => Some(Protocol::Tcp),
        "udp" | "-u" => Some(Protocol::Udp),
        _ => None,
    }
}

fn socket(text: &str) -> Option<(Ipv4Addr, u16)> {
    let (addr, port) = text.split_once(':')?;
    Some((addr.parse().ok()?, port.parse().ok()?))
}

/// IPVS knows no names; none of what it is compared with holds one.
fn service(vip: Ipv4Addr, port: u16, protocol: Protocol) -> Service {
    let (namespace, name) = ("default".into(), format!("{vip}-{port}"));
    Service { namespace, name, port_name: String::new(), vip, port, protocol, endpoints: Vec::new() }
}

fn unreadable(what: &str, text: &str) -> BackendError {
    BackendError::Parse { what: what.into(), reason: format!("unexpected {text:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(name: &str, text: &str) -> Workload {
        workload(&Dump::new(name.into(), text.into()).expect("known")).expect("readable")
    }

    #[test]
    fn ipvsadm_lines_become_services() {
        let text =
            "-A -t 10.96.0.10:80 -s rr\n-a -t 10.96.0.10:80 -r 10.244.0.2:8080 -m -w 1\n-A -u 10.96.0.10:53 -s rr\n";
        let services = derived("a.ipvs", text).services;
        assert_eq!((services.len(), services[0].endpoints.len(), services[1].protocol), (2, 1, Protocol::Udp));
    }

    #[test]
    fn an_endpoint_of_an_unknown_service_is_refused() {
        let dump =
            Dump::new("a.ipvs".into(), "-a -t 10.96.0.10:80 -r 10.244.0.2:8080 -m -w 1\n".into()).expect("known");
        assert!(workload(&dump).is_err());
    }

    #[test]
    fn sets_name_vips_and_ports() {
        let services =
            derived("a.ipset", "create KUBE-CLUSTER-IP hash:ip,port\nadd KUBE-CLUSTER-IP 10.96.0.9,udp:53\n").services;
        assert_eq!((services[0].vip, services[0].port), (Ipv4Addr::new(10, 96, 0, 9), 53));
    }

    #[test]
    fn a_dump_without_services_is_refused() {
        let dump = Dump::new("a.ipset".into(), "create KUBE-CLUSTER-IP hash:ip,port\n".into()).expect("known");
        assert!(workload(&dump).expect_err("empty").to_string().contains("holds no service"));
    }
}
