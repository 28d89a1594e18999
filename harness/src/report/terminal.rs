//! The run as text: one row a curve, then programming times, warnings and what was skipped.

use std::collections::BTreeMap;
use std::fmt::Write;

use comfy_table::{CellAlignment, ContentArrangement, ContentLineStyle, LineStyle, Table, TableStyle};

use super::number::{self, Medium};
use super::programming;
use super::select::sizes;
use super::skipped::grouped;
use super::{cluster, connections, decisions, fairness, growth, loaded, memory, node_cpu, rates, reachability};
use crate::result::{Curve, Metric, ProgrammingRecord, RateCurve, RunFile, Unit, VenueKind, name};

const MEDIUM: Medium = Medium::Terminal;

/// Columns of spaces and one line under the head: fits a log and survives being pasted.
const STYLE: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none().junction(' '))
    .header_separator(LineStyle::none().fill('-').junction('-'))
    .content_lines(ContentLineStyle::none().junction(' '));

/// Renders a run as plain text of any width, ending in a line feed.
#[must_use]
pub fn table(run: &RunFile) -> String {
    let mut text = String::new();
    if let Some(cluster) = &run.plan.cluster {
        list(&mut text, "Cluster", cluster::sentences(cluster, run, MEDIUM));
        section(&mut text, &format!("Expected cost of a first packet. {}", cluster::EXPECTED), &expected_table(run));
        if !run.connections.is_empty() {
            section(&mut text, &format!("Its connections. {}", cluster::CONNECTED), &cluster_connections(run));
        }
    }
    for (place, curves) in by_place(run) {
        section(&mut text, &format!("{place}: median (p50)"), &curve_table(&curves));
    }
    for (place, records) in programming_by_place(run) {
        section(
            &mut text,
            &format!("{place}: programming, total and the kernel's share"),
            &programming_table(&records),
        );
    }
    for ((venue, kernel), lines) in memory::by_place(run) {
        let title = format!("{}, kernel {kernel}: kernel memory of what was programmed from nothing", name(&venue));
        section(&mut text, &title, &memory_table(&lines));
        list(&mut text, "Where that memory is", lines.iter().filter_map(|line| line.note(MEDIUM)).collect());
    }
    if !run.rates.is_empty() {
        section(&mut text, "Rates that are carried, packets/s: medians over searches", &rate_table(run));
    }
    let title = "CPU time of the node, a packet that it carried, and cores in use";
    rows_in(&mut text, title, &node_cpu::columns(), node_cpu::WORDS, node_cpu::rows(run, MEDIUM));
    if !run.loaded.is_empty() {
        section(&mut text, &format!("Latency under load, {}", loaded::WHAT), &loaded_table(run));
    }
    if !run.connections.is_empty() {
        section(
            &mut text,
            "Real connections: medians over trials, rates with their interval or range",
            &connection_table(run),
        );
    }
    let title = "Growth by the rates: the time from one packet or exchange to the next";
    rows_in(&mut text, title, &growth::columns(), growth::WORDS, growth::rows(run, MEDIUM));
    if !run.decisions.is_empty() {
        section(&mut text, "Decisions: which endpoint the flows of each cell reached", &decision_table(run));
    }
    if !run.fairness.is_empty() {
        section(
            &mut text,
            "Fairness: how flows were spread, and what a change of endpoints did to them",
            &fairness_table(run),
        );
    }
    if !run.reachability.is_empty() {
        section(&mut text, "Reachability of a ClusterIP and of a load balancer's address", &reachability_table(run));
    }
    list(&mut text, "Of the rates", rate_notes(run));
    let notes = run.loaded.iter().filter_map(|entry| loaded::notes(entry, MEDIUM));
    list(&mut text, "Of the latency under load", notes.collect());
    list(&mut text, "Machine before host trials", run.environment.preflight.iter().map(ToString::to_string).collect());
    list(&mut text, "Warnings", run.warnings.iter().map(ToString::to_string).collect());
    let skipped = grouped(&run.skipped);
    list(&mut text, "Not measured", skipped.iter().map(ToString::to_string).collect());
    if text.is_empty() {
        text.push_str("The run has no curve.\n");
    }
    text
}

fn section(text: &mut String, title: &str, table: &Table) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{title}\n{}\n", table.trim_fmt());
}

/// A section of these rows, if there are any.
fn rows_in(text: &mut String, title: &str, columns: &[&str], words: usize, rows: Vec<Vec<String>>) {
    if !rows.is_empty() {
        section(text, title, &filled(columns, words, rows));
    }
}

fn list(text: &mut String, title: &str, lines: Vec<String>) {
    if !lines.is_empty() {
        let _ = writeln!(text, "{title}\n  {}\n", lines.join("\n  "));
    }
}

fn place(venue: VenueKind, kernel: &str, unit: Unit) -> String {
    format!("{}, kernel {kernel}, {unit}", name(&venue))
}

fn by_place(run: &RunFile) -> BTreeMap<String, Vec<&Curve>> {
    let mut places = BTreeMap::<_, Vec<_>>::new();
    for curve in &run.curves {
        places.entry(place(curve.key.axes.venue, &curve.key.axes.kernel, curve.key.unit)).or_default().push(curve);
    }
    for curves in places.values_mut() {
        curves.sort_by_key(|curve| (order(curve.key.metric), curve.key.axes.flow, curve.key.clone()));
    }
    places
}

/// The headline metric comes first.
fn order(metric: Metric) -> u8 {
    match metric {
        Metric::Added => 0,
        Metric::Traversal => 1,
        Metric::Floor => 2,
    }
}

pub(super) fn new_table(head: Vec<String>, numeric_from: usize) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Disabled).set_header(head);
    for column in table.column_iter_mut().skip(numeric_from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A table whose first `words` columns hold words.
fn filled<T: ToString>(columns: &[T], words: usize, rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut table = new_table(columns.iter().map(ToString::to_string).collect(), words);
    table.add_rows(rows);
    table
}

/// Axes that differ between the rows, beside metric, backend, flow and position, which are always shown.
fn extra_axes(curves: &[&Curve]) -> [bool; 3] {
    let differ = |key: &dyn Fn(&Curve) -> String| curves.windows(2).any(|pair| key(pair[0]) != key(pair[1]));
    [
        differ(&|curve| name(&curve.key.axes.layout)),
        differ(&|curve| name(&curve.key.axes.protocol)),
        differ(&|curve| curve.key.axes.endpoints.to_string()),
    ]
}

fn curve_table(curves: &[&Curve]) -> Table {
    let (sizes, extra) = (sizes(curves), extra_axes(curves));
    let keep = |cells: [String; 3]| cells.into_iter().zip(extra).filter_map(|(cell, shown)| shown.then_some(cell));
    let mut head: Vec<_> = ["metric", "backend", "flow", "position"].map(str::to_owned).into();
    head.extend(keep(["layout", "protocol", "M"].map(str::to_owned)));
    let axes = head.len();
    head.extend(sizes.iter().map(|n| format!("N={}", number::count(u64::from(*n), MEDIUM))));
    let unit = curves.first().map_or_else(String::new, |curve| curve.key.unit.to_string());
    head.extend(["class".to_owned(), format!("{unit} per service [95%]")]);
    let mut table = new_table(head, axes);
    for curve in curves {
        let key = &curve.key;
        let mut row = vec![key.metric.to_string(), key.axes.subject(), name(&key.axes.flow), name(&key.axes.position)];
        row.extend(keep([name(&key.axes.layout), name(&key.axes.protocol), key.axes.endpoints.to_string()]));
        row.extend(sizes.iter().map(|services| median(curve, *services)));
        row.extend([curve.fit.label(), number::slope(&curve.fit, MEDIUM)]);
        table.add_row(row);
    }
    if let Some(column) = table.column_mut(axes + sizes.len()) {
        column.set_cell_alignment(CellAlignment::Left);
    }
    table
}

fn median(curve: &Curve, services: u32) -> String {
    curve.points.iter().find(|point| point.services == services).map_or_else(String::new, |point| {
        let flag = if point.suspect.is_some() { "!" } else { "" };
        number::value(point.p50, curve.key.unit, MEDIUM) + flag
    })
}

fn programming_by_place(run: &RunFile) -> BTreeMap<String, Vec<&ProgrammingRecord>> {
    let mut places = BTreeMap::<_, Vec<_>>::new();
    for record in &run.programming {
        places.entry(place(record.venue, &record.kernel, record.unit)).or_default().push(record);
    }
    for records in places.values_mut() {
        records.sort_by_key(|record: &&ProgrammingRecord| record.op);
    }
    places
}

fn programming_table(records: &[&ProgrammingRecord]) -> Table {
    let sizes = programming::sizes(records);
    let mut head: Vec<_> = ["operation", "backend", "layout", "protocol", "M"].map(str::to_owned).into();
    let axes = head.len();
    head.extend(sizes.iter().map(|n| format!("N={}", number::count(u64::from(*n), MEDIUM))));
    let mut table = new_table(head, axes);
    for of_one_op in records.chunk_by(|a, b| a.op == b.op) {
        for ((backend, layout, protocol, endpoints), by_services) in programming::lines(of_one_op) {
            let op = of_one_op.first().map_or_else(String::new, |record| record.op.to_string());
            let mut row = vec![op, name(&backend), name(&layout), name(&protocol), endpoints.to_string()];
            let cost = |services| by_services.get(services).and_then(|repeats| cost(repeats));
            row.extend(sizes.iter().map(|services| cost(services).unwrap_or_default()));
            table.add_row(row);
        }
    }
    table
}

fn expected_table(run: &RunFile) -> Table {
    let rows = run.expected.iter().map(|cost| cluster::row(run, cost, MEDIUM));
    filled(&cluster::columns(), cluster::WORDS, rows)
}

fn cluster_connections(run: &RunFile) -> Table {
    filled(&cluster::connection_columns(), cluster::CONNECTION_WORDS, cluster::connection_rows(run, MEDIUM))
}

fn rate_table(run: &RunFile) -> Table {
    let points = run.rates.iter().flat_map(|curve| curve.points.iter().map(|point| (&curve.key, point)));
    let rows = points.map(|(key, point)| rates::row(key, point, MEDIUM));
    filled(&rates::columns(), rates::WORDS, rows)
}

fn memory_table(lines: &[memory::MemoryLine<'_>]) -> Table {
    let sizes = memory::sizes(lines);
    let rows = lines.iter().map(|line| line.row(&sizes, MEDIUM));
    filled(&memory::columns(&sizes, MEDIUM), memory::WORDS, rows)
}

fn loaded_table(run: &RunFile) -> Table {
    let rows = run.loaded.iter().map(|entry| loaded::row(entry, MEDIUM));
    filled(&loaded::columns(), loaded::WORDS, rows)
}

/// What is irregular, and tops at which too little was offered.
fn rate_notes(run: &RunFile) -> Vec<String> {
    let of = |curve: &RateCurve| {
        curve.points.iter().filter_map(|point| rates::notes(&curve.key, point, MEDIUM)).collect::<Vec<_>>()
    };
    run.rates.iter().flat_map(of).collect()
}

fn connection_table(run: &RunFile) -> Table {
    let points = run.connections.iter().flat_map(|curve| curve.points.iter().map(|point| (&curve.key, point)));
    let rows = points.map(|(key, point)| connections::row(run, key, point, MEDIUM));
    filled(&connections::columns(), connections::WORDS, rows)
}

fn reachability_table(run: &RunFile) -> Table {
    let rows = reachability::rows(&run.reachability, MEDIUM);
    filled(&reachability::columns(), reachability::WORDS, rows)
}

fn decision_table(run: &RunFile) -> Table {
    let rows = run.decisions.iter().map(|summary| decisions::row(summary, MEDIUM));
    filled(&decisions::columns(), decisions::WORDS, rows)
}

fn fairness_table(run: &RunFile) -> Table {
    let rows = run.fairness.iter().map(|summary| fairness::row(summary, MEDIUM));
    filled(&fairness::columns(), fairness::WORDS, rows)
}

/// Median total and the kernel's share of it: `294 ms 50%`.
fn cost(repeats: &[&ProgrammingRecord]) -> Option<String> {
    let unit = repeats.first()?.unit;
    let total = programming::middle(repeats, |record| record.total)?;
    let share = number::share(programming::middle(repeats, |record| record.kernel_time)?, total);
    Some(format!("{} {share:>4}", number::duration(total, unit, MEDIUM)))
}
