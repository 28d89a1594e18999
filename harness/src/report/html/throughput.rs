//! Figures of throughput at saturation.

use std::collections::BTreeMap;

use curve_stats::quantile;

use super::figure::{Figure, style};
use super::table::{Cell, Table};
use crate::report::number::{Medium, count, significant};
use crate::report::plot::{Across, Chart, Mark, Series, render};
use crate::report::select::flow_title;
use crate::result::{BackendKind, Bracket, Flow, Position, RunFile, ThroughputRecord, VenueKind, name};
use crate::workload::{Protocol, VipLayout};

/// What rates must share to be drawn in one plot.
type Panel<'a> = (Bracket, VenueKind, &'a str, Protocol, u32, Flow);

/// What one line's rates share.
type LineKey = (BackendKind, VipLayout, Position);

/// The trials of each line, by N.
type Lines<'a> = BTreeMap<LineKey, BTreeMap<u32, Vec<&'a ThroughputRecord>>>;

/// One figure a bracket, venue, kernel, protocol, M and flow: at the exit of the XDP bracket the same CPU has done more for a packet.
pub(super) fn figures(run: &RunFile) -> Vec<Figure> {
    let mut panels = BTreeMap::<Panel<'_>, Lines<'_>>::new();
    for record in &run.throughput {
        let cell = &record.cell;
        let panel = (cell.bracket, cell.venue, &*cell.kernel, cell.protocol, cell.endpoints, cell.flow);
        let lines = panels.entry(panel).or_default();
        let line = lines.entry((cell.backend, cell.layout, cell.position)).or_default();
        line.entry(cell.services).or_default().push(record);
    }
    panels.into_iter().filter_map(|(panel, lines)| figure(panel, &lines)).collect()
}

fn figure((bracket, venue, kernel, protocol, endpoints, flow): Panel<'_>, lines: &Lines<'_>) -> Option<Figure> {
    let protocol = name(&protocol).to_uppercase();
    let bracket = if bracket.is_tc() { "" } else { ", counted at the exit of the XDP bracket" };
    let title = format!(
        "{} flows, {}, kernel {kernel}, {protocol}, M\u{a0}=\u{a0}{endpoints}{bracket}",
        flow_title(flow),
        name(&venue)
    );
    let axis = "forwarded, packets/s".to_owned();
    let description = format!("{axis} over the number of services: {title}. The table below holds the values.");
    let several = |backend| lines.keys().filter(|key| key.0 == backend).count() > 1;
    let line = |(key, by_services): (&LineKey, &BTreeMap<u32, Vec<&ThroughputRecord>>)| Series {
        label: if several(key.0) { format!("{} {}", name(&key.0), name(&key.2)) } else { name(&key.0) },
        style: style(key.0),
        marks: by_services.iter().filter_map(|(services, trials)| mark(*services, trials)).collect(),
        trace: Vec::new(),
        fitted: Vec::new(),
    };
    let drawing =
        render(&Chart { description, across: Across::Services, axis, series: lines.iter().map(line).collect() });
    let head = [
        "backend",
        "position",
        "VIPs",
        "N",
        "trials",
        "forwarded, packets/s",
        "lowest",
        "highest",
        "offered, packets/s",
    ];
    let rows =
        lines.iter().flat_map(|(key, by)| by.iter().filter_map(|(services, trials)| row(key, *services, trials)));
    Some(Figure { title, drawing, table: Table::new(&head, rows.collect())? })
}

/// Lowest, median and highest forwarded rate of some trials.
fn forwarded(trials: &[&ThroughputRecord]) -> Option<[f64; 3]> {
    let rates: Vec<_> = trials.iter().map(|trial| trial.forwarded_pps).collect();
    Some([quantile(&rates, 0.0).ok()?, quantile(&rates, 0.5).ok()?, quantile(&rates, 1.0).ok()?])
}

fn mark(services: u32, trials: &[&ThroughputRecord]) -> Option<Mark> {
    let [lowest, value, highest] = forwarded(trials)?;
    Some(Mark { at: f64::from(services), value, band: Some([lowest, highest]), interval: None, suspect: false })
}

fn row((backend, layout, position): &LineKey, services: u32, trials: &[&ThroughputRecord]) -> Option<Vec<Cell>> {
    let [lowest, middle, highest] = forwarded(trials)?;
    let offered: Vec<_> = trials.iter().map(|trial| trial.offered_pps).collect();
    let rate = |value| Cell::number(significant(value, 4, Medium::Html));
    Some(vec![
        Cell::text(name(backend)),
        Cell::text(name(position)),
        Cell::text(name(layout)),
        Cell::number(count(u64::from(services), Medium::Html)),
        Cell::count(trials.len() as u64),
        rate(middle),
        rate(lowest),
        rate(highest),
        rate(quantile(&offered, 0.5).ok()?),
    ])
}
