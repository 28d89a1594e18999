//! The rules that kube-proxy 1.36 programs in iptables mode (pkg/proxy/iptables/proxier.go), made when they are visited: 100,000
//! services would be a million of them.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU32;

use crate::netfilter::{Chain, Rule, Rules, StateMatch, TableName, Target};
use crate::table::{HashMap, map_for};
use crate::{Addresses, Endpoint, Packet, Protocol, Range, Service};

use Chain::{Forward, Input, Kube, Output, Postrouting, Prerouting};
use TableName::{Filter, Nat};

/// An address that no cluster has (RFC 5737): the self-tests' ballast asks for it.
const NOBODY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// A rule of KUBE-SERVICES in the nat table.
#[derive(Debug, Clone, Copy)]
enum Portal {
    /// That of a service, by its index.
    Service(u32),
    /// Ballast with its protocol, that of the service before, and its port.
    Ballast(Protocol, u16),
}

/// The rules of a node in iptables mode.
#[derive(Debug, Clone)]
pub(super) struct RuleSet {
    addresses: Addresses,
    services: Vec<Service>,
    portals: Vec<Portal>,
    /// Services without endpoints, which the filter table rejects.
    empty: Vec<u32>,
    /// Where the first rule for a VIP, port and protocol stands among the portals and among the rejections.
    portal_of: HashMap<(SocketAddrV4, Protocol), usize>,
    rejection_of: HashMap<(SocketAddrV4, Protocol), usize>,
}

impl RuleSet {
    pub(super) fn new(addresses: Addresses, services: &[Service], ballast: Option<NonZeroU32>) -> Self {
        let mut rules = Self {
            addresses,
            services: services.iter().map(as_sorted).collect(),
            portals: Vec::with_capacity(services.len()),
            empty: Vec::new(),
            portal_of: map_for(services.len()),
            rejection_of: HashMap::default(),
        };
        let (mut portals, mut ballasts) = (0_u32, 0_u16);
        for (index, service) in (0_u32..).zip(services) {
            let key = (service.address, service.protocol);
            if service.endpoints.is_empty() {
                rules.rejection_of.entry(key).or_insert(rules.empty.len());
                rules.empty.push(index);
                continue;
            }
            rules.portal_of.entry(key).or_insert(rules.portals.len());
            rules.portals.push(Portal::Service(index));
            portals += 1;
            if ballast.is_some_and(|services_a_rule| portals.is_multiple_of(services_a_rule.get())) {
                ballasts = ballasts.wrapping_add(1).max(1);
                rules.portals.push(Portal::Ballast(service.protocol, ballasts));
            }
        }
        rules
    }

    pub(super) fn node(&self) -> Ipv4Addr {
        self.addresses.node
    }

    fn portal(&self, portal: Portal) -> Rule {
        match portal {
            Portal::Service(index) => {
                let service = &self.services[index as usize];
                asks_for(service.address, service.protocol, Target::Jump(Chain::Service(index)))
            }
            Portal::Ballast(protocol, port) => asks_for(SocketAddrV4::new(NOBODY, port), protocol, Target::Return),
        }
    }

    /// KUBE-SVC: masquerade what comes from outside the cluster, then one rule an endpoint.
    fn service_rule(&self, index: u32, at: usize) -> Rule {
        let service = &self.services[index as usize];
        let Some(endpoint) = at.checked_sub(1) else {
            let source = Some((self.addresses.cluster, true));
            return Rule {
                source,
                ..asks_for(service.address, service.protocol, Target::Jump(Kube("KUBE-MARK-MASQ")))
            };
        };
        let left = count(service.endpoints.len() - endpoint);
        let one_of = Some(left).filter(|left| *left > 1);
        Rule { one_of, ..Rule::all(Target::Jump(Chain::Endpoint(index, count(endpoint)))) }
    }

    /// KUBE-SEP: masquerade what an endpoint sends to itself, then translate.
    fn endpoint_rule(&self, service: u32, endpoint: u32, at: usize) -> Rule {
        let service = &self.services[service as usize];
        let address = service.endpoints[endpoint as usize].address;
        if at == 0 {
            let source = Some((Range::host(*address.ip()), false));
            return Rule { source, ..Rule::all(Target::Jump(Kube("KUBE-MARK-MASQ"))) };
        }
        Rule { protocol: Some(service.protocol), ..Rule::all(Target::Dnat(address)) }
    }
}

impl Rules for RuleSet {
    fn len(&self, table: TableName, chain: Chain) -> usize {
        match (table, chain) {
            (Nat, Kube("KUBE-SERVICES")) => self.portals.len() + 1,
            (Nat, Chain::Service(index)) => self.services[index as usize].endpoints.len() + 1,
            (Nat, Chain::Endpoint(..)) => 2,
            (Filter, Kube("KUBE-SERVICES")) => self.empty.len(),
            _ => fixed(table, chain).len(),
        }
    }

    fn rule(&self, table: TableName, chain: Chain, at: usize) -> Rule {
        match (table, chain) {
            (Nat, Kube("KUBE-SERVICES")) => match self.portals.get(at) {
                Some(portal) => self.portal(*portal),
                None => Rule { local: true, ..Rule::all(Target::Jump(Kube("KUBE-NODEPORTS"))) },
            },
            (Nat, Chain::Service(index)) => self.service_rule(index, at),
            (Nat, Chain::Endpoint(service, endpoint)) => self.endpoint_rule(service, endpoint, at),
            (Filter, Kube("KUBE-SERVICES")) => {
                let service = &self.services[self.empty[at] as usize];
                asks_for(service.address, service.protocol, Target::Reject)
            }
            _ => fixed(table, chain)[at],
        }
    }

    fn next(&self, table: TableName, chain: Chain, from: usize, packet: &Packet) -> usize {
        let (index, length) = match (table, chain) {
            (Nat, Kube("KUBE-SERVICES")) => (&self.portal_of, self.portals.len()),
            (Filter, Kube("KUBE-SERVICES")) => (&self.rejection_of, self.empty.len()),
            _ => return from,
        };
        let asked = index.get(&(packet.destination, packet.protocol)).copied();
        // A packet that was sent to a portal does not come back to the next one: its service's chain has an answer for it.
        asked.filter(|at| *at >= from).unwrap_or(length).max(from)
    }

    fn is_local(&self, address: Ipv4Addr) -> bool {
        self.addresses.is_local(address)
    }
}

/// kube-proxy sorts endpoints as text.
fn as_sorted(service: &Service) -> Service {
    let mut service = service.clone();
    service.endpoints.sort_by_cached_key(|Endpoint { address, .. }| address.to_string());
    service
}

fn asks_for(address: SocketAddrV4, protocol: Protocol, target: Target) -> Rule {
    let destination = Some(Range::host(*address.ip()));
    Rule { destination, protocol: Some(protocol), port: Some(address.port()), ..Rule::all(target) }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

const fn new(to: &'static str) -> Rule {
    Rule { state: Some(StateMatch::New), ..Rule::jump(to) }
}

const fn state(state: StateMatch, target: Target) -> Rule {
    Rule { state: Some(state), ..Rule::all(target) }
}

/// The rules that are there whatever the services.
fn fixed(table: TableName, chain: Chain) -> &'static [Rule] {
    match (table, chain) {
        (Nat, Prerouting | Output) => const { &[Rule::jump("KUBE-SERVICES")] },
        (Nat, Postrouting) => const { &[Rule::jump("KUBE-POSTROUTING")] },
        (Nat, Kube("KUBE-POSTROUTING")) => MASQUERADE,
        (Nat, Kube("KUBE-MARK-MASQ")) => const { &[Rule::all(Target::Mark)] },
        (Filter, Forward) => {
            const {
                &[
                    new("KUBE-PROXY-FIREWALL"),
                    Rule::jump("KUBE-FORWARD"),
                    new("KUBE-SERVICES"),
                    new("KUBE-EXTERNAL-SERVICES"),
                ]
            }
        }
        (Filter, Input) => {
            const {
                &[
                    Rule::jump("KUBE-FIREWALL"),
                    new("KUBE-PROXY-FIREWALL"),
                    Rule::jump("KUBE-NODEPORTS"),
                    new("KUBE-EXTERNAL-SERVICES"),
                ]
            }
        }
        (Filter, Output) => const { &[Rule::jump("KUBE-FIREWALL"), new("KUBE-PROXY-FIREWALL"), new("KUBE-SERVICES")] },
        (Filter, Kube("KUBE-FORWARD")) => {
            const {
                &[
                    state(StateMatch::Invalid, Target::Drop),
                    Rule { mark: Some(true), ..Rule::all(Target::Accept) },
                    state(StateMatch::Established, Target::Accept),
                ]
            }
        }
        (Filter, Kube("KUBE-FIREWALL")) => {
            const {
                &[Rule {
                    source: Some((Range::LOOPBACK, true)),
                    destination: Some(Range::LOOPBACK),
                    ..state(StateMatch::NotEstablishedNorDnat, Target::Drop)
                }]
            }
        }
        _ => &[],
    }
}

/// KUBE-POSTROUTING, which the IPVS mode has as well.
pub(crate) const MASQUERADE: &[Rule] = &[
    Rule { mark: Some(false), ..Rule::all(Target::Return) },
    Rule::all(Target::Unmark),
    Rule::all(Target::Masquerade),
];
