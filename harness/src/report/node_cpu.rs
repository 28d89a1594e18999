//! CPU time of the node in searches for rates, in words for every medium.

use super::axes;
use super::number::{self, Medium};
use crate::result::{CpuPoint, Estimate, RateKey, RateKind, RatePoint, RunFile, name};

/// What the figures are, for every medium.
pub(super) const INTRO: &str = "CPU time of the node's receive thread and of ksoftirqd on its CPU, soft interrupts on their backs included; the generator \
    has another CPU. At a load that is the same for all, at the rates that were found, and in the bursts of the maximum receive rate, of which most is lost. \
    The last column is the kernel time of that CPU by /proc/stat over that of the two threads: more than 1 where other work shared it.";

/// Columns that hold words; the others hold numbers.
pub(super) const WORDS: usize = 10;

/// Headings.
pub(super) fn columns() -> Vec<&'static str> {
    axes::columns(&[
        "at",
        "goals",
        "bytes",
        "M",
        "N",
        "searches",
        "packets/s offered",
        "CPU a packet",
        "cores",
        "by ticks",
    ])
}

/// Every row of a run, at the fixed load first.
pub(super) fn rows(run: &RunFile, medium: Medium) -> Vec<Vec<String>> {
    let of = |(key, point)| rows_of(key, point, medium);
    let points = || run.rates.iter().flat_map(|curve| curve.points.iter().map(|point| (&curve.key, point)));
    points().flat_map(of).collect()
}

/// One N of a curve: what was taken at its rate, and beside the maximum receive rate, which every search has, at the fixed load.
pub(super) fn rows_of(key: &RateKey, point: &RatePoint, medium: Medium) -> Vec<Vec<String>> {
    let fixed = point.fixed_cpu.iter().filter(|_| key.rate == RateKind::Received);
    let fixed = fixed.map(|cpu| row(key, point, "a fixed load", cpu, medium));
    let own = point.cpu.iter().map(|cpu| row(key, point, &key.rate.to_string(), cpu, medium));
    fixed.chain(own).collect()
}

fn row(key: &RateKey, point: &RatePoint, at: &str, cpu: &CpuPoint, medium: Medium) -> Vec<String> {
    let count = |value: u32| number::count(value.into(), medium);
    let ratio = point.ticks_ratio.map_or_else(|| "-".to_owned(), |ratio| number::significant(ratio, 3, medium));
    let taken = [
        at.to_owned(),
        name(&key.method),
        key.packet_size.to_string(),
        count(key.axes.endpoints),
        count(point.services),
        number::count(cpu.cores.values.len() as u64, medium),
        number::significant(cpu.load_pps, 4, medium),
        estimate(&cpu.ns_a_packet, " ns", medium),
        estimate(&cpu.cores, "", medium),
        ratio,
    ];
    axes::row(name(&key.axes.venue), &key.axes, key.new_share, taken)
}

/// The median, with its interval or range where there is more than one value.
fn estimate(estimate: &Estimate, unit: &str, medium: Medium) -> String {
    let show = |value| number::significant(value, 3, medium);
    let Estimate { value, spread, values } = estimate;
    if values.len() > 1 {
        format!("{}{unit} [{}, {}]", show(*value), show(spread.low()), show(spread.high()))
    } else {
        format!("{}{unit}", show(*value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::result::{PacketSize, RateRecord, rate_curves, rate_record};

    #[test]
    fn a_row_has_a_cell_for_every_column_and_the_fixed_load_comes_once() {
        let curves = rate_curves(&[rate_record(10, 0, 100_000.0), rate_record(10, 1, 200_000.0)]);
        let rows: Vec<_> =
            curves.iter().flat_map(|curve| rows_of(&curve.key, &curve.points[0], Medium::Terminal)).collect();
        assert!(rows.iter().all(|row| row.len() == columns().len()));
        let shown: Vec<_> = rows.iter().map(|row| [&row[7], &row[13], &row[14], &row[15], &row[16]]).collect();
        assert_eq!(
            shown,
            [
                ["no loss (NDR)", "150,000", "2,000 ns [2,000, 2,000]", "0.3 [0.2, 0.4]", "1.25"],
                ["0.5% loss (PDR)", "165,000", "2,000 ns [2,000, 2,000]", "0.33 [0.22, 0.44]", "1.25"],
                ["a fixed load", "20,000", "2,000 ns [2,000, 2,000]", "0.04 [0.04, 0.04]", "1.25"],
            ]
        );
    }

    #[test]
    fn searches_with_packets_of_two_sizes_have_rows_in_different_words() {
        let imix = RateRecord { packet_size: PacketSize::Imix, ..rate_record(10, 0, 100_000.0) };
        let curves = rate_curves(&[rate_record(10, 0, 200_000.0), imix]);
        let rows: Vec<_> =
            curves.iter().flat_map(|curve| rows_of(&curve.key, &curve.points[0], Medium::Terminal)).collect();
        let words: BTreeSet<_> = rows.iter().map(|row| &row[..WORDS]).collect();
        assert_eq!((rows.len(), words.len()), (6, 6), "{rows:?}");
        assert!(rows.iter().all(|row| row[8] == "quick" && ["64", "imix"].contains(&&*row[9])), "{rows:?}");
    }
}
