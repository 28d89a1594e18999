//! Fairness in words, for every medium.

use super::number::{self, Medium};
use crate::result::{FairnessSummary, Promise, name};

/// Columns that hold words; the others hold numbers.
pub(super) const WORDS: usize = 9;

/// Headings.
pub(super) fn columns() -> [&'static str; 21] {
    [
        "venue",
        "kernel",
        "backend",
        "spread by",
        "promise",
        "kept",
        "protocol",
        "endpoint",
        "to each endpoint",
        "weights",
        "N",
        "M",
        "flows",
        "Jain's index",
        "chi-square",
        "p",
        "existing: kept",
        "to the one gone",
        "moved",
        "broken",
        "new: choose otherwise (least)",
    ]
}

/// One cell's row.
pub(super) fn row(summary: &FairnessSummary, medium: Medium) -> Vec<String> {
    let FairnessSummary { cell, spreading, change, flows, spread, existing, .. } = summary;
    let count = |value: u64| number::count(value, medium);
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let list = |values: &mut dyn Iterator<Item = u64>| values.map(count).collect::<Vec<_>>().join(", ");
    vec![
        name(&cell.venue),
        cell.kernel.clone(),
        name(&cell.backend),
        spreading.to_string(),
        Promise::of(cell.backend, *spreading).words.to_owned(),
        verdict(summary),
        name(&cell.protocol),
        change.to_string(),
        list(&mut spread.reached.iter().copied()),
        list(&mut summary.weights.iter().map(|weight| u64::from(*weight))),
        count(u64::from(cell.services)),
        count(u64::from(cell.endpoints)),
        count(u64::from(*flows)),
        or_none(spread.jain.map(|index| format!("{index:.4}"))),
        or_none(spread.shares.map(|test| number::significant(test.statistic, 3, medium))),
        or_none(spread.least_p().map(super::decisions::probability)),
        of_existing(summary, existing.kept),
        of_existing(summary, existing.to_gone),
        of_existing(summary, existing.moved),
        of_existing(summary, existing.broken),
        otherwise(summary),
    ]
}

/// `yes`, or what broke it.
pub(super) fn verdict(summary: &FairnessSummary) -> String {
    let spread = &summary.spread;
    if spread.kept {
        return "yes".to_owned();
    }
    let mut reasons = Vec::new();
    if spread.violations > 0 {
        reasons.push(format!("{} flows elsewhere", spread.violations));
    }
    if spread.nowhere > 0 {
        reasons.push(format!("{} nowhere", spread.nowhere));
    }
    reasons.extend(spread.shares.map(|test| format!("shares p {}", super::decisions::probability(test.p))));
    reasons.extend(spread.pairs.map(|test| format!("pairs p {}", super::decisions::probability(test.p))));
    format!("NO: {}", reasons.join(", "))
}

fn of_existing(summary: &FairnessSummary, part: u64) -> String {
    number::share(part as f64, summary.existing.all() as f64)
}

fn otherwise(summary: &FairnessSummary) -> String {
    let share = summary.new.share().map_or_else(|| "-".to_owned(), |share| number::share(share, 1.0));
    format!("{share} ({})", number::share(summary.new.least_share, 1.0))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::result::{Reached, Spreading, fairness_record, summarise_fairness};

    #[test]
    fn a_row_has_a_cell_for_every_column() {
        let turns = [0, 1, 2, 0, 1, 2].map(Reached::Endpoint);
        let summaries = summarise_fairness(&[fairness_record(Spreading::Rr, 3, &turns)]).unwrap();
        let row = row(&summaries[0], Medium::Terminal);
        assert_eq!(row.len(), columns().len());
        assert_eq!((&row[3][..], &row[5][..], &row[8][..]), ("rr", "yes", "2, 2, 2"));
        assert_eq!(row[13..], ["1.0000", "-", "-", "100%", "0%", "0%", "0%", "0% (25%)"]);
    }

    #[test]
    fn what_broke_a_promise_is_named() {
        let reached = [Reached::Endpoint(0), Reached::Endpoint(0), Reached::Lost];
        let summaries = summarise_fairness(&[fairness_record(Spreading::Rr, 3, &reached)]).unwrap();
        assert_eq!(verdict(&summaries[0]), "NO: 2 flows elsewhere, 1 nowhere");
    }
}
