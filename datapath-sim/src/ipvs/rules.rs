//! The rules and ipsets around IPVS as kube-proxy 1.36 programs them (pkg/proxy/ipvs/proxier.go).

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::iptables::MASQUERADE;
use crate::netfilter::{Chain, Rule, Rules, Set, StateMatch, TableName, Target};
use crate::table::HashSet;
use crate::{Addresses, Packet, Protocol, Range, Service};

use Chain::{Forward, Input, Kube, Output, Postrouting, Prerouting};
use TableName::{Filter, Nat};

const CLUSTER_IP: Set = Set::AddressPort("KUBE-CLUSTER-IP");

/// The rules of a node in IPVS mode, and the sets that ClusterIP services fill.
#[derive(Debug, Clone)]
pub(super) struct RuleSet {
    addresses: Addresses,
    cluster_ips: HashSet<(SocketAddrV4, Protocol)>,
    /// KUBE-IPVS-IPS, and the addresses of `kube-ipvs0`.
    vips: HashSet<Ipv4Addr>,
}

impl RuleSet {
    pub(super) fn new(addresses: Addresses, services: &[Service]) -> Self {
        let cluster_ips = services.iter().map(|service| (service.address, service.protocol)).collect();
        let vips = services.iter().map(|service| *service.address.ip()).collect();
        Self { addresses, cluster_ips, vips }
    }

    pub(super) fn node(&self) -> Ipv4Addr {
        self.addresses.node
    }

    /// KUBE-SERVICES of the nat table: what comes from outside the cluster is marked, and services' packets pass.
    fn services(&self, at: usize) -> Rule {
        match at {
            0 => Rule { source: Some((Range::LOOPBACK, false)), ..Rule::all(Target::Return) },
            1 => {
                let source = Some((self.addresses.cluster, true));
                Rule { source, set: Some(CLUSTER_IP), ..Rule::jump("KUBE-MARK-MASQ") }
            }
            2 => Rule { local: true, ..Rule::jump("KUBE-NODE-PORT") },
            _ => in_set(CLUSTER_IP, Target::Accept),
        }
    }
}

/// Rules of KUBE-SERVICES.
const SERVICES_RULES: usize = 4;

impl Rules for RuleSet {
    fn len(&self, table: TableName, chain: Chain) -> usize {
        match (table, chain) {
            (Nat, Kube("KUBE-SERVICES")) => SERVICES_RULES,
            _ => fixed(table, chain).len(),
        }
    }

    fn rule(&self, table: TableName, chain: Chain, at: usize) -> Rule {
        match (table, chain) {
            (Nat, Kube("KUBE-SERVICES")) => self.services(at),
            _ => fixed(table, chain)[at],
        }
    }

    fn is_local(&self, address: Ipv4Addr) -> bool {
        self.addresses.is_local(address) || self.vips.contains(&address)
    }

    /// ClusterIP services leave the other sets empty.
    fn set_holds(&self, set: Set, packet: &Packet) -> bool {
        match set {
            Set::AddressPort("KUBE-CLUSTER-IP") => self.cluster_ips.contains(&(packet.destination, packet.protocol)),
            Set::Address("KUBE-IPVS-IPS") => self.vips.contains(packet.destination.ip()),
            _ => false,
        }
    }
}

const fn in_set(set: Set, target: Target) -> Rule {
    Rule { set: Some(set), ..Rule::all(target) }
}

/// The rules that name no address.
fn fixed(table: TableName, chain: Chain) -> &'static [Rule] {
    match (table, chain) {
        (Nat, Prerouting | Output) => const { &[Rule::jump("KUBE-SERVICES")] },
        (Nat, Postrouting) => const { &[Rule::jump("KUBE-POSTROUTING")] },
        (Nat, Kube("KUBE-POSTROUTING")) => MASQUERADE,
        (Nat, Kube("KUBE-MARK-MASQ")) => const { &[Rule::all(Target::Mark)] },
        (Filter, Forward) => const { &[Rule::jump("KUBE-PROXY-FIREWALL"), Rule::jump("KUBE-FORWARD")] },
        (Filter, Input) => {
            const { &[Rule::jump("KUBE-IPVS-FILTER"), Rule::jump("KUBE-PROXY-FIREWALL"), Rule::jump("KUBE-NODE-PORT")] }
        }
        (Filter, Output) => const { &[Rule::jump("KUBE-IPVS-OUT-FILTER")] },
        (Filter, Kube("KUBE-FORWARD")) => {
            const {
                &[
                    Rule { mark: Some(true), ..Rule::all(Target::Accept) },
                    Rule { state: Some(StateMatch::Established), ..Rule::all(Target::Accept) },
                ]
            }
        }
        (Filter, Kube("KUBE-NODE-PORT")) => const { &[in_set(Set::Port(HEALTH_CHECK), Target::Accept)] },
        (Filter, Kube("KUBE-IPVS-FILTER")) => {
            const {
                &[
                    in_set(Set::AddressPort("KUBE-LOAD-BALANCER"), Target::Return),
                    in_set(CLUSTER_IP, Target::Return),
                    in_set(Set::AddressPort("KUBE-EXTERNAL-IP"), Target::Return),
                    in_set(Set::AddressPort("KUBE-EXTERNAL-IP-LOCAL"), Target::Return),
                    in_set(Set::Port(HEALTH_CHECK), Target::Return),
                    Rule { state: Some(StateMatch::New), ..in_set(Set::Address("KUBE-IPVS-IPS"), Target::Reject) },
                ]
            }
        }
        _ => &[],
    }
}

const HEALTH_CHECK: &str = "KUBE-HEALTH-CHECK-NODE-PORT";
