//! The first screen: what was measured, and one sentence a backend.

use std::collections::BTreeMap;

use crate::report::number::{self, Medium};
use crate::report::select::{balances, panels, verdict_curves};
use crate::result::{Curve, CurveKey, Flow, Metric, Point, RunFile, name};
use crate::workload::VipLayout;

const MEDIUM: Medium = Medium::Html;

/// One backend's sentence.
pub(super) struct Verdict {
    /// Backend, with layout where it is not sequential.
    pub(super) subject: String,
    /// Complexity class.
    pub(super) class: String,
    /// Slope, interval, values.
    pub(super) rest: String,
}

/// The sentences of one venue and kernel.
pub(super) struct VerdictGroup {
    /// Venue, kernel, flow.
    pub(super) heading: String,
    /// One a backend and layout.
    pub(super) verdicts: Vec<Verdict>,
}

/// What was measured, in a sentence.
pub(super) fn measured(run: &RunFile) -> String {
    let list = |values: &[u32]| {
        let values: Vec<_> = values.iter().map(|n| number::count(u64::from(*n), MEDIUM)).collect();
        values.join(", ")
    };
    let plan = &run.plan;
    let backends: Vec<_> = plan.backends.iter().map(name).collect();
    format!(
        "{} with N = {} services of {} endpoints; up to {} trials of at least {} packets at each point, seed {}.",
        backends.join(", "),
        list(&plan.services),
        list(&plan.endpoints),
        plan.trials,
        number::count(plan.packets, MEDIUM),
        plan.seed,
    )
}

/// Sentences for new flows, then for established ones, of every place.
pub(super) fn verdicts(run: &RunFile) -> Vec<VerdictGroup> {
    let mut groups = Vec::new();
    let (added, traversal) = (panels(run, Metric::Added), panels(run, Metric::Traversal));
    for flow in [Flow::New, Flow::Established] {
        for (panel, curves) in traversal.iter().filter(|(panel, _)| panel.flow == flow) {
            let of_added: BTreeMap<_, _> =
                added.get(panel).into_iter().flatten().map(|c| (as_traversal(&c.key), *c)).collect();
            let chosen = verdict_curves(curves).into_iter().filter(|curve| balances(curve.key.backend));
            let verdicts: Vec<_> = chosen.map(|curve| verdict(curve, of_added.get(&curve.key).copied())).collect();
            if !verdicts.is_empty() {
                groups.push(VerdictGroup { heading: panel.title(), verdicts });
            }
        }
    }
    groups
}

/// The key of the traversal curve that an `added` curve was computed from.
fn as_traversal(key: &CurveKey) -> CurveKey {
    CurveKey { metric: Metric::Traversal, ..key.clone() }
}

/// The class is that of traversal (what a packet meets); the values are of `added` where it was measured.
fn verdict(traversal: &Curve, added: Option<&Curve>) -> Verdict {
    let key = &traversal.key;
    let layout =
        if key.layout == VipLayout::Sequential { String::new() } else { format!(", {} VIPs", name(&key.layout)) };
    let mut rest = format!("{} {} per service", number::slope(&traversal.fit, MEDIUM), key.unit);
    let shown = added.unwrap_or(traversal);
    if let Some(ends) = ends(shown) {
        rest.push_str(&format!("; {} {ends}", shown.key.metric));
    }
    if let Some(added) = added.filter(|added| added.fit.class != traversal.fit.class) {
        rest.push_str(&format!("; class of added alone: {}", added.fit.class));
    }
    let notes: Vec<_> = traversal.fit.notes.iter().map(|note| format!(" ({note})")).collect();
    rest.push_str(&notes.concat());
    let subject = format!("{}{layout} ({})", name(&key.backend), name(&key.position));
    Verdict { subject, class: traversal.fit.class.to_string(), rest }
}

/// The medians at the smallest and the largest N.
fn ends(curve: &Curve) -> Option<String> {
    let (first, last) = (curve.points.first()?, curve.points.last()?);
    let median = |point: &Point| number::value(point.p50, curve.key.unit, MEDIUM);
    let unit = curve.key.unit;
    let at_first = format!("{} {unit} at {}", median(first), number::size(first.services));
    if first.services == last.services {
        return Some(at_first);
    }
    Some(format!("{at_first}, {} at {}", median(last), number::size(last.services)))
}
