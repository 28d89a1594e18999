//! Fairness in words, for every medium.

use super::number::{self, Medium};
use crate::result::{FairnessSummary, Promise, name};

/// Columns that hold words; the others hold numbers.
pub(super) const WORDS: usize = 10;

/// Headings.
pub(super) fn columns() -> [&'static str; 23] {
    [
        "venue",
        "kernel",
        "backend",
        "spread by",
        "promise",
        "kept",
        "shares, by chi-square",
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
        "p, pairs of draws",
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
    let tested = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let list = |values: &mut dyn Iterator<Item = u64>| values.map(count).collect::<Vec<_>>().join(", ");
    vec![
        name(&cell.venue),
        cell.kernel.clone(),
        name(&cell.backend),
        spreading.to_string(),
        Promise::of(cell.backend, *spreading).words.to_owned(),
        verdict(summary),
        of_shares(summary),
        name(&cell.protocol),
        change.in_words().to_owned(),
        list(&mut spread.reached.iter().copied()),
        list(&mut summary.weights.iter().map(|weight| u64::from(*weight))),
        count(u64::from(cell.services)),
        count(u64::from(cell.endpoints)),
        count(u64::from(*flows)),
        or_none(spread.jain.map(|index| format!("{index:.4}"))),
        tested(spread.shares.map(|test| statistic(test.statistic, medium))),
        tested(spread.shares.map(|test| super::decisions::probability(test.p))),
        or_none(spread.pairs.map(|test| super::decisions::probability(test.p))),
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
    // Turns that are broken may have the right shares.
    let is_reason = summary.spreading.is_by_chance() || spread.shares_kept == Some(false);
    let shares = spread.shares.filter(|_| is_reason);
    reasons.extend(shares.map(|test| format!("shares p {}", super::decisions::probability(test.p))));
    reasons.extend(spread.pairs.map(|test| format!("pairs p {}", super::decisions::probability(test.p))));
    format!("NO: {}", reasons.join(", "))
}

/// Turns that come out even differ from their shares by nothing but the rounding of a number.
fn statistic(value: f64, medium: Medium) -> String {
    if value > 0.0 && value < 1e-3 { "<0.001".to_owned() } else { number::significant(value, 3, medium) }
}

/// Whether the test lets the promised shares stand, or why there is none.
fn of_shares(summary: &FairnessSummary) -> String {
    match summary.why_untested() {
        Some(why) => format!("none: {why}"),
        None if summary.spread.are_shares_kept(summary.spreading) == Some(true) => "yes".to_owned(),
        None => "NO".to_owned(),
    }
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
    use crate::result::{EndpointChange, Reached, Spreading, fairness_record, summarise_fairness};

    #[test]
    fn a_row_has_a_cell_for_every_column() {
        let turns = [0, 1, 2, 0, 1, 2].map(Reached::Endpoint);
        let summaries = summarise_fairness(&[fairness_record(Spreading::Rr, 3, &turns)]).unwrap();
        let row = row(&summaries[0], Medium::Terminal);
        assert_eq!(row.len(), columns().len());
        assert_eq!((&row[3][..], &row[5][..], &row[6][..], &row[9][..]), ("rr", "yes", "yes", "2, 2, 2"));
        assert_eq!(row[14..], ["1.0000", "0", "1.0000", "-", "100%", "0%", "0%", "0%", "0% (25%)"]);
    }

    #[test]
    fn a_row_says_why_there_is_no_test_and_how_an_endpoint_went() {
        let mut record = fairness_record(Spreading::Dh, 3, &[Reached::Endpoint(1); 6]);
        record.change = EndpointChange::Removed;
        record.weights.truncate(3);
        let row = row(&summarise_fairness(&[record]).unwrap()[0], Medium::Terminal);
        assert_eq!((&row[5][..], &row[6][..]), ("yes", "none: one endpoint promised"));
        assert_eq!((&row[8][..], &row[15..18]), ("removed at once", &["none", "none", "-"].map(str::to_owned)[..]));
    }

    #[test]
    fn a_statistic_of_next_to_nothing_is_no_row_of_digits() {
        let shown = [0.0, 4e-30, 0.02, 49.84].map(|value| statistic(value, Medium::Terminal));
        assert_eq!(shown, ["0", "<0.001", "0.02", "49.8"]);
    }

    #[test]
    fn shares_that_are_not_the_promised_ones_are_named() {
        let first = [Reached::Endpoint(0); 40];
        let verdicts = |spreading| {
            let summaries = summarise_fairness(&[fairness_record(spreading, 2, &first)]).unwrap();
            (verdict(&summaries[0]), of_shares(&summaries[0]))
        };
        let (kept, shares) = verdicts(Spreading::Rr);
        // A cycle of two, of which one lacks its turn, and no other is out of it.
        assert_eq!((&kept[..], &shares[..]), ("NO: 1 flows elsewhere, shares p <0.0001", "NO"));
        assert_eq!(verdicts(Spreading::Maglev), ("NO: shares p <0.0001".to_owned(), "NO".to_owned()));
    }

    #[test]
    fn what_broke_a_promise_is_named() {
        let reached = [Reached::Endpoint(0), Reached::Endpoint(0), Reached::Lost];
        let summaries = summarise_fairness(&[fairness_record(Spreading::Rr, 3, &reached)]).unwrap();
        assert_eq!(verdict(&summaries[0]), "NO: 2 flows elsewhere, 1 nowhere");
    }
}
