//! Holds the rules of `datapath-sim`'s models against those that are programmed, so that the two cannot drift apart: every chain
//! has the same rules in the same order, comments and packet counters aside, and neither has a chain that the other lacks. The nftables
//! model has no rules of that kind: new flows are walked through the programmed text instead.

mod nftables;

use std::num::NonZeroU32;

use datapath_sim::Table;
use datapath_sim::netfilter::{Chain, Rule, TableName, Target};

use super::iptables::Ruleset;
use super::names::{endpoint_chain, service_chain, sorted_endpoints};
use super::{backend, golden};
use crate::result::BackendKind;
use crate::venue::sim::Site;
use crate::workload::{self, Workload};

/// Chains of the IPVS mode whose rules no packet of a ClusterIP service reaches.
const UNREACHED: [&str; 2] = ["KUBE-LOAD-BALANCER", "KUBE-SOURCE-RANGES-FIREWALL"];

/// Five services with three endpoints each: one over UDP, two without endpoints, and ballast.
fn workload() -> Workload {
    let mut workload = golden::workload();
    let template = workload.services[0].clone();
    for (index, service) in workload.services.iter_mut().enumerate() {
        // Eleven endpoints sort otherwise as text than as numbers.
        service.endpoints = (0..11).map(|at| pod(index as u8, at)).collect();
    }
    workload.services[1].protocol = workload::Protocol::Udp;
    for name in ["empty-0", "empty-1"] {
        let vip = (u32::from(template.vip) + 100 + name.len() as u32 + u32::from(name.ends_with('1'))).into();
        workload.services.push(workload::Service { name: name.into(), vip, endpoints: Vec::new(), ..template.clone() });
    }
    workload
}

fn pod(service: u8, at: u8) -> workload::Endpoint {
    workload::Endpoint { addr: [10, 130, service, at + 1].into(), port: 8080 }
}

/// What a backend programs, without comments and packet counters.
fn programmed(kind: BackendKind, workload: &Workload) -> Ruleset {
    let mut ruleset = Ruleset::default();
    for document in backend(kind).render(workload).documents {
        if document.command.contains("iptables") {
            ruleset.restore(&without_comments(&document.text)).expect("what is programmed can be read");
        }
    }
    ruleset
}

fn without_comments(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    let next = |text: &str| [" -m comment --comment ", " -m nfacct "].iter().filter_map(|start| text.find(start)).min();
    while let Some(start) = next(rest) {
        kept.push_str(&rest[..start]);
        let option = &rest[start..];
        let words =
            if option.starts_with(" -m nfacct") { " -m nfacct --nfacct-name " } else { " -m comment --comment " };
        let value = &option[words.len()..];
        let end = match value.strip_prefix('"') {
            Some(quoted) => quoted.find('"').expect("a quote that is closed") + 2,
            None => value.find(' ').expect("a rule goes on"),
        };
        rest = &value[end..];
    }
    kept + rest
}

/// The chains of the kernel's own, where every packet enters a table.
const HOOKED: [Chain; 5] = [Chain::Prerouting, Chain::Input, Chain::Forward, Chain::Output, Chain::Postrouting];

/// The model's chain of a name, and back.
struct Names<'a>(&'a Workload);

impl Names<'_> {
    fn name(&self, chain: Chain) -> String {
        let builtin = match chain {
            Chain::Prerouting => "PREROUTING",
            Chain::Input => "INPUT",
            Chain::Forward => "FORWARD",
            Chain::Output => "OUTPUT",
            Chain::Postrouting => "POSTROUTING",
            Chain::Kube(name) => name,
            Chain::Service(index) => return service_chain(&self.0.services[index as usize]),
            Chain::Endpoint(index, at) => {
                let service = &self.0.services[index as usize];
                return endpoint_chain(service, &sorted_endpoints(service)[at as usize]);
            }
        };
        builtin.to_owned()
    }

    fn chain(&self, name: &str) -> Chain {
        let services = (0..).zip(&self.0.services);
        let own = services.flat_map(|(index, service)| {
            let endpoints = (0..service.endpoints.len()).map(move |at| Chain::Endpoint(index, at as u32));
            std::iter::once(Chain::Service(index)).chain(endpoints)
        });
        let known = HOOKED.into_iter().chain(own).find(|chain| self.name(*chain) == name);
        known.unwrap_or_else(|| Chain::Kube(name.to_owned().leak()))
    }
}

/// Every chain that a packet can reach in a table of the model.
fn reachable(of_model: &dyn Fn(Chain) -> Vec<Rule>) -> Vec<Chain> {
    let mut chains = HOOKED.to_vec();
    let mut at = 0;
    while let Some(chain) = chains.get(at).copied() {
        at += 1;
        for rule in of_model(chain) {
            match rule.target {
                Target::Jump(to) if !chains.contains(&to) => chains.push(to),
                _ => {}
            }
        }
    }
    chains
}

/// Compares every chain of the nat and filter tables: those that are programmed with the model's, and those that the model reaches with
/// what is programmed.
fn assert_same_rules(kind: BackendKind, workload: &Workload, of_model: &dyn Fn(TableName, Chain) -> Vec<Rule>) {
    let (programmed, names) = (programmed(kind, workload), Names(workload));
    let mut compared = 0;
    for (table, name) in [(TableName::Nat, "nat"), (TableName::Filter, "filter")] {
        let table_of = programmed.table(name).expect("programmed");
        // A chain of the kernel's own is there without being programmed.
        let is_there = |chain: &Chain| {
            let own = HOOKED.contains(chain) && of_model(table, *chain).is_empty();
            own || table_of.chain(&names.name(*chain)).is_some()
        };
        let surplus = reachable(&|chain| of_model(table, chain)).into_iter().filter(|chain| !is_there(chain));
        assert_eq!(surplus.collect::<Vec<_>>(), [], "{kind:?} {name}: chains of the model only");
        for chain in table_of.chains() {
            if UNREACHED.contains(&chain.name.as_str()) {
                continue;
            }
            let rules = of_model(table, names.chain(&chain.name));
            let line = |rule: &Rule| format!("-A {} {}\n", chain.name, rule.text(&|to| names.name(to)));
            let mut model = Ruleset::default();
            model
                .restore(&format!("*{name}\n{}COMMIT\n", rules.iter().map(line).collect::<String>()))
                .expect("readable");
            let model = model.table(name).and_then(|table| table.chain(&chain.name));
            assert_eq!(model.map_or(&[][..], |chain| &chain.rules), chain.rules, "{kind:?} {name} {}", chain.name);
            compared += rules.len();
        }
    }
    assert!(compared > 20, "only {compared} rules were compared");
}

#[test]
fn the_models_iptables_rules_are_those_that_are_programmed() {
    let mut workload = workload();
    workload.ballast = NonZeroU32::new(2);
    let site = Site::of(workload.clone());
    for kind in [BackendKind::IptablesLegacy, BackendKind::IptablesNft] {
        let model = site.iptables(1);
        assert_same_rules(kind, &workload, &|table, chain| model.rules(table, chain).collect());
    }
}

#[test]
fn the_models_ipvs_rules_are_those_that_are_programmed() {
    let workload = workload();
    let site = Site::of(workload.clone());
    let model = site.ipvs(Table::Fixed256, 1);
    assert_same_rules(BackendKind::Ipvs, &workload, &|table, chain| model.rules(table, chain).collect());
}
