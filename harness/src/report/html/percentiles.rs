//! Percentile plots as HdrHistogram draws them: value over 1 / (1 - quantile), all packets of a cell.

use std::collections::BTreeMap;

use super::figure::{Figure, style};
use super::table::{Cell, Table};
use crate::report::number::{self, Medium};
use crate::report::plot::{Across, Chart, Mark, Series, render};
use crate::report::select::flow_title;
use crate::result::{
    BackendKind, Bracket, Distribution, Flow, Position, QuantileValue, RunFile, TrialKind, Unit, VenueKind, name,
};
use crate::workload::{Protocol, VipLayout};

const MEDIUM: Medium = Medium::Html;

/// Percentiles that are marked on the lines and stand in the table.
const MARKED: [f64; 6] = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999];

/// What the lines of one figure share.
type Panel<'a> = (Bracket, Flow, VenueKind, &'a str, Unit, Protocol, u32, u32);

/// One figure a place, flow and N, the largest N first: every backend at its worst position, sequential VIPs.
pub(super) fn figures(run: &RunFile) -> Vec<Figure> {
    let mut panels = BTreeMap::<Panel<'_>, BTreeMap<BackendKind, &Distribution>>::new();
    for distribution in run.distributions.iter().filter(|distribution| is_shown(distribution)) {
        let cell = &distribution.cell;
        // Descending in N, ascending in all else.
        let panel = (
            cell.bracket,
            cell.flow,
            cell.venue,
            &*cell.kernel,
            distribution.unit,
            cell.protocol,
            cell.endpoints,
            u32::MAX - cell.services,
        );
        panels.entry(panel).or_default().insert(cell.backend, distribution);
    }
    panels.into_iter().filter_map(|(panel, lines)| figure(&panel, &lines)).collect()
}

fn is_shown(distribution: &Distribution) -> bool {
    let cell = &distribution.cell;
    // An imported cluster is asked over all its services.
    let is_over_all = cell.layout == VipLayout::Imported && cell.backend.balances();
    let position = if is_over_all { Position::Random } else { cell.backend.worst_position() };
    distribution.kind == TrialKind::Traversal
        && matches!(cell.layout, VipLayout::Sequential | VipLayout::Imported)
        && cell.position == position
        && !distribution.quantiles.is_empty()
}

fn figure(
    (bracket, flow, venue, kernel, unit, protocol, endpoints, below): &Panel<'_>,
    lines: &BTreeMap<BackendKind, &Distribution>,
) -> Option<Figure> {
    let (size, flow) = (number::size(u32::MAX - below), flow_title(*flow));
    let (venue, protocol) = (name(venue), name(protocol).to_uppercase());
    let bracket = if bracket.is_tc() { "" } else { ", XDP bracket" };
    let title =
        format!("{size}: {flow} flows, {venue}, kernel {kernel}, {protocol}, M\u{a0}=\u{a0}{endpoints}{bracket}");
    let axis = format!("traversal, {unit}");
    let description = format!("{axis} over the percentile of packets: {title}. The table below holds the values.");
    let series = lines.iter().map(|(backend, distribution)| series(*backend, distribution)).collect();
    let drawing = render(&Chart { description, across: Across::Percentile, axis, series });
    Some(Figure { title, drawing, table: table(lines)? })
}

/// Where a quantile stands; the last one is drawn where one packet more would put it.
fn place(quantile: f64, packets: u64) -> f64 {
    let end = packets.max(1) as f64;
    if quantile >= 1.0 { end } else { (1.0 / (1.0 - quantile)).min(end) }
}

fn series(backend: BackendKind, distribution: &Distribution) -> Series {
    let Distribution { packets, max, quantiles, .. } = distribution;
    spectrum(name(&backend), backend, &Spectrum { packets: *packets, max: *max, quantiles })
}

/// The percentiles of so many packets.
pub(super) struct Spectrum<'a> {
    pub(super) packets: u64,
    pub(super) max: u64,
    pub(super) quantiles: &'a [QuantileValue],
}

/// A line over percentiles, in a backend's colour.
pub(super) fn spectrum(label: String, backend: BackendKind, of: &Spectrum<'_>) -> Series {
    let packets = of.packets;
    // A quantile that the packets are too few for repeats the maximum.
    let known = of.quantiles.iter().filter(|point| place(point.quantile, packets) < packets as f64);
    let point = |at: f64, value: u64| (at, value as f64);
    let mut trace: Vec<_> = known.map(|q| point(place(q.quantile, packets), q.value)).collect();
    trace.push(point(place(1.0, packets), of.max));
    let marks = MARKED.iter().filter_map(|quantile| {
        let found = of.quantiles.iter().find(|point| point.quantile == *quantile)?;
        let at = place(found.quantile, packets);
        let mark = Mark { at, value: found.value as f64, band: None, interval: None, suspect: false };
        (at < packets as f64).then_some(mark)
    });
    Series { label, style: style(backend), marks: marks.collect(), trace, fitted: Vec::new() }
}

fn table(lines: &BTreeMap<BackendKind, &Distribution>) -> Option<Table> {
    let head = ["backend", "packets", "min", "p50", "p90", "p99", "p99.9", "p99.99", "max", "mean"];
    let row = |(backend, distribution): (&BackendKind, &&Distribution)| {
        let unit = distribution.unit;
        let mut cells = vec![Cell::text(name(backend)), Cell::count(distribution.packets)];
        cells.extend(MARKED.iter().map(|quantile| {
            let found = distribution.quantiles.iter().find(|point| point.quantile == *quantile);
            found.map_or_else(Cell::none, |point| Cell::value(point.value as f64, unit))
        }));
        cells.push(Cell::value(distribution.max as f64, unit));
        cells.push(Cell::number(number::value(distribution.mean, unit, MEDIUM)));
        cells
    };
    Table::new(&head, lines.iter().map(row).collect())
}
