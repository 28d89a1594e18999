//! The self-contained page: no script, no external request, every plot with its table.

mod curves;
mod environment;
mod programming;
mod table;
mod throughput;
mod verdict;

use askama::Template;

use super::plot::Drawing;
use super::skipped::grouped;
use crate::result::{Metric, RunFile, name};
use table::{Cell, Table};
use verdict::VerdictGroup;

/// The page could not be rendered.
#[derive(Debug, thiserror::Error)]
#[error("cannot render the report")]
pub struct ReportError(#[from] askama::Error);

/// A plot with its table.
struct Figure {
    title: String,
    svg: String,
    notes: Vec<String>,
    table: Table,
}

impl Figure {
    fn new(title: String, drawing: Drawing, table: Table) -> Self {
        Self { title, svg: drawing.svg, notes: drawing.notes, table }
    }
}

/// Figures under one heading.
struct Section {
    id: &'static str,
    title: &'static str,
    intro: &'static str,
    figures: Vec<Figure>,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    run: &'a RunFile,
    measured: String,
    verdicts: Vec<VerdictGroup>,
    warnings: Vec<String>,
    sections: Vec<Section>,
    floor: Option<Table>,
    points: Option<Table>,
    skipped: Option<Table>,
    environment: Vec<(String, String)>,
    plan: Vec<(String, String)>,
    tolerance: String,
}

/// Renders a run as one HTML file that loads nothing.
///
/// # Errors
/// The template fails, which no content of the run can bring about.
pub fn html(run: &RunFile) -> Result<String, ReportError> {
    let page = Page {
        run,
        measured: verdict::measured(run),
        verdicts: verdict::verdicts(run),
        warnings: run.warnings.iter().map(ToString::to_string).collect(),
        sections: sections(run),
        floor: curves::points_table(run, |metric| metric == Metric::Floor),
        points: curves::points_table(run, |metric| metric != Metric::Floor),
        skipped: skipped(run),
        environment: environment::machine(run),
        plan: environment::plan(run),
        tolerance: super::number::share(curve_stats::TOLERANCE, 1.0),
    };
    Ok(page.render()?)
}

fn sections(run: &RunFile) -> Vec<Section> {
    let section = |id, title, intro, figures| Section { id, title, intro, figures };
    let all = [
        section(
            "added",
            "What load balancing adds",
            "Node traversal minus that of plain routing with conntrack (direct-conntrack), trial by trial and quantile by \
             quantile: the headline. Each backend at its worst position. Line: difference of the medians; band: differences \
             of the 10th and of the 90th percentiles, which on a noisy machine need not enclose it.",
            curves::headline(run, Metric::Added),
        ),
        section(
            "traversal",
            "Node traversal",
            "From the entry of the node's client-side device to the exit at its backend side, plain routing included. \
             Line: median; band: 10th to 90th percentile.",
            curves::headline(run, Metric::Traversal),
        ),
        section(
            "positions",
            "Other positions and VIP layouts",
            "Node traversal of one backend by the position of the service that is asked for, in order of programming, and by \
             the layout of the service addresses.",
            curves::positions(run),
        ),
        section(
            "programming",
            "Programming the kernel",
            "What it takes to bring the services into the kernel, from the first byte rendered to the kernel's last answer.",
            programming::figures(run),
        ),
        section(
            "throughput",
            "Throughput at saturation",
            "Packets a second that leave towards the backends while more are offered than one CPU can forward. Line: median \
             of the trials; band: lowest to highest.",
            throughput::figures(run),
        ),
    ];
    all.into_iter().filter(|section| !section.figures.is_empty()).collect()
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
