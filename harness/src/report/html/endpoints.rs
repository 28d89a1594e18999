//! Figures over M: what a backend adds as a service gets more endpoints, at one N.

use std::collections::BTreeMap;

use super::figure::{Figure, mark, median, notes, style};
use super::table::{Cell, Table};
use crate::report::number::{self, Medium};
use crate::report::plot::{Across, Chart, Series, render};
use crate::report::select::{flow_title, headline_curves, panels};
use crate::result::{BackendKind, Curve, Flow, Metric, Point, RunFile, Unit, VenueKind, name};
use crate::workload::Protocol;

/// What the lines of one figure share.
type Panel<'a> = (VenueKind, &'a str, Unit, Protocol, Flow, u32);

/// The points of each backend, by M.
type Lines<'a> = BTreeMap<BackendKind, BTreeMap<u32, (&'a Curve, &'a Point)>>;

/// One figure a place and N at which some backend was measured with several M; of `added` where the run has it.
pub(super) fn figures(run: &RunFile) -> Vec<Figure> {
    let added = of_metric(run, Metric::Added);
    if added.is_empty() { of_metric(run, Metric::Traversal) } else { added }
}

fn of_metric(run: &RunFile, metric: Metric) -> Vec<Figure> {
    let mut by_size = BTreeMap::<Panel<'_>, Lines<'_>>::new();
    for (panel, curves) in panels(run, metric) {
        // Plain routing without conntrack costs less than what is subtracted.
        let is_drawn = |curve: &&Curve| metric != Metric::Added || curve.key.axes.backend.balances();
        for curve in headline_curves(&curves).into_iter().filter(is_drawn) {
            for point in &curve.points {
                let key = (panel.venue, panel.kernel, panel.unit, panel.protocol, panel.flow, point.services);
                let line = by_size.entry(key).or_default().entry(curve.key.axes.backend).or_default();
                line.insert(panel.endpoints, (curve, point));
            }
        }
    }
    let has_several = |lines: &Lines<'_>| lines.values().any(|line| line.len() > 1);
    // Where rules are many, what another endpoint costs shows least in noise at the smallest N and matters most at the largest.
    let figures = by_size.into_iter().rev().filter(|(_, lines)| has_several(lines));
    figures.filter_map(|(panel, lines)| figure(panel, &lines, metric)).collect()
}

fn figure(
    (venue, kernel, unit, protocol, flow, services): Panel<'_>,
    lines: &Lines<'_>,
    metric: Metric,
) -> Option<Figure> {
    let (venue, protocol, flow) = (name(&venue), name(&protocol).to_uppercase(), flow_title(flow));
    let title = format!("{flow} flows, {venue}, kernel {kernel}, {protocol}, {}", number::size(services));
    let axis = format!("{metric}, {unit} (p50)");
    let description = format!("{axis} over the endpoints of a service: {title}. The table below holds the values.");
    let line = |(backend, points): (&BackendKind, &BTreeMap<u32, (&Curve, &Point)>)| Series {
        label: name(backend),
        style: style(*backend),
        marks: points.iter().map(|(endpoints, (_, point))| mark(point, f64::from(*endpoints))).collect(),
        trace: Vec::new(),
        fitted: Vec::new(),
    };
    let series = lines.iter().map(line).collect();
    let drawing = render(&Chart { description, across: Across::Endpoints, axis, series });
    Some(Figure { title, drawing, table: table(lines)? })
}

fn table(lines: &Lines<'_>) -> Option<Table> {
    let mut all: Vec<u32> = lines.values().flat_map(|line| line.keys().copied()).collect();
    all.sort_unstable();
    all.dedup();
    let mut head = vec!["backend".to_owned()];
    head.extend(
        all.iter().map(|endpoints| format!("M\u{a0}=\u{a0}{}", number::count(u64::from(*endpoints), Medium::Html))),
    );
    let row = |(backend, line): (&BackendKind, &BTreeMap<u32, (&Curve, &Point)>)| {
        let mut cells = vec![Cell::text(name(backend))];
        let value = |endpoints| line.get(endpoints).map_or_else(Cell::none, |(curve, point)| median(curve, point));
        cells.extend(all.iter().map(value));
        cells
    };
    let mut table = Table::new(&head, lines.iter().map(row).collect())?;
    let flagged: Vec<&Curve> = lines
        .values()
        .flat_map(|line| line.values())
        .filter(|(_, point)| point.suspect.is_some())
        .map(|(curve, _)| *curve)
        .collect();
    table.notes = notes(&flagged);
    Some(table)
}
