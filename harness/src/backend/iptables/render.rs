//! The restore input of one sync: kube-proxy's lines in kube-proxy's order.

use std::collections::HashSet;
use std::fmt::Write;

use super::ballast::Ballast;
use super::ruleset::Ruleset;
use crate::backend::names::{
    endpoint_chain, endpoint_name, external_chain, protocol, service_chain, service_port_name, sorted_endpoints,
};
use crate::workload::{Endpoint, Scheduling, Service, Workload};

/// Endpoints above which kube-proxy leaves comments out of the rules of services and endpoints ("large cluster").
const LARGE_CLUSTER: usize = 1000;
/// The object that counts invalid packets.
pub(crate) const INVALID_COUNTER: &str = "ct_state_invalid_dropped_pkts";

const FILTER_CHAINS: [&str; 6] = [
    "KUBE-SERVICES",
    "KUBE-EXTERNAL-SERVICES",
    "KUBE-FORWARD",
    "KUBE-NODEPORTS",
    "KUBE-PROXY-FIREWALL",
    "KUBE-FIREWALL",
];
const NAT_CHAINS: [&str; 4] = ["KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"];

const LOCALNET_RULE: &str = "-A KUBE-FIREWALL -m comment --comment \"block incoming localnet connections\" -d 127.0.0.0/8 ! -s \
                             127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP\n";
const FORWARD_RULES: &str = "-A KUBE-FORWARD -m comment --comment \"kubernetes forwarding rules\" -m mark --mark \
                             0x00004000/0x00004000 -j ACCEPT\n-A KUBE-FORWARD -m comment --comment \"kubernetes forwarding \
                             conntrack rule\" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n";
/// Masquerading of marked packets; the IPVS mode writes the same.
pub(crate) const MASQUERADE_RULES: &str = "-A KUBE-POSTROUTING -m mark ! --mark 0x00004000/0x00004000 -j RETURN\n\
                                           -A KUBE-POSTROUTING -j MARK --xor-mark 0x00004000\n\
                                           -A KUBE-POSTROUTING -m comment --comment \"kubernetes service traffic requiring \
                                           SNAT\" -j MASQUERADE --random-fully\n\
                                           -A KUBE-MARK-MASQ -j MARK --or-mark 0x00004000\n";
const NODEPORTS_RULE: &str = "-A KUBE-SERVICES -m comment --comment \"kubernetes service nodeports; NOTE: this must be the last \
                              rule in this chain\" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n";

/// Whether the kernel has the nfacct object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counter {
    Present,
    Absent,
}

/// Which services' own chains a sync writes. KUBE-SERVICES is written whole by every sync.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// A full sync.
    All,
    /// A partial sync after one service changed.
    Only(&'a Service),
}

impl Scope<'_> {
    fn covers(self, service: &Service) -> bool {
        match self {
            Self::All => true,
            Self::Only(changed) => changed.namespace == service.namespace && changed.name == service.name,
        }
    }
}

/// Whether kube-proxy calls the cluster large.
pub(crate) fn is_large(workload: &Workload) -> bool {
    workload.endpoint_count() > LARGE_CLUSTER
}

/// The input of one sync. `stale` are chains to be flushed and removed.
pub(crate) fn sync(workload: &Workload, scope: Scope<'_>, counter: Counter, stale: &[String]) -> String {
    let writer = Writer {
        cluster: workload.addresses.cluster_cidr.to_string(),
        large: is_large(workload),
        scheduling: workload.scheduling,
    };
    let mut nat = Nat::with_capacity(workload);
    let mut ballast = Ballast::of(workload);
    for service in workload.services.iter().filter(|service| !service.endpoints.is_empty()) {
        nat.portal(service);
        ballast.after(service, &mut nat);
        if scope.covers(service) {
            writer.service(service, &mut nat);
        }
    }
    nat.remove(stale);
    let mut text = filter_table(workload, counter);
    text.reserve(nat.chains.len() + nat.rules.len() + NODEPORTS_RULE.len() + 16);
    text.push_str("*nat\n");
    text.push_str(&nat.chains);
    text.push_str(&nat.rules);
    text.push_str(NODEPORTS_RULE);
    text.push_str("COMMIT\n");
    text
}

/// Services' chains in a saved nat table that `workload` has no use for.
pub(crate) fn stale_chains(workload: &Workload, saved: &str) -> Vec<String> {
    let in_use: HashSet<String> = workload.services.iter().flat_map(chains_of).collect();
    let chains = saved.lines().filter_map(|line| line.strip_prefix(':')?.split(' ').next());
    chains.filter(|chain| is_service_chain(chain) && !in_use.contains(*chain)).map(str::to_owned).collect()
}

/// Above the threshold kube-proxy leaves the chains of removed endpoints behind for a while, and rules that it wrote below the
/// threshold keep their comments: neither is a difference.
pub(crate) fn forget_large_cluster_leftovers(expected: &mut Ruleset, live: &mut Ruleset) {
    live.retain_chains(|table, chain| {
        table != "nat" || !is_service_chain(chain) || expected.table(table).is_some_and(|t| t.chain(chain).is_some())
    });
    for ruleset in [expected, live] {
        ruleset.strip_comments(is_service_chain);
    }
}

/// A small input with every match and target that the mode uses, in chains of its own.
pub(crate) fn readiness_probe(counter: Counter) -> String {
    let invalid = invalid_rule(counter);
    format!(
        "*filter\n:KUBE-FORWARD - [0:0]\n{invalid}{FORWARD_RULES}COMMIT\n*mangle\n:KUBE-PROXY-CANARY - [0:0]\nCOMMIT\n*nat\n\
         :KUBE-POSTROUTING - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n:KUBE-SERVICES - [0:0]\n:KUBE-NODEPORTS - [0:0]\n\
         :KUBE-SEP-PROBE - [0:0]\n{MASQUERADE_RULES}-A KUBE-SEP-PROBE -m tcp -p tcp -m statistic --mode random --probability \
         0.5000000000 -j DNAT --to-destination 192.0.2.1:80\n{NODEPORTS_RULE}COMMIT\n"
    )
}

fn chains_of(service: &Service) -> Vec<String> {
    if service.endpoints.is_empty() {
        return Vec::new();
    }
    let endpoints = service.endpoints.iter().map(|endpoint| endpoint_chain(service, endpoint));
    std::iter::once(service_chain(service)).chain(endpoints).collect()
}

pub(crate) fn is_service_chain(chain: &str) -> bool {
    chain.starts_with("KUBE-SVC-") || chain.starts_with("KUBE-SEP-")
}

fn filter_table(workload: &Workload, counter: Counter) -> String {
    let mut text = String::from("*filter\n");
    for chain in FILTER_CHAINS {
        let _ = writeln!(text, ":{chain} - [0:0]");
    }
    text.push_str(LOCALNET_RULE);
    for service in workload.services.iter().filter(|service| service.endpoints.is_empty()) {
        let (name, destination) = (service_port_name(service), destination(service));
        let _ =
            writeln!(text, "-A KUBE-SERVICES -m comment --comment \"{name} has no endpoints\" {destination} -j REJECT");
    }
    text.push_str(&invalid_rule(counter));
    text.push_str(FORWARD_RULES);
    text.push_str("COMMIT\n");
    text
}

fn invalid_rule(counter: Counter) -> String {
    let nfacct = match counter {
        Counter::Present => format!(" -m nfacct --nfacct-name {INVALID_COUNTER}"),
        Counter::Absent => String::new(),
    };
    format!("-A KUBE-FORWARD -m conntrack --ctstate INVALID{nfacct} -j DROP\n")
}

/// The chain lines and rules of the nat table, which kube-proxy collects apart.
pub(super) struct Nat {
    chains: String,
    pub(super) rules: String,
}

impl Nat {
    /// Room for every line: 10,000 services are ten megabytes, and growing would copy them several times.
    fn with_capacity(workload: &Workload) -> Self {
        let (services, endpoints) = (workload.services.len(), workload.endpoint_count());
        let mut chains = String::with_capacity(256 + 40 * (services + endpoints));
        for chain in NAT_CHAINS {
            let _ = writeln!(chains, ":{chain} - [0:0]");
        }
        let mut rules = String::with_capacity(1024 + 400 * services + 400 * endpoints);
        rules.push_str(MASQUERADE_RULES);
        Self { chains, rules }
    }

    fn portal(&mut self, service: &Service) {
        let (name, destination, chain) = (service_port_name(service), destination(service), service_chain(service));
        let _ = writeln!(
            self.rules,
            "-A KUBE-SERVICES -m comment --comment \"{name} cluster IP\" {destination} -j {chain}"
        );
    }

    fn chain(&mut self, name: &str) {
        let _ = writeln!(self.chains, ":{name} - [0:0]");
    }

    fn remove(&mut self, stale: &[String]) {
        for chain in stale {
            self.chain(chain);
            let _ = writeln!(self.rules, "-X {chain}");
        }
    }
}

struct Writer {
    cluster: String,
    large: bool,
    scheduling: Scheduling,
}

impl Writer {
    fn service(&self, service: &Service, nat: &mut Nat) {
        let (name, chain) = (service_port_name(service), service_chain(service));
        let (destination, cluster) = (destination(service), &self.cluster);
        let _ = writeln!(
            nat.rules,
            "-A {chain} -m comment --comment \"{name} cluster IP\" {destination} ! -s {cluster} -j KUBE-MARK-MASQ"
        );
        nat.chain(&chain);
        let endpoints = sorted_endpoints(service);
        let chains: Vec<String> = endpoints.iter().map(|endpoint| endpoint_chain(service, endpoint)).collect();
        let shares: Vec<u32> = endpoints.iter().map(|endpoint| self.scheduling.times(service, endpoint)).collect();
        for (index, (endpoint, endpoint_chain)) in endpoints.iter().zip(&chains).enumerate() {
            self.balance(nat, &chain, &name, endpoint, endpoint_chain, &shares[index..]);
        }
        for (endpoint, chain) in endpoints.iter().zip(&chains) {
            self.endpoint(nat, chain, &name, endpoint, protocol(service.protocol));
        }
    }

    /// The rule that sends an endpoint its share of the flows that come so far; `shares` begin with its own.
    fn balance(&self, nat: &mut Nat, chain: &str, name: &str, endpoint: &Endpoint, to: &str, shares: &[u32]) {
        let _ = write!(nat.rules, "-A {chain}");
        if !self.large {
            let _ = write!(nat.rules, " -m comment --comment \"{name} -> {}\"", endpoint_name(endpoint));
        }
        if shares.len() > 1 {
            let probability = probability(shares);
            let _ = write!(nat.rules, " -m statistic --mode random --probability {probability}");
        }
        let _ = writeln!(nat.rules, " -j {to}");
    }

    fn endpoint(&self, nat: &mut Nat, chain: &str, name: &str, endpoint: &Endpoint, protocol: &str) {
        nat.chain(chain);
        let comment = if self.large { String::new() } else { format!(" -m comment --comment {name}") };
        let (addr, destination) = (endpoint.addr, endpoint_name(endpoint));
        let _ = writeln!(nat.rules, "-A {chain}{comment} -s {addr} -j KUBE-MARK-MASQ");
        let _ = writeln!(
            nat.rules,
            "-A {chain}{comment} -m {protocol} -p {protocol} -j DNAT --to-destination {destination}"
        );
    }
}

/// Restore input that gives a service a load balancer's address: a portal of its own, and the chain of what comes from outside (pkg/proxy/iptables/proxier.go,
/// "Capture load-balancer ingress", `externalTrafficChain`). The portal comes first, for the last rule of its chain must stay the last.
pub(super) fn exposed(service: &Service) -> String {
    let (name, external, chain) = (service_port_name(service), external_chain(service), service_chain(service));
    let destination = destination(service);
    format!(
        "*nat\n:{external} - [0:0]\n\
         -A {external} -m comment --comment \"masquerade traffic for {name} external destinations\" -j KUBE-MARK-MASQ\n\
         -A {external} -j {chain}\n\
         -I KUBE-SERVICES -m comment --comment \"{name} loadbalancer IP\" {destination} -j {external}\nCOMMIT\n"
    )
}

pub(super) fn destination(service: &Service) -> String {
    let protocol = protocol(service.protocol);
    format!("-m {protocol} -p {protocol} -d {} --dport {}", service.vip, service.port)
}

/// The first share of all with ten decimals: where all are 1, one over their number, as kube-proxy writes it.
fn probability(shares: &[u32]) -> String {
    let all: u64 = shares.iter().copied().map(u64::from).sum();
    format!("{:.10}", f64::from(shares[0]) / all as f64)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::backend::golden;

    #[test]
    fn rendered_partial_syncs() {
        let workload = golden::workload();
        let stale = ["KUBE-SEP-AAAAAAAAAAAAAAAA".to_owned()];
        let changed = Scope::Only(&workload.services[1]);
        golden::assert(
            "iptables-partial",
            &[
                ("svc-1 changed, a stale chain removed", sync(&workload, changed, Counter::Present, &stale)),
                ("the same without nfacct", sync(&workload, changed, Counter::Absent, &[])),
            ],
        );
    }

    #[test]
    fn a_bias_is_another_probability() {
        assert_eq!([&[1_u32, 1, 1][..], &[1, 1]].map(probability), ["0.3333333333", "0.5000000000"]);
        assert_eq!([&[2_u32, 1, 1][..], &[1, 2]].map(probability), ["0.5000000000", "0.3333333333"]);
    }

    #[test]
    fn an_exposed_service_has_a_portal_in_front_and_its_external_chain() {
        let text = exposed(&Service { vip: Ipv4Addr::new(203, 0, 113, 80), ..golden::service() });
        let lines: Vec<_> = text.lines().collect();
        let [table, chain, masquerade, on, portal, commit] = lines[..] else { panic!("{text}") };
        assert_eq!((table, commit), ("*nat", "COMMIT"));
        let name = chain.strip_prefix(':').and_then(|chain| chain.strip_suffix(" - [0:0]")).expect("a chain");
        assert!(name.starts_with("KUBE-EXT-"), "{name}");
        assert!(masquerade.starts_with(&format!("-A {name} ")) && masquerade.ends_with(" -j KUBE-MARK-MASQ"));
        assert_eq!(on, format!("-A {name} -j {}", service_chain(&golden::service())));
        assert!(portal.starts_with("-I KUBE-SERVICES ") && portal.contains(" -d 203.0.113.80 "), "{portal}");
        assert!(portal.ends_with(&format!(" -j {name}")), "{portal}");
    }

    #[test]
    fn only_services_chains_can_be_stale() {
        let workload = golden::workload();
        let text = sync(&workload, Scope::All, Counter::Present, &[]);
        assert_eq!(stale_chains(&workload, &text), Vec::<String>::new());
        let other = format!("{text}:KUBE-SEP-AAAAAAAAAAAAAAAA - [0:0]\n:OTHER - [0:0]\n");
        assert_eq!(stale_chains(&workload, &other), ["KUBE-SEP-AAAAAAAAAAAAAAAA"]);
    }
}
