//! Workflow commands by which GitHub shows a line beside a pull request.

use super::{headline, sentence};
use crate::gate::{GateReport, GateVerdict};

/// GitHub shows ten annotations a step and drops the others, so the last one says how many there are.
const MOST: usize = 9;

/// A line for each of the gravest cells, and one for the verdict unless all is well.
pub fn annotations(report: &GateReport) -> Vec<String> {
    let notable = report.notable();
    let mut lines: Vec<_> = notable
        .iter()
        .take(MOST)
        .map(|cell| {
            let [baseline, candidate, change] = headline(cell);
            let body = format!("{change}: p50 {baseline} -> {candidate} {}; {}", cell.unit, cell.reason);
            command(cell.verdict, &format!("lbcurve {}: {}", cell.verdict, cell.label()), &body)
        })
        .collect();
    if report.verdict != GateVerdict::Pass {
        lines.push(command(report.verdict, &format!("lbcurve gate: {}", report.verdict), &sentence(report)));
    }
    lines
}

fn command(verdict: GateVerdict, title: &str, body: &str) -> String {
    let level = match verdict {
        GateVerdict::Regression | GateVerdict::InvalidEnvironment => "error",
        GateVerdict::Inconclusive => "warning",
        GateVerdict::Improvement | GateVerdict::Pass => "notice",
    };
    format!("::{level} title={}::{}", property(title), data(body))
}

/// `actions/toolkit`'s escapeData: what would end the command, or begin an escape.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Its escapeProperty: a property also ends at a colon or a comma.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
