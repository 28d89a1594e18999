//! Sections of `iptables-save` output and of `iptables-restore` input.

use super::sections::Sections;
use crate::backend::BackendError;

/// A save: per table its chains with policies, per chain its rules.
pub(super) fn saved(text: &str) -> Result<Sections, BackendError> {
    let mut sections = Sections::default();
    let mut among_rules = false;
    for entry in Entries::new(text) {
        let (table, line) = entry?;
        // A save lists a table's chains before its rules.
        if among_rules && line.starts_with(':') {
            return Err(unreadable(line));
        }
        among_rules = line.starts_with('-');
        if line.starts_with('*') {
            sections.ordered("tables", line);
        } else if line == "COMMIT" {
            sections.ordered("tables", format!("COMMIT of {table}"));
        } else if let Some(chain) = line.strip_prefix(':') {
            sections.ordered(&format!("chains of {table}"), without_counters(chain));
        } else {
            let chain = line.split(' ').nth(1).ok_or_else(|| unreadable(line))?;
            let heading = format!("rules of {chain} in {table}");
            if chain == "KUBE-SERVICES" && is_portal(line) {
                sections.services_here(&heading);
                sections.unordered(&format!("services in {chain} of {table}"), line);
            } else {
                sections.ordered(&heading, line);
            }
        }
    }
    Ok(sections)
}

/// A restore input: per table its lines in order, and each service's lines in order.
pub(super) fn input(text: &str) -> Result<Sections, BackendError> {
    let mut sections = Sections::default();
    let mut service = String::new();
    for entry in Entries::new(text) {
        let (table, line) = entry?;
        let own = line.strip_prefix("-A ").or_else(|| line.strip_prefix(':')).unwrap_or_default();
        let starts = own.starts_with("KUBE-SVC-") && line.starts_with(':') || is_portal(line);
        if starts {
            service = format!("{table}: lines of {}", portal_name(line).unwrap_or(line));
        }
        if starts || own.starts_with("KUBE-SEP-") || own.starts_with("KUBE-SVC-") {
            sections.services_here(&format!("lines of {table}"));
            sections.ordered(&service, line);
        } else {
            sections.ordered(&format!("lines of {table}"), line);
        }
    }
    Ok(sections)
}

/// Whether a rule of KUBE-SERVICES is a service's own.
fn is_portal(line: &str) -> bool {
    line.starts_with("-A KUBE-SERVICES ") && portal_name(line).is_some()
}

fn portal_name(line: &str) -> Option<&str> {
    let comment = line.split_once("--comment \"")?.1.split_once('"')?.0;
    comment.strip_suffix(" cluster IP").or_else(|| comment.strip_suffix(" has no endpoints"))
}

/// `INPUT ACCEPT [41:102724]` without the counters.
fn without_counters(chain: &str) -> &str {
    match chain.rsplit_once(" [") {
        Some((before, counters)) if counters.ends_with(']') => before,
        _ => chain,
    }
}

fn unreadable(line: &str) -> BackendError {
    BackendError::Parse { what: "iptables rules".into(), reason: format!("unexpected {line:?}") }
}

/// The lines that are neither empty nor comments, each with its table.
struct Entries<'a> {
    lines: std::str::Lines<'a>,
    table: Option<&'a str>,
}

impl<'a> Entries<'a> {
    fn new(text: &'a str) -> Self {
        Self { lines: text.lines(), table: None }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<(&'a str, &'a str), BackendError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(line) = self.lines.find(|line| !line.is_empty() && !line.starts_with('#')) else {
            return self.table.take().map(|table| Err(unreadable(&format!("the end of {table} without COMMIT"))));
        };
        if let Some(name) = line.strip_prefix('*') {
            let unfinished = self.table.replace(name);
            return Some(if unfinished.is_some() { Err(unreadable(line)) } else { Ok((name, line)) });
        }
        let table = if line == "COMMIT" { self.table.take() } else { self.table };
        Some(table.map(|table| (table, line)).ok_or_else(|| unreadable(line)))
    }
}
