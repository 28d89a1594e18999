//! Reachability in words, for every medium: one row an attempt.

use super::number::{self, Medium};
use crate::result::{Attempt, ReachabilityRecord, name};

/// Columns that hold words; the others hold numbers.
pub(super) const WORDS: usize = 8;

/// What the table shows.
pub(super) const INTRO: &str = "Pings of a ClusterIP, and connections to a load balancer's address that a service shares with an Ingress, \
     which has another port there: from a client inside the cluster and from the node itself, with kube-proxy 1.36's filter rules and \
     without those that keep addresses of services from answering (of IPVS: since v1.27). Controls: a ping of a pod, and the load \
     balancer before the service has its address.";

/// Headings.
pub(super) fn columns() -> [&'static str; 10] {
    ["venue", "kernel", "backend", "asked", "from", "filter rules", "came back instead", "went to", "sent", "answered"]
}

/// An attempt's row.
pub(super) fn row(record: &ReachabilityRecord, attempt: &Attempt, medium: Medium) -> Vec<String> {
    let count = |value: u64| number::count(value, medium);
    let question = attempt.asked;
    let control = if question.is_control() { " (control)" } else { "" };
    vec![
        name(&record.cell.venue),
        record.cell.kernel.clone(),
        name(&record.cell.backend),
        format!("{}{control}", question.to),
        name(&question.from),
        question.rules.to_string(),
        if attempt.answered == attempt.sent { "-".to_owned() } else { attempt.came_back() },
        attempt.went_to(),
        count(attempt.sent),
        count(attempt.answered),
    ]
}

/// Every row.
pub(super) fn rows(records: &[ReachabilityRecord], medium: Medium) -> impl Iterator<Item = Vec<String>> {
    let of_one = move |record: &ReachabilityRecord| {
        record.attempts.iter().map(|attempt| row(record, attempt, medium)).collect::<Vec<_>>()
    };
    records.iter().flat_map(of_one)
}
