//! Section by section, line by line.

use std::collections::BTreeMap;
use std::fmt;

use super::sections::{Section, Sections};
use super::{Dump, DumpKind, LiveState, iptables, ipvs, nft};
use crate::backend::BackendError;

/// One thing that a dump and the live state do not share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The dump has a line that the live state lacks.
    Missing {
        /// Heading of the section.
        section: String,
        /// The line.
        line: String,
    },
    /// The live state has a line that the dump lacks.
    Unexpected {
        /// Heading of the section.
        section: String,
        /// The line.
        line: String,
    },
    /// Both have the same lines in another order.
    Order {
        /// Heading of the section.
        section: String,
        /// First line of the dump that stands elsewhere in the live state.
        line: String,
    },
    /// One of the two texts cannot be understood.
    Unreadable {
        /// Which one, and why.
        reason: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { section, line } => write!(f, "{section}: only in the dump: {line}"),
            Self::Unexpected { section, line } => write!(f, "{section}: not in the dump: {line}"),
            Self::Order { section, line } => {
                write!(f, "{section}: in another order, from this line of the dump on: {line}")
            }
            Self::Unreadable { reason } => f.write_str(reason),
        }
    }
}

/// What differs between a dump and the live state; empty when they hold the same.
#[must_use]
pub fn compare(dump: &Dump, live: &LiveState) -> Vec<Difference> {
    let read = |what: &str, text: &str| {
        sections(dump.kind, text).map_err(|error| Difference::Unreadable { reason: format!("{what}: {error}") })
    };
    match (read("the dump", &dump.text), read("the live state", &live.text)) {
        (Ok(dump), Ok(live)) => section_differences(&dump, &live),
        (dump, live) => dump.err().into_iter().chain(live.err()).collect(),
    }
}

fn sections(kind: DumpKind, text: &str) -> Result<Sections, BackendError> {
    match kind {
        DumpKind::IptablesSave => iptables::saved(text),
        DumpKind::RestoreInput => iptables::input(text),
        DumpKind::NftListing => nft::listing(text),
        DumpKind::NftTransaction => Ok(nft::transaction(text)),
        DumpKind::IpSet => Ok(ipvs::sets(text)),
        DumpKind::Ipvs => Ok(ipvs::state(text)),
    }
}

fn section_differences(dump: &Sections, live: &Sections) -> Vec<Difference> {
    let mut differences = Vec::new();
    let nothing = Section { ordered: false, lines: Vec::new() };
    for (heading, section) in &dump.0 {
        line_differences(heading, section, live.0.get(heading).unwrap_or(&nothing), &mut differences);
    }
    for (heading, section) in live.0.iter().filter(|(heading, _)| !dump.0.contains_key(*heading)) {
        line_differences(heading, &nothing, section, &mut differences);
    }
    differences
}

fn line_differences(heading: &str, dump: &Section, live: &Section, differences: &mut Vec<Difference>) {
    let before = differences.len();
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    dump.lines.iter().for_each(|line| *counts.entry(line).or_default() += 1);
    live.lines.iter().for_each(|line| *counts.entry(line).or_default() -= 1);
    for (line, count) in counts {
        let (section, line) = (heading.to_owned(), line.to_owned());
        match count {
            0 => {}
            1.. => differences.push(Difference::Missing { section, line }),
            _ => differences.push(Difference::Unexpected { section, line }),
        }
    }
    if dump.ordered && differences.len() == before {
        let misplaced = dump.lines.iter().zip(&live.lines).find(|(a, b)| a != b);
        differences
            .extend(misplaced.map(|(line, _)| Difference::Order { section: heading.to_owned(), line: line.clone() }));
    }
}
