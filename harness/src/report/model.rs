//! What a counted step of the models costs: instructions of a run's kernels over the steps that `datapath-sim` counts in the same cells.

use std::collections::BTreeMap;
use std::fmt::Write;

use conformance::{CellSteps, Fit, StepsRecording, Target, fit_steps};

use super::number::{self, Medium};
use super::terminal::new_table;
use crate::result::{BackendKind, Curve, Flow, Metric, Position, RunFile, Unit, VenueKind, name};
use crate::workload::{Protocol, VipLayout};

const MEDIUM: Medium = Medium::Terminal;
const COLUMNS: [&str; 8] =
    ["kernel", "backend", "cells", "steps", "instructions a step", "without steps", "R^2", "furthest miss"];

/// A table of what a step costs on each kernel of the run, as text that ends in a line feed. A cell is the median traversal of new flows to
/// one service; the models count the same service of the same N and M, VIPs in sequence or at stride 256.
#[must_use]
pub fn model(run: &RunFile) -> String {
    let mut table = new_table(COLUMNS.map(str::to_owned).into(), 2);
    let mut notes = String::new();
    for ((kernel, target), cells) in recorded(run) {
        match fit_steps(&StepsRecording { kernel: kernel.clone(), cells }) {
            Ok(fits) => {
                table.add_rows(fits.iter().map(|fit| row(&kernel, fit)));
            }
            Err(error) => {
                // Writing to a String cannot fail.
                let _ = writeln!(notes, "{kernel}, {}: {error}", target_name(&target));
            }
        }
    }
    if table.row_count() == 0 && notes.is_empty() {
        return "The run has no cell of which instructions were counted and a model counts steps.\n".to_owned();
    }
    format!("Instructions by the steps of the models\n{}\n{notes}", table.trim_fmt())
}

/// Cells by kernel and target.
fn recorded(run: &RunFile) -> BTreeMap<(String, Target), Vec<CellSteps>> {
    let mut recorded = BTreeMap::<_, Vec<_>>::new();
    for curve in &run.curves {
        let Some((target, stride)) = modelled(run, curve) else { continue };
        for point in &curve.points {
            let asked = match curve.key.position {
                Position::First => 0,
                Position::Middle => point.services / 2,
                Position::Last => point.services - 1,
                Position::Random | Position::Missing => continue,
            };
            let cell = CellSteps {
                target: target.clone(),
                stride,
                services: point.services,
                endpoints: point.endpoints,
                udp: curve.key.protocol == Protocol::Udp,
                asked,
                instructions: point.p50.round() as u64,
            };
            recorded.entry((curve.key.kernel.clone(), target.clone())).or_default().push(cell);
        }
    }
    recorded
}

/// The model of a curve of new flows in the deterministic vm, and the addresses between two VIPs.
fn modelled(run: &RunFile, curve: &Curve) -> Option<(Target, u32)> {
    let key = &curve.key;
    let wanted = (key.venue, key.unit, key.metric, key.flow);
    if wanted != (VenueKind::Vm, Unit::Instructions, Metric::Traversal, Flow::New) || key.endpoints == 0 {
        return None;
    }
    let stride = match key.layout {
        VipLayout::Sequential => 1,
        VipLayout::Stride256 => 256,
        VipLayout::Random | VipLayout::Imported => return None,
    };
    let target = match key.backend {
        BackendKind::IptablesLegacy => Target::IptablesLegacy,
        BackendKind::IptablesNft => Target::IptablesNft,
        BackendKind::Nftables => Target::Nftables,
        BackendKind::EbpfTc if run.plan.endpoint_choice.is_default() => Target::EbpfTc,
        BackendKind::EbpfXdp if run.plan.endpoint_choice.is_default() => Target::EbpfXdp,
        BackendKind::Ipvs => Target::Ipvs(run.plan.scheduler.unwrap_or_default().name().to_owned()),
        _ => return None,
    };
    Some((target, stride))
}

fn target_name(target: &Target) -> String {
    match target {
        Target::IptablesLegacy => name(&BackendKind::IptablesLegacy),
        Target::IptablesNft => name(&BackendKind::IptablesNft),
        Target::Nftables => name(&BackendKind::Nftables),
        Target::Ipvs(scheduler) => format!("{} {scheduler}", name(&BackendKind::Ipvs)),
        Target::EbpfTc | Target::EbpfTcMaglev => name(&BackendKind::EbpfTc),
        Target::EbpfXdp => name(&BackendKind::EbpfXdp),
    }
}

fn row(kernel: &str, fit: &Fit) -> Vec<String> {
    let steps = || fit.points.iter().map(|point| point.0);
    let (fewest, most) = (steps().min().unwrap_or(0), steps().max().unwrap_or(0));
    let count = |value| number::count(value, MEDIUM);
    let range = if fewest == most { count(fewest) } else { format!("{} to {}", count(fewest), count(most)) };
    let of_line = |of: fn(&conformance::Line) -> String| fit.line.as_ref().map_or_else(|| "-".to_owned(), of);
    let table = if fit.resizable { ", resizable table" } else { "" };
    vec![
        kernel.to_owned(),
        target_name(&fit.target) + table,
        count(fit.points.len() as u64),
        range,
        of_line(|line| number::significant(line.slope, 4, MEDIUM)),
        of_line(|line| number::significant(line.intercept, 4, MEDIUM)),
        of_line(|line| format!("{:.5}", line.r_squared)),
        format!("{:.2}%", 100.0 * fit.worst),
    ]
}
