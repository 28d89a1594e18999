//! The summary of a pull request.

use std::fmt::Write;

use super::{change, headline, sentence, side};
use crate::gate::{CellReport, GateReport, GateVerdict};

/// Verdict, facts, cells that did not pass with their statistics, and every cell in a fold.
pub fn markdown(report: &GateReport) -> String {
    let mut text = format!("## lbcurve gate: {}\n\n{}.\n\n", report.verdict, escape(&sentence(report)));
    for (label, value) in &report.facts {
        let _ = writeln!(text, "- **{}**: {}", escape(label), escape(value));
    }
    for note in &report.notes {
        let _ = writeln!(text, "- {}", escape(note));
    }
    for cell in report.notable() {
        notable(&mut text, cell);
    }
    if !report.cells.is_empty() {
        all(&mut text, report);
    }
    text
}

fn notable(text: &mut String, cell: &CellReport) {
    let _ = writeln!(text, "\n### {}: {}\n\n{}.\n", cell.verdict, escape(&cell.label()), escape(&cell.reason));
    let _ = writeln!(text, "| {} | baseline | candidate | change | verdict | because |", cell.unit);
    let _ = writeln!(text, "|---|--:|--:|--:|---|---|");
    for row in &cell.statistics {
        let (baseline, candidate) = (side(&row.baseline, cell.unit), side(&row.candidate, cell.unit));
        let (statistic, change, verdict, reason) = (row.statistic, change(row), row.verdict, escape(&row.reason));
        let _ = writeln!(text, "| {statistic} | {baseline} | {candidate} | {change} | {verdict} | {reason} |");
    }
}

fn all(text: &mut String, report: &GateReport) {
    let passed = report.count(GateVerdict::Pass);
    let _ = writeln!(text, "\n<details><summary>All {} points, {passed} pass</summary>\n", report.cells.len());
    let _ = writeln!(text, "| cell | baseline p50 | candidate p50 | change | verdict |\n|---|--:|--:|--:|---|");
    for cell in &report.cells {
        let [baseline, candidate, change] = headline(cell);
        let _ =
            writeln!(text, "| {} | {baseline} | {candidate} | {change} | {} |", escape(&cell.label()), cell.verdict);
    }
    text.push_str("\n</details>\n");
}

/// Text that stands in a table's field: a path or a kernel's name must not end it or turn into markup.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '\n' | '\r' => out.push(' '),
            '|' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '\\' => out.extend(['\\', c]),
            _ => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn markup_and_line_ends_are_escaped() {
        assert_eq!(escape("a|b\nc*_`"), "a\\|b c\\*\\_\\`");
    }
}
