//! The self-contained page: no script, no external request, every plot with its table.

mod claims;
mod cluster;
mod connections;
mod curves;
mod decisions;
mod endpoints;
mod environment;
mod fairness;
mod figure;
mod growth;
mod loaded;
mod memory;
mod node_cpu;
mod percentiles;
mod picture;
mod programming;
mod rates;
mod reachability;
mod sections;
mod step_cost;
mod table;
mod throughput;
mod verdict;

use askama::Template;

pub use picture::svg;

use super::skipped::grouped;
use crate::result::{Metric, RunFile, name};
use claims::ClaimView;
use cluster::ClusterView;
use sections::{Hero, Section};
use table::{Cell, Table};
use verdict::VerdictGroup;

/// The page could not be rendered.
#[derive(Debug, thiserror::Error)]
#[error("cannot render the report")]
pub struct ReportError(#[from] askama::Error);

/// Warnings that are open; the rest is folded away.
const WARNINGS: usize = 8;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    run: &'a RunFile,
    measured: String,
    heroes: Vec<Hero<'a>>,
    more_verdicts: Vec<VerdictGroup<'a>>,
    warnings: Vec<String>,
    more_warnings: Vec<String>,
    claims: Vec<ClaimView>,
    cluster: Option<ClusterView>,
    sections: Vec<Section>,
    step_costs: Option<Table>,
    decisions: Option<Table>,
    fairness: Option<Table>,
    reachability: Option<Table>,
    floor: Option<Table>,
    points: Option<Table>,
    skipped: Option<Table>,
    environment: Vec<(String, String)>,
    plan: Vec<(String, String)>,
    least_growth: String,
    margin: f64,
}

/// Renders a run as one HTML file that loads nothing.
///
/// # Errors
/// The template fails, which no content of the run can bring about.
pub fn html(run: &RunFile) -> Result<String, ReportError> {
    let mut warnings: Vec<_> = run.warnings.iter().map(ToString::to_string).collect();
    let more_warnings = warnings.split_off(WARNINGS.min(warnings.len()));
    let (heroes, more_verdicts, sections) = sections::arrange(run);
    let page = Page {
        run,
        measured: verdict::measured(run),
        heroes,
        more_verdicts,
        warnings,
        more_warnings,
        claims: claims::claims(run),
        cluster: cluster::view(run),
        sections,
        step_costs: step_cost::table(run),
        decisions: decisions::table(run),
        fairness: fairness::table(run),
        reachability: reachability::table(run),
        floor: curves::points_table(run, |metric| metric == Metric::Floor),
        points: curves::points_table(run, |metric| metric != Metric::Floor),
        skipped: skipped(run),
        environment: environment::machine(run),
        plan: environment::plan(run),
        least_growth: super::number::share(curve_stats::LEAST_GROWTH, 1.0),
        margin: curve_stats::MARGIN,
    };
    Ok(page.render()?)
}

fn skipped(run: &RunFile) -> Option<Table> {
    let groups = grouped(&run.skipped);
    let rows = groups.iter().map(|group| {
        vec![
            Cell::text(name(&group.venue)),
            Cell::text(group.kernel),
            Cell::text(name(&group.backend)),
            Cell::text(group.sizes(super::number::Medium::Html)),
            Cell::count(group.cells as u64),
            Cell::text(group.reason),
        ]
    });
    Table::new(&["venue", "kernel", "backend", "N", "cells", "reason"], rows.collect())
}
