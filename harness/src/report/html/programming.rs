//! Figures of programming times.

use std::collections::BTreeMap;

use curve_stats::median;

use super::Figure;
use super::curves::style;
use super::table::{Cell, Table};
use crate::report::number::{self, Medium};
use crate::report::plot::{Chart, Mark, Series, render};
use crate::result::{BackendKind, ProgrammingOp, ProgrammingRecord, RunFile, Unit, VenueKind, name};
use crate::workload::{Protocol, VipLayout};

/// What times must share to be drawn in one plot.
type Panel<'a> = (VenueKind, &'a str, Unit, ProgrammingOp);

/// One figure a venue, kernel and operation.
pub(super) fn figures(run: &RunFile) -> Vec<Figure> {
    let mut panels = BTreeMap::<Panel<'_>, Vec<&ProgrammingRecord>>::new();
    for record in &run.programming {
        panels.entry((record.venue, &record.kernel, record.unit, record.op)).or_default().push(record);
    }
    panels.into_iter().filter_map(|(panel, records)| figure(panel, &records)).collect()
}

fn figure((venue, kernel, unit, op): Panel<'_>, records: &[&ProgrammingRecord]) -> Option<Figure> {
    let title = format!("{op}, {}, kernel {kernel}", name(&venue));
    let (divisor, shown) = plot_unit(unit, records);
    let axis = format!("total, {shown}");
    let description = format!("{axis} over the number of services: {title}. The table below holds the values.");
    let drawing = render(&Chart { description, axis, series: series(records, divisor) });
    let head = ["backend", "N", "M", "VIPs", "protocol", "total", "in the kernel", "outside the kernel"];
    let table = Table::new(&head, records.iter().map(|record| row(record)).collect())?;
    Some(Figure::new(title, drawing, table))
}

/// Nanoseconds are drawn as milliseconds, or seconds when any takes one.
fn plot_unit(unit: Unit, records: &[&ProgrammingRecord]) -> (f64, &'static str) {
    match unit {
        Unit::Instructions => (1.0, "instructions"),
        Unit::Ns if records.iter().any(|record| record.total >= 1_000_000_000) => (1e9, "s"),
        Unit::Ns => (1e6, "ms"),
    }
}

/// What one line's records share.
type LineKey = (BackendKind, VipLayout, Protocol, u32);

/// One line a backend, layout, protocol and M; repeats at one N are drawn at their median.
fn series(records: &[&ProgrammingRecord], divisor: f64) -> Vec<Series> {
    let mut lines = BTreeMap::<LineKey, BTreeMap<u32, Vec<f64>>>::new();
    for record in records {
        let line = lines.entry((record.backend, record.layout, record.protocol, record.endpoints)).or_default();
        line.entry(record.services).or_default().push(record.total as f64 / divisor);
    }
    let several = |backend| lines.keys().filter(|key| key.0 == backend).count() > 1;
    let labelled = |key: &LineKey| {
        if several(key.0) { format!("{} {} M={}", name(&key.0), name(&key.1), key.3) } else { name(&key.0) }
    };
    let mark = |(services, values): (&u32, &Vec<f64>)| {
        let value = median(values).ok()?;
        Some(Mark { services: *services, value, band: None, suspect: false })
    };
    let line = |(key, by_services): (&LineKey, &BTreeMap<u32, Vec<f64>>)| Series {
        label: labelled(key),
        style: style(key.0),
        marks: by_services.iter().filter_map(mark).collect(),
    };
    lines.iter().map(line).collect()
}

fn row(record: &ProgrammingRecord) -> Vec<Cell> {
    let total = record.total as f64;
    let share = |part: u64| {
        let shown = number::duration(part as f64, record.unit, Medium::Html);
        Cell::number(number::share(part as f64, total)).with_detail(shown)
    };
    vec![
        Cell::text(name(&record.backend)),
        Cell::count(u64::from(record.services)),
        Cell::count(u64::from(record.endpoints)),
        Cell::text(name(&record.layout)),
        Cell::text(name(&record.protocol)),
        Cell::number(number::duration(total, record.unit, Medium::Html)),
        share(record.kernel_time),
        share(record.user),
    ]
}
