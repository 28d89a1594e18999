//! Tables, chains and rules: what a restore input leads to, and what a save shows.

use std::collections::{HashMap, HashSet};

use super::rule::{canonical, words};
use crate::backend::BackendError;

/// Built-in chains of the tables that kube-proxy uses.
const BUILT_IN: [(&str, &[&str]); 3] = [
    ("filter", &["INPUT", "FORWARD", "OUTPUT"]),
    ("mangle", &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]),
    ("nat", &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"]),
];

/// Why a text is no restore input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {number} ({line:?}): {reason}")]
pub struct RulesetError {
    /// Line number, from 1.
    pub number: usize,
    /// The line.
    pub line: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl From<RulesetError> for BackendError {
    fn from(error: RulesetError) -> Self {
        Self::Parse { what: "iptables rules".into(), reason: error.to_string() }
    }
}

/// A chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Name.
    pub name: String,
    /// `ACCEPT` or `DROP` for a built-in chain, `-` for any other.
    pub policy: String,
    /// Rules in order and in one canonical spelling, without the chain's name.
    pub rules: Vec<String>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    chains: Vec<Chain>,
    index: HashMap<String, usize>,
}

impl Table {
    fn of(name: &str) -> Self {
        let mut table = Self::default();
        let built_in = BUILT_IN.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, chains)| chains);
        for chain in built_in {
            table.ensure(chain).policy = "ACCEPT".into();
        }
        table
    }

    /// A chain by name.
    #[must_use]
    pub fn chain(&self, name: &str) -> Option<&Chain> {
        self.index.get(name).map(|at| &self.chains[*at])
    }

    /// Chains in order of creation.
    #[must_use]
    pub fn chains(&self) -> &[Chain] {
        &self.chains
    }

    fn ensure(&mut self, name: &str) -> &mut Chain {
        let at = self.index.get(name).copied().unwrap_or_else(|| {
            self.chains.push(Chain { name: name.to_owned(), policy: "-".into(), rules: Vec::new() });
            self.index.insert(name.to_owned(), self.chains.len() - 1);
            self.chains.len() - 1
        });
        &mut self.chains[at]
    }

    fn retain(&mut self, keep: impl FnMut(&Chain) -> bool) {
        self.chains.retain(keep);
        self.index = self.chains.iter().enumerate().map(|(at, chain)| (chain.name.clone(), at)).collect();
    }
}

/// The rules of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ruleset {
    tables: Vec<(String, Table)>,
}

impl Ruleset {
    /// Does what `iptables-restore --noflush` does with `text`. A saved ruleset is such a text as well.
    ///
    /// # Errors
    /// [`RulesetError`] with the offending line.
    pub fn restore(&mut self, text: &str) -> Result<(), RulesetError> {
        let mut current = None;
        let mut removed: HashSet<(usize, &str)> = HashSet::new();
        for (number, line) in text.lines().enumerate() {
            let failed = |reason| RulesetError { number: number + 1, line: line.to_owned(), reason };
            if let Some(name) = line.strip_prefix('*') {
                current = Some(self.ensure(name));
            } else if line == "COMMIT" {
                current = None;
            } else if !line.is_empty() && !line.starts_with('#') {
                let at = current.ok_or_else(|| failed("it stands outside a table"))?;
                if let Some(chain) = self.tables[at].1.line(line).map_err(failed)? {
                    removed.insert((at, chain));
                }
            }
        }
        for (at, (_, table)) in self.tables.iter_mut().enumerate().filter(|_| !removed.is_empty()) {
            table.retain(|chain| !removed.contains(&(at, chain.name.as_str())));
        }
        Ok(())
    }

    /// A table by name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|(known, _)| known == name).map(|(_, table)| table)
    }

    /// Keeps the chains that `keep` wants, asked with table and chain.
    pub(crate) fn retain_chains(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        for (name, table) in &mut self.tables {
            table.retain(|chain| keep(name, &chain.name));
        }
    }

    /// Takes the comments off the rules of the chains that `wanted` picks.
    pub(crate) fn strip_comments(&mut self, wanted: impl Fn(&str) -> bool) {
        let chains = self.tables.iter_mut().flat_map(|(_, table)| &mut table.chains);
        for rule in chains.filter(|chain| wanted(&chain.name)).flat_map(|chain| &mut chain.rules) {
            strip_comment(rule);
        }
    }

    /// What `live` holds otherwise than this: tables, chains, policies, and rules in their order.
    #[must_use]
    pub fn differences(&self, live: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        for (name, expected) in &self.tables {
            match live.table(name) {
                Some(found) => table_differences(name, expected, found, &mut differences),
                None => differences.push(format!("table {name} is missing")),
            }
        }
        let extra = live.tables.iter().filter(|(name, _)| self.table(name).is_none());
        differences.extend(extra.map(|(name, _)| format!("table {name} should not be there")));
        differences
    }

    fn ensure(&mut self, name: &str) -> usize {
        self.tables.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.tables.push((name.to_owned(), Table::of(name)));
            self.tables.len() - 1
        })
    }
}

impl Table {
    /// Applies a line of a table; returns the chain that it removes. `iptables-restore` removes chains when it commits.
    fn line<'a>(&mut self, line: &'a str) -> Result<Option<&'a str>, &'static str> {
        if let Some(chain) = line.strip_prefix(':') {
            let mut words = chain.split(' ');
            let (name, policy) = words.next().zip(words.next()).ok_or("a chain line needs a name and a policy")?;
            let chain = self.ensure(name);
            chain.rules.clear();
            policy.clone_into(&mut chain.policy);
            return Ok(None);
        }
        let (command, rest) = line.split_once(' ').ok_or("it is no rule")?;
        let (chain, rule) = rest.split_once(' ').unwrap_or((rest, ""));
        match command {
            "-A" => self.ensure(chain).rules.push(canonical(&words(rule))),
            "-I" => self.ensure(chain).rules.insert(0, canonical(&words(rule))),
            "-X" => return Ok(Some(chain)),
            _ => return Err("the command is unknown"),
        }
        Ok(None)
    }
}

fn strip_comment(rule: &mut String) {
    const START: &str = "-m comment --comment \"";
    let Some(start) = rule.find(START) else { return };
    let Some(length) = rule[start + START.len()..].find('"') else { return };
    let end = start + START.len() + length + 1;
    rule.drain(start..(end + 1).min(rule.len()));
}

fn table_differences(name: &str, expected: &Table, live: &Table, differences: &mut Vec<String>) {
    for chain in &expected.chains {
        match live.chain(&chain.name) {
            Some(found) => chain_differences(name, chain, found, differences),
            None => differences.push(format!("{name}: chain {} is missing", chain.name)),
        }
    }
    let extra = live.chains.iter().filter(|chain| expected.chain(&chain.name).is_none());
    differences.extend(extra.map(|chain| format!("{name}: chain {} should not be there", chain.name)));
}

fn chain_differences(table: &str, expected: &Chain, live: &Chain, differences: &mut Vec<String>) {
    let name = &expected.name;
    if expected.policy != live.policy {
        differences.push(format!("{table}: the policy of {name} is {} instead of {}", live.policy, expected.policy));
    }
    if expected.rules == live.rules {
        return;
    }
    let at = expected.rules.iter().zip(&live.rules).take_while(|(a, b)| a == b).count();
    let shown = |rules: &[String]| rules.get(at).map_or_else(|| "nothing".to_owned(), |rule| format!("{rule:?}"));
    let (found, wanted) = (shown(&live.rules), shown(&expected.rules));
    let (have, want) = (live.rules.len(), expected.rules.len());
    differences.push(format!(
        "{table}: {name} has {have} rules instead of {want}, rule {} is {found} instead of {wanted}",
        at + 1
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "*nat\n:A - [0:0]\n:B - [0:0]\n-A A -p tcp -j B\n-A B -j RETURN\n-I OUTPUT -j A\nCOMMIT\n";

    fn ruleset(text: &str) -> Ruleset {
        let mut ruleset = Ruleset::default();
        ruleset.restore(text).expect("valid");
        ruleset
    }

    #[test]
    fn chain_lines_flush_and_removal_waits_for_the_end() {
        let mut live = ruleset(TEXT);
        live.restore("*nat\n:A - [0:0]\n:B - [0:0]\n-X B\n-A A -j RETURN\nCOMMIT\n").expect("valid");
        let nat = live.table("nat").expect("there");
        assert_eq!(nat.chain("A").expect("there").rules, ["-j RETURN"]);
        assert!(nat.chain("B").is_none());
        assert_eq!(nat.chain("OUTPUT").expect("built in").rules, ["-j A"]);
    }

    #[test]
    fn insertion_goes_to_the_front() {
        let live = ruleset("*filter\n-I INPUT -j A\n-I INPUT -j B\nCOMMIT\n");
        assert_eq!(live.table("filter").expect("there").chain("INPUT").expect("built in").rules, ["-j B", "-j A"]);
    }

    #[test]
    fn counters_and_comments_of_a_save_do_not_matter() {
        let saved = "# Generated\n*nat\n:PREROUTING ACCEPT [4:9]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [1:60]\n:POSTROUTING ACCEPT [1:60]\n:A - [0:0]\n:B - [0:0]\n-A OUTPUT -j A\n-A A -p tcp -j B\n-A B -j RETURN\nCOMMIT\n# Completed\n";
        assert_eq!(ruleset(TEXT).differences(&ruleset(saved)), Vec::<String>::new());
    }

    #[test]
    fn each_kind_of_difference_is_found() {
        for (from, to, finding) in [
            ("-A B -j RETURN\n", "", "B has 0 rules instead of 1"),
            ("-A A -p tcp -j B\n", "-A A -p udp -j B\n", "rule 1 is \"-p udp -j B\""),
            (":B - [0:0]\n-A A -p tcp -j B\n-A B -j RETURN\n", "-A A -p tcp -j B\n", "chain B is missing"),
            (":A - ", ":C - [0:0]\n:A - ", "chain C should not be there"),
            (":A - ", ":OUTPUT DROP [0:0]\n:A - ", "the policy of OUTPUT is DROP"),
            ("*nat", "*mangle", "table nat is missing"),
        ] {
            let differences = ruleset(TEXT).differences(&ruleset(&TEXT.replace(from, to)));
            assert!(differences.iter().any(|found| found.contains(finding)), "{to:?}: {differences:?}");
        }
    }

    #[test]
    fn a_line_outside_a_table_is_refused_with_its_number() {
        let error = Ruleset::default().restore("\n-A A -j B\n").expect_err("no table");
        assert_eq!((error.number, error.line.as_str()), (2, "-A A -j B"));
    }

    #[test]
    fn comments_can_be_taken_off() {
        let mut rules = ruleset("*nat\n:A - [0:0]\n-A A -s 10.0.0.1 -m comment --comment \"x y\" -j B\nCOMMIT\n");
        rules.strip_comments(|chain| chain == "A");
        assert_eq!(rules.table("nat").expect("there").chain("A").expect("there").rules, ["-s 10.0.0.1/32 -j B"]);
    }
}
