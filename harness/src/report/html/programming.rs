//! Figures of programming times.

use std::collections::BTreeMap;

use super::figure::{Figure, style};
use super::table::{Cell, Table};
use crate::report::number::{self, Medium};
use crate::report::plot::{Across, Chart, Mark, Series, render};
use crate::report::programming::{LineKey, Lines, lines, middle, sizes};
use crate::result::{ProgrammingOp, ProgrammingRecord, RunFile, Unit, VenueKind, name};

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
    let mut operation = op.to_string();
    operation[..1].make_ascii_uppercase();
    let title = format!("{operation}, {}, kernel {kernel}", name(&venue));
    let (divisor, shown) = plot_unit(unit, records);
    let axis = format!("total, {shown}");
    let description = format!("{axis} over the number of services: {title}. The table below holds the values.");
    let lines = lines(records);
    let drawing = render(&Chart { description, across: Across::Services, axis, series: series(&lines, divisor) });
    Some(Figure { title, drawing, table: table(&lines, &sizes(records), unit)? })
}

/// Nanoseconds are drawn as milliseconds, or seconds when any takes one.
fn plot_unit(unit: Unit, records: &[&ProgrammingRecord]) -> (f64, &'static str) {
    match unit {
        Unit::Instructions => (1.0, "instructions"),
        Unit::Steps => (1.0, "steps"),
        Unit::Ns if records.iter().any(|record| record.total >= 1_000_000_000) => (1e9, "s"),
        Unit::Ns => (1e6, "ms"),
    }
}

fn series(lines: &Lines<'_>, divisor: f64) -> Vec<Series> {
    let several = |backend| lines.keys().filter(|key| key.0 == backend).count() > 1;
    let labelled = |key: &LineKey| {
        if several(key.0) { format!("{} {} M={}", name(&key.0), name(&key.1), key.3) } else { name(&key.0) }
    };
    let mark = |(services, repeats): (&u32, &Vec<&ProgrammingRecord>)| {
        let value = middle(repeats, |record| record.total)? / divisor;
        Some(Mark { at: f64::from(*services), value, band: None, interval: None, suspect: false })
    };
    let line = |(key, by_services): (&LineKey, &BTreeMap<_, _>)| Series {
        label: labelled(key),
        style: style(key.0),
        marks: by_services.iter().filter_map(mark).collect(),
        trace: Vec::new(),
        fitted: Vec::new(),
    };
    lines.iter().map(line).collect()
}

/// One row a line, one column an N: total, and its shares inside and outside the kernel.
fn table(lines: &Lines<'_>, sizes: &[u32], unit: Unit) -> Option<Table> {
    let mut head = vec!["backend".to_owned()];
    head.extend(sizes.iter().map(|services| number::size(*services)));
    let row = |((backend, layout, protocol, endpoints), by_services): (&LineKey, &BTreeMap<_, _>)| {
        let workload = format!("{}, {}, M\u{a0}=\u{a0}{endpoints}", name(layout), name(protocol));
        let mut cells = vec![Cell::text(name(backend)).with_detail(workload)];
        let total = |services| by_services.get(services).and_then(|repeats: &Vec<_>| total(repeats, unit));
        cells.extend(sizes.iter().map(|services| total(services).unwrap_or_else(Cell::none)));
        cells
    };
    Table::new(&head, lines.iter().map(row).collect())
}

fn total(repeats: &[&ProgrammingRecord], unit: Unit) -> Option<Cell> {
    let total = middle(repeats, |record| record.total)?;
    let kernel = number::share(middle(repeats, |record| record.kernel_time)?, total);
    let user = number::share(middle(repeats, |record| record.user)?, total);
    let shares = format!("kernel {kernel}, user {user}");
    Some(Cell::number(number::duration(total, unit, Medium::Html)).with_detail(shares))
}
