//! A new flow's packet through the transaction that is programmed, rule by rule as its text says, beside the model.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use datapath_sim::{Datapath, Decision, Nftables, Packet, Protocol};
use ipnet::Ipv4Net;

use super::super::{backend, golden};
use super::workload;
use crate::result::BackendKind;
use crate::venue::sim::Site;
use crate::workload::Workload;

/// Hooks that a packet passes before its route, and behind it: one that is forwarded, and one for the node itself.
const BEFORE: [&str; 2] = ["filter-prerouting-pre-dnat", "nat-prerouting"];
const FORWARDED: &[&str] = &["filter-forward", "nat-postrouting"];
const LOCAL: &[&str] = &["filter-input"];

/// Rules by chain and elements by set or map.
struct Programmed<'a> {
    rules: HashMap<&'a str, Vec<&'a str>>,
    elements: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Programmed<'a> {
    fn read(text: &'a str) -> Self {
        let mut programmed = Self { rules: HashMap::new(), elements: HashMap::new() };
        let of = |line: &'a str, command: &str| line.strip_prefix(command)?.split_once(' ');
        for line in text.lines() {
            if let Some((chain, rule)) = of(line, "add rule ip kube-proxy ") {
                let rule = rule.split(" comment \"").next().unwrap_or(rule);
                programmed.rules.entry(chain).or_default().push(rule);
            } else if let Some((name, element)) = of(line, "add element ip kube-proxy ") {
                let element = element.trim_start_matches("{ ").trim_end_matches(" }");
                programmed.elements.entry(name).or_default().push(element);
            }
        }
        programmed
    }

    /// What a map holds for a key.
    fn value(&self, map: &str, key: &str) -> Option<&'a str> {
        let elements = self.elements.get(map).into_iter().flatten();
        let of_key = |element: &'a str| {
            let rest = element.strip_prefix(key).filter(|rest| rest.starts_with(' '))?;
            rest.rsplit_once(" : ").map(|(_, value)| value)
        };
        elements.filter_map(|element| of_key(element)).next()
    }

    fn holds(&self, set: &str, address: Ipv4Addr) -> bool {
        self.elements.get(set).is_some_and(|elements| elements.contains(&address.to_string().as_str()))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accept,
    Drop,
    Reject,
}

/// A packet on its way, and what it has met.
struct Walk<'a> {
    programmed: &'a Programmed<'a>,
    node: Ipv4Addr,
    packet: Packet,
    /// Endpoints among which one is drawn.
    drawn: Vec<SocketAddrV4>,
    mark: bool,
    masquerade: bool,
    rules: u64,
    chains: u64,
}

impl<'a> Walk<'a> {
    /// What the hooks make of it; nothing: it leaves as it is.
    fn hooks(&mut self) -> Option<Verdict> {
        for hook in BEFORE {
            self.chain(hook);
        }
        if let Some(first) = self.drawn.first() {
            self.packet.destination = *first;
        }
        let behind = if *self.packet.destination.ip() == self.node { LOCAL } else { FORWARDED };
        for hook in behind {
            match self.chain(hook) {
                Some(Verdict::Accept) | None => {}
                end => return end,
            }
        }
        None
    }

    fn chain(&mut self, name: &str) -> Option<Verdict> {
        self.chains += 1;
        let programmed = self.programmed;
        for rule in programmed.rules.get(name).into_iter().flatten() {
            self.rules += 1;
            if let Some(verdict) = self.rule(rule) {
                return Some(verdict);
            }
        }
        None
    }

    /// Reads a rule from its left, as the kernel does: what does not match ends it.
    fn rule(&mut self, rule: &'a str) -> Option<Verdict> {
        let Packet { source, destination, protocol } = self.packet;
        let protocol = if protocol == Protocol::Tcp { "tcp" } else { "udp" };
        let service = format!("{protocol} . {}", destination.port());
        let mut words: Vec<_> = rule.split(' ').collect();
        loop {
            let taken = match words[..] {
                [] => return None,
                ["ct", "state", "new", ..] => 3,
                ["ct", "status", "dnat", ..] if self.drawn.is_empty() => return None,
                ["ct", "status", "dnat", ..] => 3,
                // Endpoints of other nodes are in no hairpin.
                ["ip", "saddr", ".", "ip", "daddr", ".", "meta", "l4proto", ".", "th", "dport", set, ..] => {
                    assert!(!self.programmed.elements.contains_key(&set[1..]), "{rule}");
                    return None;
                }
                ["mark", "and", "0x00004000", "!=", "0", ..] if !self.mark => return None,
                ["mark", "and", "0x00004000", "!=", "0", ..] => 5,
                ["mark", "set", "mark", change, "0x00004000", ..] => {
                    self.mark = change == "or";
                    5
                }
                ["masquerade", "fully-random"] => {
                    self.masquerade = true;
                    return Some(Verdict::Accept);
                }
                ["jump", to] => return self.chain(to),
                ["ip", "daddr", ".", "meta", "l4proto", ".", "th", "dport", "vmap", map] => {
                    return self.goto(map, &format!("{} . {service}", destination.ip()));
                }
                ["meta", "l4proto", ".", "th", "dport", "vmap", map] => return self.goto(map, &service),
                ["meta", "l4proto", wanted, ..] if wanted != protocol => return None,
                ["meta", "l4proto", _, ..] => 3,
                ["ip", "daddr", "{", range, "}", ..] if !holds(range, *destination.ip()) => return None,
                ["ip", "daddr", "{", _, "}", ..] => 5,
                ["ip", "daddr", set, ..] if !self.programmed.holds(&set[1..], *destination.ip()) => return None,
                ["ip", "daddr", _, ..] => 3,
                ["ip", "saddr", "!=", range, ..] if holds(range, *source.ip()) => return None,
                ["ip", "saddr", "!=", _, ..] => 4,
                ["dnat", "ip", "addr", ".", "port", "to", "numgen", "random", "mod", _, "map", ..] => {
                    self.drawn = endpoints(rule);
                    return Some(Verdict::Accept);
                }
                ["reject"] => return Some(Verdict::Reject),
                ["drop"] => return Some(Verdict::Drop),
                _ => panic!("no such rule is known: {rule:?} at {words:?}"),
            };
            words.drain(..taken);
        }
    }

    /// To the chain of a map's element, from which there is no way back into this one.
    fn goto(&mut self, map: &str, key: &str) -> Option<Verdict> {
        let chain = self.programmed.value(&map[1..], key)?.strip_prefix("goto ").expect("maps lead to chains");
        self.chain(chain)
    }
}

fn holds(range: &str, address: Ipv4Addr) -> bool {
    range.parse::<Ipv4Net>().expect("a range").contains(&address)
}

/// The endpoints of `... map { 0 : 10.128.0.2 . 8080 , ... }`.
fn endpoints(rule: &str) -> Vec<SocketAddrV4> {
    let elements = rule.split_once(" map { ").expect("a map").1.trim_end_matches(" }").split(" , ");
    let address = |element: &str| {
        let (address, port) = element.split_once(" : ").and_then(|(_, to)| to.split_once(" . ")).expect("an endpoint");
        SocketAddrV4::new(address.parse().expect("an address"), port.parse().expect("a port"))
    };
    elements.map(address).collect()
}

/// New flows to every service, to other ports and the other protocol of its VIP, to a VIP that nobody has, to a pod, elsewhere and to the node, each
/// from inside the cluster and from outside.
fn packets(workload: &Workload) -> Vec<Packet> {
    let services = workload.services.iter().map(|service| SocketAddrV4::new(service.vip, service.port));
    let mut destinations: Vec<_> = services.clone().collect();
    destinations.extend(services.map(|address| SocketAddrV4::new(*address.ip(), 81)));
    let pod = workload.services[0].endpoints[0];
    destinations.extend([
        SocketAddrV4::new(pod.addr, pod.port),
        SocketAddrV4::new(Ipv4Addr::new(10, 64, 200, 9), 80),
        SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, 1), 80),
        SocketAddrV4::new(workload.addresses.node_addr, 80),
    ]);
    let mut packets = Vec::new();
    for destination in destinations {
        for source in [Ipv4Addr::new(10, 248, 0, 1), Ipv4Addr::new(203, 0, 113, 7)] {
            for protocol in [Protocol::Tcp, Protocol::Udp] {
                packets.push(Packet { source: SocketAddrV4::new(source, 40_000), destination, protocol });
            }
        }
    }
    packets
}

fn assert_same_walk(workload: &Workload) {
    let text = backend(BackendKind::Nftables).render(workload).to_text();
    let (programmed, site) = (Programmed::read(&text), Site::of(workload.clone()));
    for packet in packets(workload) {
        let (drawn, mark, masquerade) = (Vec::new(), false, false);
        let (programmed, node) = (&programmed, site.addresses.node);
        let mut walk = Walk { programmed, node, packet, drawn, mark, masquerade, rules: 0, chains: 0 };
        let verdict = walk.hooks();
        let model = Nftables::new(site.addresses, &site.services, 1).process(&packet);
        let agrees = match model.decision {
            Decision::Endpoint(endpoint) => verdict.is_none() && walk.drawn.contains(&endpoint),
            Decision::Route => verdict.is_none() && walk.drawn.is_empty(),
            Decision::Reject => verdict == Some(Verdict::Reject),
            Decision::Drop => verdict == Some(Verdict::Drop),
        };
        assert!(agrees, "{packet:?}: the text says {verdict:?} of {:?}, the model {:?}", walk.drawn, model.decision);
        let masqueraded = model.packet.source.ip() != packet.source.ip();
        assert_eq!(
            (model.steps.rules, model.steps.chains, masqueraded),
            (walk.rules, walk.chains, walk.masquerade),
            "{packet:?}"
        );
    }
}

#[test]
fn the_models_walk_is_that_through_the_nftables_rules_that_are_programmed() {
    assert_same_walk(&golden::workload());
    assert_same_walk(&workload());
}
