//! Rates in words, for every medium.

use super::axes;
use super::number::{self, Medium};
use crate::result::{PassageRecord, RateKey, RatePoint, flow_words, name};

/// Columns that hold words; the others hold numbers.
pub(super) const WORDS: usize = 10;

/// Headings. Rates are packets a second; what was lost at the top is a share of what was offered there.
pub(super) fn columns() -> Vec<&'static str> {
    axes::columns(&[
        "rate",
        "goals",
        "bytes",
        "M",
        "N",
        "searches",
        "packets/s",
        "Gbit/s",
        "lower bound",
        "upper bound",
        "irregular",
        "at the top: offered",
        "carried",
        "times",
        "lost at the ring, in the node, at egress, in a queue",
        "unexplained",
    ])
}

/// One N of a curve.
pub(super) fn row(key: &RateKey, point: &RatePoint, medium: Medium) -> Vec<String> {
    let count = |value: u64| number::count(value, medium);
    let pps = |value: Option<f64>| value.map_or_else(none, |value| number::significant(value, 4, medium));
    let found = [
        key.rate.to_string(),
        name(&key.method),
        key.packet_size.to_string(),
        count(u64::from(key.axes.endpoints)),
        count(u64::from(point.services)),
        count(u64::from(point.trials)),
        rate(point, medium),
        gigabits(key, point, medium),
        pps(point.lower),
        pps(point.upper),
        irregular(point),
    ];
    axes::row(name(&key.axes.venue), &key.axes, key.new_share, found.into_iter().chain(top(point, medium)))
}

/// How many searches were irregular, and whether the rate holds them.
fn irregular(point: &RatePoint) -> String {
    let RatePoint { irregular, trials, left_out, .. } = point;
    match (irregular, left_out) {
        (0, _) => "-".to_owned(),
        (_, 0) => format!("{irregular} of {trials}, in the rate"),
        _ => format!("{irregular} of {trials}, left out"),
    }
}

/// How many searches the rate leaves out; `None` where it leaves out none.
pub(super) fn left_out(point: &RatePoint) -> Option<String> {
    (point.left_out > 0).then(|| format!("{} of {} searches left out of the rate", point.left_out, point.trials))
}

/// What is irregular, one note a point.
pub(super) fn notes(key: &RateKey, point: &RatePoint, medium: Medium) -> Option<String> {
    let at = format!(
        "{} ({}, {}) at N = {}",
        key.axes.subject(),
        key.rate,
        flow_words(key.axes.flow, key.new_share),
        number::count(point.services.into(), medium)
    );
    let mut reasons = point.reasons.clone();
    reasons.extend(left_out(point));
    let overload = point.least_overload().filter(|times| *times < ENOUGH);
    reasons.extend(overload.map(|times| {
        format!("at the top only {} times what was carried was offered", number::significant(times, 3, medium))
    }));
    let unexplained: i64 = point.tops.iter().map(|top| top.unexplained.abs()).sum();
    if unexplained > 0 {
        reasons.push(format!("{unexplained} packets at the top are not explained"));
    }
    (!reasons.is_empty()).then(|| format!("{at}: {}.", reasons.join("; ")))
}

/// The frames of the rate, without preamble, gap and checksum.
fn gigabits(key: &RateKey, point: &RatePoint, medium: Medium) -> String {
    let gigabits = |rate| number::significant(key.packet_size.bits(rate) / 1e9, 3, medium);
    point.value.map_or_else(none, gigabits)
}

/// Offered over carried at the top of a search from which on the node, and not the generator, is what was measured.
const ENOUGH: f64 = 2.0;

fn rate(point: &RatePoint, medium: Medium) -> String {
    let show = |value| number::significant(value, 4, medium);
    match (point.value, &point.spread) {
        (Some(value), Some(spread)) if point.values.len() > 1 => {
            format!("{} [{}, {}]", show(value), show(spread.low()), show(spread.high()))
        }
        (Some(value), _) => show(value),
        (None, _) => none(),
    }
}

/// The tops of a point's searches, added up.
fn top(point: &RatePoint, medium: Medium) -> [String; 5] {
    let sum = |of: fn(&PassageRecord) -> u64| point.tops.iter().map(of).sum::<u64>();
    let (offered, carried) = (sum(|top| top.offered), sum(|top| top.carried));
    let seconds = sum(|top| top.duration_ns) as f64 / 1e9;
    if offered == 0 {
        return std::array::from_fn(|_| none());
    }
    let rate = |packets: u64| number::significant(packets as f64 / seconds, 4, medium);
    let queued = sum(|top| top.queued.unwrap_or_default());
    let lost = [sum(|top| top.at_ring), sum(|top| top.in_node), sum(|top| top.at_egress), queued];
    let lost = lost.map(|packets| number::share(packets as f64, offered as f64)).join(", ");
    let unexplained: i64 = point.tops.iter().map(|top| top.unexplained).sum();
    [
        rate(offered),
        rate(carried),
        point.least_overload().map_or_else(none, |times| number::significant(times, 3, medium)),
        lost,
        unexplained.to_string(),
    ]
}

fn none() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{GoalRecord, rate_curves, rate_record};

    #[test]
    fn a_row_has_a_cell_for_every_column_and_shows_the_top() {
        let curves = rate_curves(&[rate_record(10, 0, 100_000.0), rate_record(10, 1, 200_000.0)]);
        let row = row(&curves[0].key, &curves[0].points[0], Medium::Terminal);
        assert_eq!(row.len(), columns().len());
        assert_eq!(row[9], "64");
        // 150,000 packets of 512 bits.
        assert_eq!(row[13..18], ["150,000 [100,000, 200,000]", "0.0768", "150,000", "153,000", "-"]);
        // 800,000 packets offered and 60,000 carried in 0.2 s.
        assert_eq!(row[18..21], ["4,000,000", "300,000", "10"]);
        assert_eq!(notes(&curves[0].key, &curves[0].points[0], Medium::Terminal), None);
    }

    #[test]
    fn what_a_rate_leaves_out_is_noted() {
        let mut searches: Vec<_> = (0..10).map(|trial| rate_record(10, trial, 1e5)).collect();
        searches[3].goals[0] = GoalRecord {
            throughput_pps: Some(9e5),
            irregular: Some("the budget of trials was spent".to_owned()),
            ..searches[3].goals[0].clone()
        };
        let curves = rate_curves(&searches);
        let (key, point) = (&curves[0].key, &curves[0].points[0]);
        let row = row(key, point, Medium::Terminal);
        assert_eq!((&*row[12], &*row[13], &*row[17]), ("10", "100,000 [100,000, 100,000]", "1 of 10, left out"));
        assert_eq!(
            notes(key, point, Medium::Terminal).unwrap(),
            "iptables-legacy (no loss (NDR), new) at N = 10: the budget of trials was spent; 1 of 10 searches left out \
             of the rate."
        );
    }

    #[test]
    fn too_little_on_offer_and_what_is_irregular_is_noted() {
        let mut record = rate_record(10, 0, 100_000.0);
        record.goals[0].irregular = Some("the budget of trials was spent".to_owned());
        let top = record.top.as_mut().unwrap();
        (top.offered, top.unexplained) = (30_000, -3);
        let curves = rate_curves(&[record]);
        let note = notes(&curves[0].key, &curves[0].points[0], Medium::Terminal).unwrap();
        assert_eq!(
            note,
            "iptables-legacy (no loss (NDR), new) at N = 10: the budget of trials was spent; at the top only 1.5 times what \
             was carried was offered; 3 packets at the top are not explained."
        );
    }
}
