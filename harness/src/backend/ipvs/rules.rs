//! The iptables rules of the IPVS mode: they match sets, so their number does not grow.

use std::fmt::Write;

use crate::backend::iptables::{Jump, MASQUERADE_RULES, jump, removal, table_text};
use crate::workload::AddressPlan;

const NAT_CHAINS: [&str; 5] =
    ["KUBE-SERVICES", "KUBE-POSTROUTING", "KUBE-NODE-PORT", "KUBE-LOAD-BALANCER", "KUBE-MARK-MASQ"];
const FILTER_CHAINS: [&str; 6] = [
    "KUBE-FORWARD",
    "KUBE-NODE-PORT",
    "KUBE-PROXY-FIREWALL",
    "KUBE-SOURCE-RANGES-FIREWALL",
    "KUBE-IPVS-FILTER",
    "KUBE-IPVS-OUT-FILTER",
];

const PORTALS: &str = "-m comment --comment \"kubernetes service portals\"";
const FIREWALL: &str = "-m comment --comment \"kube-proxy firewall rules\"";
const ACCESS: &str = "-m comment --comment \"kubernetes ipvs access filter\"";

/// Jumps in the order in which the IPVS mode puts them in front of each other: the last one of a chain stands first.
const JUMPS: [Jump; 9] = [
    jump("nat", "OUTPUT", PORTALS, "KUBE-SERVICES"),
    jump("nat", "PREROUTING", PORTALS, "KUBE-SERVICES"),
    jump("nat", "POSTROUTING", "-m comment --comment \"kubernetes postrouting rules\"", "KUBE-POSTROUTING"),
    jump("filter", "FORWARD", "-m comment --comment \"kubernetes forwarding rules\"", "KUBE-FORWARD"),
    jump("filter", "INPUT", "-m comment --comment \"kubernetes health check rules\"", "KUBE-NODE-PORT"),
    jump("filter", "INPUT", FIREWALL, "KUBE-PROXY-FIREWALL"),
    jump("filter", "FORWARD", FIREWALL, "KUBE-PROXY-FIREWALL"),
    jump("filter", "INPUT", ACCESS, "KUBE-IPVS-FILTER"),
    jump("filter", "OUTPUT", ACCESS, "KUBE-IPVS-OUT-FILTER"),
];

const NAT_RULES: &str = "\
-A KUBE-SERVICES -s 127.0.0.0/8 -j RETURN
-A KUBE-SERVICES -m comment --comment \"Kubernetes service cluster ip + port for masquerade purpose\" -m set --match-set KUBE-CLUSTER-IP dst,dst ! -s CLUSTER-CIDR -j KUBE-MARK-MASQ
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT
-A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ
-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT
";

const FILTER_RULES: &str = "\
-A KUBE-SOURCE-RANGES-FIREWALL -j DROP
-A KUBE-FORWARD -m comment --comment \"kubernetes forwarding rules\" -m mark --mark 0x00004000/0x00004000 -j ACCEPT
-A KUBE-FORWARD -m comment --comment \"kubernetes forwarding conntrack rule\" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A KUBE-NODE-PORT -m comment --comment \"Kubernetes health check node port\" -m set --match-set KUBE-HEALTH-CHECK-NODE-PORT dst -j ACCEPT
-A KUBE-IPVS-FILTER -m set --match-set KUBE-LOAD-BALANCER dst,dst -j RETURN
-A KUBE-IPVS-FILTER -m set --match-set KUBE-CLUSTER-IP dst,dst -j RETURN
-A KUBE-IPVS-FILTER -m set --match-set KUBE-EXTERNAL-IP dst,dst -j RETURN
-A KUBE-IPVS-FILTER -m set --match-set KUBE-EXTERNAL-IP-LOCAL dst,dst -j RETURN
-A KUBE-IPVS-FILTER -m set --match-set KUBE-HEALTH-CHECK-NODE-PORT dst -j RETURN
-A KUBE-IPVS-FILTER -m conntrack --ctstate NEW -m set --match-set KUBE-IPVS-IPS dst -j REJECT
";

/// Restore input of the rules that are there while a service has a load balancer's address (pkg/proxy/ipvs/proxier.go, `ipsetWithIptablesChain`
/// and `acceptIPVSTraffic`): both in front, for what they match no other rule does.
pub(super) const LOAD_BALANCER: &str = "\
*nat
-I KUBE-SERVICES -m set --match-set KUBE-LOAD-BALANCER dst,dst -j ACCEPT
-I KUBE-SERVICES -m comment --comment \"Kubernetes service lb portal\" -m set --match-set KUBE-LOAD-BALANCER dst,dst -j KUBE-LOAD-BALANCER
COMMIT
";

/// Restore input that takes out the filter that kube-proxy has since v1.27.
pub(super) fn filter_removal() -> String {
    removal("filter", &JUMPS, &["KUBE-IPVS-FILTER", "KUBE-IPVS-OUT-FILTER"])
}

/// The chains that kube-proxy creates and hooks in when it starts. nat comes first, as in the dumps, where the table touched
/// last is listed first.
pub(super) fn jumps() -> String {
    table_text("nat", &JUMPS, &[]) + &table_text("filter", &JUMPS, &["KUBE-SOURCE-RANGES-FIREWALL"])
}

/// The restore input of every sync.
pub(super) fn sync(addresses: &AddressPlan) -> String {
    let mut text = String::from("*nat\n");
    chains(&mut text, &NAT_CHAINS);
    text.push_str(&NAT_RULES.replace("CLUSTER-CIDR", &addresses.cluster_cidr.to_string()));
    text.push_str(MASQUERADE_RULES);
    text.push_str("COMMIT\n*filter\n");
    chains(&mut text, &FILTER_CHAINS);
    text.push_str(FILTER_RULES);
    text.push_str("COMMIT\n");
    text
}

fn chains(text: &mut String, names: &[&str]) {
    for name in names {
        let _ = writeln!(text, ":{name} - [0:0]");
    }
}
