//! The chains that kube-proxy hooks into the built-in ones when it starts, and its canaries.
//!
//! kube-proxy makes them with some forty calls of `iptables -N` and `iptables -I`. One restore input has the same effect, so
//! that is what is run here: the same rules in the same order, at a constant cost that no curve depends on.

use std::fmt::Write;

/// A rule put in front of a built-in chain, whose target chain is created where it is missing.
pub(crate) struct Jump {
    /// Table.
    pub(crate) table: &'static str,
    /// Built-in chain.
    pub(crate) from: &'static str,
    /// Matches and comment, in restore syntax.
    pub(crate) matches: &'static str,
    /// Target chain.
    pub(crate) to: &'static str,
}

/// Short form for tables of jumps.
pub(crate) const fn jump(table: &'static str, from: &'static str, matches: &'static str, to: &'static str) -> Jump {
    Jump { table, from, matches, to }
}

const NEW_FIREWALL: &str = "-m conntrack --ctstate NEW -m comment --comment \"kubernetes load balancer firewall\"";
const NEW_EXTERNAL: &str =
    "-m conntrack --ctstate NEW -m comment --comment \"kubernetes externally-visible service portals\"";
const NEW_PORTALS: &str = "-m conntrack --ctstate NEW -m comment --comment \"kubernetes service portals\"";
const PORTALS: &str = "-m comment --comment \"kubernetes service portals\"";
const POSTROUTING: &str = "-m comment --comment \"kubernetes postrouting rules\"";
const HEALTH: &str = "-m comment --comment \"kubernetes health check service ports\"";
const FORWARDING: &str = "-m comment --comment \"kubernetes forwarding rules\"";

/// Jumps in the order in which the iptables mode puts them in front of each other: the last one of a chain stands first.
pub(crate) const KUBE_PROXY: [Jump; 14] = [
    jump("filter", "INPUT", NEW_EXTERNAL, "KUBE-EXTERNAL-SERVICES"),
    jump("filter", "FORWARD", NEW_EXTERNAL, "KUBE-EXTERNAL-SERVICES"),
    jump("filter", "INPUT", HEALTH, "KUBE-NODEPORTS"),
    jump("filter", "FORWARD", NEW_PORTALS, "KUBE-SERVICES"),
    jump("filter", "OUTPUT", NEW_PORTALS, "KUBE-SERVICES"),
    jump("filter", "FORWARD", FORWARDING, "KUBE-FORWARD"),
    jump("filter", "INPUT", NEW_FIREWALL, "KUBE-PROXY-FIREWALL"),
    jump("filter", "OUTPUT", NEW_FIREWALL, "KUBE-PROXY-FIREWALL"),
    jump("filter", "FORWARD", NEW_FIREWALL, "KUBE-PROXY-FIREWALL"),
    jump("nat", "OUTPUT", PORTALS, "KUBE-SERVICES"),
    jump("nat", "PREROUTING", PORTALS, "KUBE-SERVICES"),
    jump("nat", "POSTROUTING", POSTROUTING, "KUBE-POSTROUTING"),
    jump("filter", "INPUT", "", "KUBE-FIREWALL"),
    jump("filter", "OUTPUT", "", "KUBE-FIREWALL"),
];

/// Tables in the order in which they must be touched first for `iptables-legacy-save` to list them as kube-proxy's dumps do.
const TABLES: [&str; 3] = ["nat", "mangle", "filter"];

/// Restore input with the canary chains of all three tables and `jumps`.
pub(crate) fn text(jumps: &[Jump]) -> String {
    TABLES.iter().map(|table| table_text(table, jumps, &["KUBE-PROXY-CANARY"])).collect()
}

/// Restore input of one table.
pub(crate) fn table_text(table: &str, jumps: &[Jump], extra_chains: &[&str]) -> String {
    let ours: Vec<&Jump> = jumps.iter().filter(|jump| jump.table == table).collect();
    let mut text = format!("*{table}\n");
    let mut chains = extra_chains.to_vec();
    for jump in &ours {
        if !chains.contains(&jump.to) {
            chains.push(jump.to);
        }
    }
    for chain in chains {
        let _ = writeln!(text, ":{chain} - [0:0]");
    }
    for Jump { from, matches, to, .. } in ours {
        let separator = if matches.is_empty() { "" } else { " " };
        let _ = writeln!(text, "-I {from}{separator}{matches} -j {to}");
    }
    text.push_str("COMMIT\n");
    text
}

/// Restore input that takes out the jumps of a table to some chains, which stay.
pub(crate) fn removal(table: &str, jumps: &[Jump], targets: &[&str]) -> String {
    let mut text = format!("*{table}\n");
    for Jump { from, matches, to, .. } in jumps.iter().filter(|jump| jump.table == table && targets.contains(&jump.to))
    {
        let separator = if matches.is_empty() { "" } else { " " };
        let _ = writeln!(text, "-D {from}{separator}{matches} -j {to}");
    }
    text.push_str("COMMIT\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_its_canary_and_each_target_one_chain_line() {
        let text = text(&KUBE_PROXY);
        assert_eq!(text.matches(":KUBE-PROXY-CANARY - [0:0]").count(), 3);
        assert_eq!(text.matches("\n:KUBE-EXTERNAL-SERVICES ").count(), 1);
        assert_eq!(text.matches("\n-I ").count(), KUBE_PROXY.len());
        assert!(text.contains("\n-I INPUT -j KUBE-FIREWALL\n"));
    }

    #[test]
    fn a_removal_names_every_jump_to_its_chains_and_no_other() {
        let text = removal("filter", &KUBE_PROXY, &["KUBE-PROXY-FIREWALL"]);
        assert_eq!(text.matches("\n-D ").count(), 3);
        assert_eq!(text.matches("-j KUBE-PROXY-FIREWALL\n").count(), 3);
        assert!(text.starts_with("*filter\n-D INPUT -m conntrack ") && text.ends_with("COMMIT\n"));
    }
}
