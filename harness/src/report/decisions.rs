//! Decisions in words, for every medium.

use super::number::{self, Medium};
use crate::result::{DecisionSummary, name};

/// Columns that hold words; the others hold numbers.
pub(super) const WORDS: usize = 7;

/// Headings.
pub(super) fn columns() -> [&'static str; 15] {
    [
        "venue",
        "kernel",
        "backend",
        "layout",
        "protocol",
        "position",
        "to each endpoint",
        "N",
        "M",
        "flows",
        "chi-square",
        "p, equal shares",
        "rejected",
        "untouched",
        "lost or elsewhere",
    ]
}

/// One cell's row.
pub(super) fn row(summary: &DecisionSummary, medium: Medium) -> Vec<String> {
    let DecisionSummary { cell, flows, untouched, elsewhere, rejected, lost, equal_shares, .. } = summary;
    let count = |value: u64| number::count(value, medium);
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        name(&cell.venue),
        cell.kernel.clone(),
        name(&cell.backend),
        name(&cell.layout),
        name(&cell.protocol),
        name(&cell.position),
        shares(summary, medium),
        count(u64::from(cell.services)),
        count(u64::from(cell.endpoints)),
        count(*flows),
        or_none(equal_shares.map(|test| number::significant(test.statistic, 3, medium))),
        or_none(equal_shares.map(|test| probability(test.p))),
        count(*rejected),
        count(*untouched),
        count(lost + elsewhere),
    ]
}

/// Endpoints that a row lists one by one.
const LISTED: usize = 8;

fn shares(summary: &DecisionSummary, medium: Medium) -> String {
    let counts = &summary.reached;
    let count = |value: &u64| number::count(*value, medium);
    if counts.len() <= LISTED {
        return counts.iter().map(count).collect::<Vec<_>>().join(", ");
    }
    let (Some(least), Some(most)) = (counts.iter().min(), counts.iter().max()) else { return String::new() };
    format!("{} to {}", count(least), count(most))
}

pub(super) fn probability(p: f64) -> String {
    if p < 1e-4 { "<0.0001".to_owned() } else { format!("{p:.4}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_p_is_not_printed_as_zero() {
        assert_eq!([0.0, 0.00009, 0.25, 1.0].map(probability), ["<0.0001", "<0.0001", "0.2500", "1.0000"]);
    }
}
