//! Latency under load in words, for every medium.

use super::axes;
use super::number::{self, Medium};
use crate::result::{Axes, LoadedLatency, Unit, flow_words, name, subject};

/// Columns that hold words; the others hold numbers.
pub(super) const WORDS: usize = 9;

/// Headings. Latencies are of all timed packets, from their intended times on; behind that at 99% the lowest and the highest of the searches.
pub(super) fn columns() -> Vec<&'static str> {
    axes::columns(&[
        "goals",
        "bytes",
        "M",
        "N",
        "% of NDR",
        "packets/s",
        "trials",
        "timed of sent",
        "p50",
        "p90",
        "p99 [searches]",
        "p99.9",
        "p99.99",
        "max",
        "sender late by: p50, p99, p99.9, max",
    ])
}

/// What the numbers are, for a heading.
pub(super) const WHAT: &str = "from each packet's intended time to its arrival in the pods' namespace, ns";

/// One cell under one load.
pub(super) fn row(entry: &LoadedLatency, medium: Medium) -> Vec<String> {
    let cell = &entry.cell;
    let count = |value: u64| number::count(value, medium);
    let time = |value: u64| number::value(value as f64, Unit::Ns, medium);
    let at = |quantile| entry.at(quantile).map_or_else(none, time);
    let trials = u64::from(entry.valid);
    let lag = &entry.lag;
    let found = [
        name(&entry.method),
        entry.packet_size.to_string(),
        count(cell.endpoints.into()),
        count(cell.services.into()),
        count(entry.share_percent.into()),
        number::significant(entry.load_pps, 4, medium),
        if entry.invalid == 0 {
            count(trials)
        } else {
            format!("{} of {}", count(trials), count(trials + u64::from(entry.invalid)))
        },
        if entry.carried == entry.offered {
            count(entry.carried)
        } else {
            format!("{} of {}", count(entry.carried), count(entry.offered))
        },
        at(0.5),
        at(0.9),
        at(0.99) + &of_searches(&entry.p99s, time),
        at(0.999),
        at(0.9999),
        if entry.carried == 0 { none() } else { time(entry.max) },
        if entry.valid == 0 { none() } else { [lag.p50, lag.p99, lag.p999, lag.max].map(time).join(", ") },
    ];
    axes::row(name(&cell.venue), &Axes::from(cell), entry.new_share, found)
}

/// The lowest and the highest of several.
fn of_searches(values: &[u64], time: impl Fn(u64) -> String) -> String {
    match (values.iter().min(), values.iter().max()) {
        (Some(low), Some(high)) if values.len() > 1 => format!(" [{}, {}]", time(*low), time(*high)),
        _ => String::new(),
    }
}

/// What weakens a latency, one note an entry.
pub(super) fn notes(entry: &LoadedLatency, medium: Medium) -> Option<String> {
    let cell = &entry.cell;
    let at = format!(
        "{} ({}, {}) at N = {} under {}% of its loss-free rate",
        subject(cell.backend, cell.bracket),
        flow_words(cell.flow, entry.new_share),
        name(&cell.position),
        number::count(cell.services.into(), medium),
        entry.share_percent
    );
    let mut reasons = Vec::new();
    if entry.valid == 0 {
        reasons.push("the sender kept its pace in no trial, so there is no latency".to_owned());
    }
    reasons.extend(entry.irregularity());
    if entry.lost() > 0 {
        reasons.push(format!(
            "{} of {} packets were lost, which have no latency",
            number::count(entry.lost(), medium),
            number::count(entry.offered, medium)
        ));
    }
    if entry.misdirected > 0 {
        reasons.push(format!(
            "{} of {} packets arrived elsewhere",
            number::count(entry.misdirected, medium),
            number::count(entry.offered, medium)
        ));
    }
    (!reasons.is_empty()).then(|| format!("{at}: {}.", reasons.join("; ")))
}

fn none() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{LoadedRecord, loaded_latencies, loaded_record, loaded_search};

    #[test]
    fn a_row_has_a_cell_for_every_column_and_shows_what_was_timed() {
        let search = |trial, latency| loaded_search(trial, vec![loaded_record(90, 1_000, latency)]);
        let entries = loaded_latencies(&[search(0, 2_000), search(1, 3_000)]).unwrap();
        let row = row(&entries[0], Medium::Terminal);
        assert_eq!(row.len(), columns().len());
        assert_eq!(row[11..15], ["90", "90,000", "20 of 22", "2,000 of 2,004"]);
        assert_eq!(row[17], "30,020 [20,020, 30,020]");
        // Too few for the last percentile.
        assert_eq!(row[19..22], ["-", "30,000", "300, 600, 750, 1,500"]);
        let note = notes(&entries[0], Medium::Terminal).unwrap();
        assert!(
            note.ends_with("under 90% of its loss-free rate: 4 of 2,004 packets were lost, which have no latency."),
            "{note}"
        );
        let irregular = LoadedLatency { irregular: 1, ..entries[0].clone() };
        let note = notes(&irregular, Medium::Terminal).unwrap();
        assert!(note.contains("rate: the loss-free rate was irregular in 1 of 2 searches; 4 of 2,004"), "{note}");
    }

    #[test]
    fn packets_that_arrived_elsewhere_are_told_from_lost_ones() {
        let note = |misdirected| {
            let load = LoadedRecord { misdirected, offered: 1_005, ..loaded_record(50, 1_000, 2_000) };
            let entries = loaded_latencies(&[loaded_search(0, vec![load])]).unwrap();
            assert_eq!(row(&entries[0], Medium::Terminal)[14], "1,000 of 1,005");
            notes(&entries[0], Medium::Terminal).unwrap()
        };
        let both = note(3);
        let words = "rate: 2 of 1,005 packets were lost, which have no latency; 3 of 1,005 packets arrived elsewhere.";
        assert!(both.ends_with(words), "{both}");
        let none_lost = note(5);
        assert!(none_lost.ends_with("rate: 5 of 1,005 packets arrived elsewhere."), "{none_lost}");
    }

    #[test]
    fn without_a_valid_trial_there_is_no_latency_and_that_is_said() {
        let nothing = LoadedRecord { valid: 0, offered: 0, carried: 0, latency: None, ..loaded_record(50, 10, 1_000) };
        let entries = loaded_latencies(&[loaded_search(0, vec![nothing])]).unwrap();
        let row = row(&entries[0], Medium::Terminal);
        assert_eq!(row[13..], ["0 of 1", "0", "-", "-", "-", "-", "-", "-", "-"]);
        assert!(notes(&entries[0], Medium::Terminal).unwrap().contains("in no trial"));
    }
}
