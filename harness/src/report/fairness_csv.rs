//! Fairness as CSV: one row a cell, way of spreading and change.

use serde::Serialize;

use super::csv::{CsvError, written};
use crate::result::{FairnessSummary, Promise, RunFile, name};

/// The columns. Every value is a number as JSON has it, or empty; lists are joined by spaces.
#[derive(Serialize)]
struct Row<'a> {
    venue: String,
    kernel: &'a str,
    backend: String,
    bracket: String,
    layout: String,
    protocol: String,
    services: u32,
    endpoints: u32,
    spread_by: &'a str,
    promise: &'a str,
    source: &'a str,
    change: String,
    trial: u32,
    flows: u32,
    clients: u32,
    weights: String,
    reached: String,
    nowhere: u64,
    jain: Option<f64>,
    chi_square: Option<f64>,
    freedom: Option<u32>,
    p_shares: Option<f64>,
    shares_kept: Option<bool>,
    untested: &'a str,
    p_pairs: Option<f64>,
    violations: u64,
    kept: bool,
    existing_kept: u64,
    existing_to_gone: u64,
    existing_moved: u64,
    existing_broken: u64,
    new_compared: u64,
    new_other: u64,
    new_least_share: f64,
}

/// Every entry of `fairness`, a row each, in the order of `run.json`, below a row of names.
///
/// # Errors
/// The library refuses a row, which no content of a run can bring about.
pub fn fairness_csv(run: &RunFile) -> Result<String, CsvError> {
    written(run.fairness.iter().map(row))
}

fn row(summary: &FairnessSummary) -> Row<'_> {
    let FairnessSummary { cell, spread, existing, new, .. } = summary;
    let promise = Promise::of(cell.backend, summary.spreading);
    let joined = |values: &mut dyn Iterator<Item = String>| values.collect::<Vec<_>>().join(" ");
    Row {
        venue: name(&cell.venue),
        kernel: &cell.kernel,
        backend: name(&cell.backend),
        bracket: name(&cell.bracket),
        layout: name(&cell.layout),
        protocol: name(&cell.protocol),
        services: cell.services,
        endpoints: cell.endpoints,
        spread_by: summary.spreading.name(),
        promise: promise.words,
        source: promise.source,
        change: summary.change.to_string(),
        trial: summary.trial,
        flows: summary.flows,
        clients: summary.clients,
        weights: joined(&mut summary.weights.iter().map(u32::to_string)),
        reached: joined(&mut spread.reached.iter().map(u64::to_string)),
        nowhere: spread.nowhere,
        jain: spread.jain,
        chi_square: spread.shares.map(|test| test.statistic).filter(|statistic| statistic.is_finite()),
        freedom: spread.shares.map(|test| test.freedom),
        p_shares: spread.shares.map(|test| test.p),
        shares_kept: spread.are_shares_kept(summary.spreading),
        untested: summary.why_untested().unwrap_or_default(),
        p_pairs: spread.pairs.map(|test| test.p),
        violations: spread.violations,
        kept: spread.kept,
        existing_kept: existing.kept,
        existing_to_gone: existing.to_gone,
        existing_moved: existing.moved,
        existing_broken: existing.broken,
        new_compared: new.compared,
        new_other: new.other,
        new_least_share: new.least_share,
    }
}
