//! Sections of nft's listing and of its transactions.

use super::sections::Sections;
use crate::backend::BackendError;
use crate::backend::nftables::{Object, RulesetListing};

/// A listing: tables and objects in order, each object's lines in order, elements in any order.
pub(super) fn listing(text: &str) -> Result<Sections, BackendError> {
    let mut sections = Sections::default();
    for table in RulesetListing::parse(text)?.tables {
        sections.ordered("tables", &table.name);
        for line in &table.lines {
            sections.ordered(&format!("table {}", table.name), line);
        }
        let objects = format!("objects of {}", table.name);
        for Object { kind, name, lines, elements } in &table.objects {
            let heading = format!("{kind} {name}");
            if name.starts_with("service-") && kind == "chain" {
                sections.services_here(&objects);
                sections.unordered(&format!("services of {}", table.name), &heading);
            } else {
                sections.ordered(&objects, &heading);
            }
            lines.iter().for_each(|line| sections.ordered(&heading, line));
            elements.iter().for_each(|element| sections.unordered(&format!("elements of {heading}"), element));
        }
    }
    Ok(sections)
}

/// A transaction: the lines before the services in order, and each service's lines in order.
pub(super) fn transaction(text: &str) -> Sections {
    let mut sections = Sections::default();
    let mut service = None;
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(chain) = line.strip_prefix("add chain ip kube-proxy service-").filter(|chain| chain.contains('/')) {
            service = Some(format!("lines of service-{chain}"));
        }
        match &service {
            Some(heading) => {
                sections.services_here("lines");
                sections.ordered(heading, line);
            }
            None => sections.ordered("lines", line),
        }
    }
    sections
}
