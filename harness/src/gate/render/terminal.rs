//! The table on standard output.

use std::fmt::Write;

use comfy_table::{Table, TableStyle};

use super::{change, headline, sentence, side};
use crate::gate::{CellReport, GateReport, GateVerdict};

/// Facts, every cell that did not pass with its statistics, and the verdict in the last line.
pub fn terminal(report: &GateReport) -> String {
    let mut text = String::new();
    for (label, value) in &report.facts {
        let _ = writeln!(text, "{label:<12} {value}");
    }
    if !report.cells.is_empty() {
        let _ = writeln!(text, "{}", overview(report));
    }
    for cell in report.notable() {
        let _ = writeln!(text, "{}: {}: {}", cell.verdict, cell.label(), cell.reason);
        let _ = writeln!(text, "{}", statistics(cell));
    }
    if report.verdict != GateVerdict::InvalidEnvironment || !report.cells.is_empty() {
        report.notes.iter().for_each(|note| {
            let _ = writeln!(text, "note: {note}");
        });
    }
    let _ = writeln!(text, "gate: {}: {}", report.verdict, sentence(report));
    text
}

fn overview(report: &GateReport) -> Table {
    let mut table = Table::new();
    let unit = report.cells[0].unit;
    table.load_style(TableStyle::new()).set_header([
        "cell",
        &format!("baseline p50, {unit}"),
        "candidate p50",
        "change",
        "verdict",
    ]);
    for cell in &report.cells {
        let [baseline, candidate, change] = headline(cell);
        table.add_row([cell.label(), baseline, candidate, change, cell.verdict.to_string()]);
    }
    table
}

fn statistics(cell: &CellReport) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_header(["", "baseline", "candidate", "change", "verdict", "because"]);
    for row in &cell.statistics {
        let (baseline, candidate) = (side(&row.baseline, cell.unit), side(&row.candidate, cell.unit));
        let (verdict, statistic) = (row.verdict.to_string(), row.statistic.to_string());
        table.add_row([statistic, baseline, candidate, change(row), verdict, row.reason.clone()]);
    }
    table
}
