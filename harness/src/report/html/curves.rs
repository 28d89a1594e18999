//! Figures of curves: each backend at its worst position, then the other positions and layouts.

use std::collections::BTreeMap;

use super::Figure;
use super::table::{Cell, Table};
use crate::report::number::{self, Medium};
use crate::report::plot::{Chart, Mark, Series, render};
use crate::report::select::{balances, headline_curves, panels, sizes};
use crate::result::{BackendKind, Curve, Metric, Point, RunFile, name};

const MEDIUM: Medium = Medium::Html;

/// Colour and marker of a backend, the same in every plot.
pub(super) fn style(backend: BackendKind) -> usize {
    match backend {
        BackendKind::IptablesLegacy => 0,
        BackendKind::IptablesNft => 1,
        BackendKind::Ipvs => 2,
        BackendKind::Nftables => 3,
        BackendKind::Direct => 4,
        BackendKind::DirectConntrack => 5,
    }
}

/// One figure a panel, one line a backend.
pub(super) fn headline(run: &RunFile, metric: Metric) -> Vec<Figure> {
    let panels = panels(run, metric).into_iter();
    let figure = |(panel, curves): (super::super::select::Panel<'_>, Vec<&Curve>)| {
        let lines: Vec<_> = headline_curves(&curves)
            .into_iter()
            .map(|curve| (name(&curve.key.backend), style(curve.key.backend), curve))
            .collect();
        figure(panel.title(), &lines)
    };
    panels.filter_map(figure).collect()
}

/// One figure a panel and backend that was measured at several positions or layouts.
pub(super) fn positions(run: &RunFile) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (panel, curves) in panels(run, Metric::Traversal) {
        let mut backends = BTreeMap::<_, Vec<_>>::new();
        for curve in curves.into_iter().filter(|curve| balances(curve.key.backend)) {
            backends.entry(curve.key.backend).or_default().push(curve);
        }
        for (backend, curves) in backends.into_iter().filter(|(_, curves)| curves.len() > 1) {
            let line = |(index, curve): (usize, _)| (position_label(curve), index, curve);
            let lines: Vec<_> = curves.into_iter().enumerate().map(line).collect();
            figures.extend(figure(format!("{}: {}", name(&backend), panel.title()), &lines));
        }
    }
    figures
}

fn position_label(curve: &Curve) -> String {
    match curve.key.layout {
        crate::workload::VipLayout::Sequential => name(&curve.key.position),
        layout => format!("{}, {}", name(&curve.key.position), name(&layout)),
    }
}

/// A figure of labelled and styled curves, which share metric and unit.
fn figure(title: String, lines: &[(String, usize, &Curve)]) -> Option<Figure> {
    let key = &lines.first()?.2.key;
    let axis = format!("{}, {} (p50)", key.metric, key.unit);
    let series = lines.iter().map(|(label, style, curve)| series(label, *style, curve)).collect();
    let curves: Vec<_> = lines.iter().map(|(_, _, curve)| *curve).collect();
    let description = format!("{axis} over the number of services: {title}. The table below holds the values.");
    let drawing = render(&Chart { description, axis, series });
    Some(Figure::new(title, drawing, curve_table(&curves)?))
}

fn series(label: &str, style: usize, curve: &Curve) -> Series {
    let mark = |point: &Point| Mark {
        services: point.services,
        value: point.p50,
        band: Some([point.p10, point.p90]),
        suspect: point.suspect.is_some(),
    };
    Series { label: label.to_owned(), style: style % 7, marks: curve.points.iter().map(mark).collect() }
}

/// Class and slope, and the median with the 10th and 90th percentile at each N.
fn curve_table(curves: &[&Curve]) -> Option<Table> {
    let sizes = sizes(curves);
    let unit = curves.first()?.key.unit;
    let mut head = vec!["backend".to_owned(), format!("class, {unit} per service [95%]")];
    head.extend(sizes.iter().map(|services| number::size(*services)));
    let rows = curves.iter().map(|curve| row(curve, &sizes)).collect();
    let mut table = Table::new(&head, rows)?;
    table.notes = notes(curves);
    Some(table)
}

fn row(curve: &Curve, sizes: &[u32]) -> Vec<Cell> {
    let key = &curve.key;
    let place = format!("{}, {}", name(&key.position), name(&key.layout));
    let class = Cell::text(curve.fit.class.to_string()).with_detail(number::slope(&curve.fit, MEDIUM));
    let mut cells = vec![Cell::text(name(&key.backend)).with_detail(place), class];
    cells.extend(sizes.iter().map(|services| {
        let point = curve.points.iter().find(|point| point.services == *services);
        point.map_or_else(|| Cell::number("\u{2013}"), |point| median(curve, point))
    }));
    cells
}

fn median(curve: &Curve, point: &Point) -> Cell {
    let show = |value| number::value(value, curve.key.unit, MEDIUM);
    let band = format!("{} \u{2026} {}", show(point.p10), show(point.p90));
    Cell::value(point.p50, curve.key.unit).with_detail(band).flagged(point.suspect.is_some())
}

/// What weakens the fits, and why points are flagged.
fn notes(curves: &[&Curve]) -> Vec<String> {
    let mut notes = Vec::new();
    for curve in curves {
        let subject = format!("{} ({})", name(&curve.key.backend), position_label(curve));
        notes.extend(curve.fit.notes.iter().map(|note| format!("{subject}: {note}.")));
        let flagged = curve.points.iter().filter_map(|point| Some((point.services, point.suspect.as_ref()?)));
        notes.extend(
            flagged.map(|(services, reason)| format!("\u{2020} {subject} at {}: {reason}.", number::size(services))),
        );
        if curve.integrity.mismatched > 0 {
            let count = number::count(curve.integrity.mismatched, MEDIUM);
            notes.push(format!("{subject}: {count} packets not timed (another packet held their slot)."));
        }
    }
    notes
}

/// Every point of the curves of some metrics, with all quantiles.
pub(super) fn points_table(run: &RunFile, wanted: impl Fn(Metric) -> bool) -> Option<Table> {
    let head =
        ["venue", "metric", "backend", "flow", "N", "min", "p10", "p50", "p90", "p99", "p99.9", "trials", "packets"];
    let curves = run.curves.iter().filter(|curve| wanted(curve.key.metric));
    let rows = curves.flat_map(|curve| curve.points.iter().map(|point| point_row(curve, point)));
    Table::new(&head, rows.collect())
}

fn point_row(curve: &Curve, point: &Point) -> Vec<Cell> {
    let key = &curve.key;
    let packets = format!("{}, M\u{a0}=\u{a0}{}", name(&key.protocol), point.endpoints);
    let service = format!("{}, {}", name(&key.position), name(&key.layout));
    let mut cells = vec![
        Cell::text(name(&key.venue)).with_detail(key.kernel.clone()),
        Cell::text(key.metric.to_string()).with_detail(key.unit.to_string()),
        Cell::text(name(&key.backend)).with_detail(service),
        Cell::text(name(&key.flow)).with_detail(packets),
        Cell::count(u64::from(point.services)),
    ];
    let quantiles = [point.min, point.p10, point.p50, point.p90, point.p99, point.p999];
    cells.extend(quantiles.map(|value| Cell::value(value, key.unit)));
    cells.push(Cell::count(u64::from(point.trials)).flagged(point.suspect.is_some()));
    cells.push(Cell::count(point.packets));
    cells
}
