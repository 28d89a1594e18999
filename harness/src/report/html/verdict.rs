//! The first screen: what was measured, and one sentence a backend.

use std::collections::BTreeMap;

use crate::report::fit;
use crate::report::number::{self, Medium};
use crate::report::select::{Panel, bracket_note, panels, verdict_curves};
use crate::result::{BackendKind, Curve, CurveKey, Flow, Metric, Point, RunFile, name};
use crate::workload::VipLayout;

const MEDIUM: Medium = Medium::Html;

/// One backend's sentence.
pub(super) struct Verdict {
    /// Backend.
    pub(super) backend: BackendKind,
    /// Whether its VIPs are sequential.
    pub(super) is_sequential: bool,
    /// Backend, with layout where it is not sequential.
    pub(super) subject: String,
    /// What it adds at the smallest and the largest N.
    pub(super) values: String,
    /// Complexity class.
    pub(super) class: String,
    /// Class in the style sheet: `grows`, `flat` or `open`.
    pub(super) tone: &'static str,
    /// Slope and interval, and what weakens them.
    pub(super) rest: String,
}

/// The sentences of one venue and kernel.
pub(super) struct VerdictGroup<'a> {
    /// Where, and which packets.
    pub(super) panel: Panel<'a>,
    /// One a backend and layout.
    pub(super) verdicts: Vec<Verdict>,
}

impl VerdictGroup<'_> {
    /// Takes out the sentences on other VIP layouts that say of a backend what its first sentence says: the first screen has one
    /// sentence a backend, and one more where the layout changes the class.
    pub(super) fn split_repeats(&mut self) -> Option<Self> {
        let mut classes = BTreeMap::<BackendKind, String>::new();
        let mut is_new = |verdict: &Verdict| {
            let first = classes.entry(verdict.backend).or_insert_with(|| verdict.class.clone());
            verdict.is_sequential || *first != verdict.class
        };
        let (kept, repeats): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.verdicts).into_iter().partition(|verdict| is_new(verdict));
        self.verdicts = kept;
        (!repeats.is_empty()).then_some(Self { panel: self.panel, verdicts: repeats })
    }
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
pub(super) fn verdicts(run: &RunFile) -> Vec<VerdictGroup<'_>> {
    let mut groups = Vec::new();
    let (added, traversal) = (panels(run, Metric::Added), panels(run, Metric::Traversal));
    for flow in [Flow::New, Flow::Established] {
        for (panel, curves) in traversal.iter().filter(|(panel, _)| panel.flow == flow) {
            let of_added: BTreeMap<_, _> =
                added.get(panel).into_iter().flatten().map(|c| (as_traversal(&c.key), *c)).collect();
            let chosen = verdict_curves(curves).into_iter().filter(|curve| curve.key.axes.backend.balances());
            let verdicts: Vec<_> = chosen.map(|curve| verdict(curve, of_added.get(&curve.key).copied())).collect();
            if !verdicts.is_empty() {
                groups.push(VerdictGroup { panel: *panel, verdicts });
            }
        }
    }
    groups
}

/// The key of the traversal curve that an `added` curve was computed from.
fn as_traversal(key: &CurveKey) -> CurveKey {
    CurveKey { metric: Metric::Traversal, ..key.clone() }
}

/// The class is that of the curve that is drawn beside: of `added` where it was measured, else of traversal.
fn verdict(traversal: &Curve, added: Option<&Curve>) -> Verdict {
    let shown = added.unwrap_or(traversal);
    let key = &shown.key;
    let layout = if key.axes.layout == VipLayout::Sequential {
        String::new()
    } else {
        format!(", {} VIPs", name(&key.axes.layout))
    };
    let mut rest = format!(", {} {} per service", number::slope(&shown.fit, MEDIUM), key.unit);
    if added.is_some() && fit::label(&traversal.fit) != fit::label(&shown.fit) {
        rest.push_str(&format!("; traversal as a whole: {}", fit::label(&traversal.fit)));
    }
    let notes: Vec<_> = shown.fit.notes.iter().map(|note| format!(" ({note})")).collect();
    rest.push_str(&notes.concat());
    Verdict {
        backend: key.axes.backend,
        is_sequential: key.axes.layout == VipLayout::Sequential,
        subject: format!("{}{layout}", name(&key.axes.backend)),
        values: format!("{} {}, service {}{}", key.metric, ends(shown), name(&key.axes.position), bracket_note(key)),
        class: fit::label(&shown.fit),
        tone: tone(shown),
        rest,
    }
}

fn tone(curve: &Curve) -> &'static str {
    match (fit::line(curve).is_empty(), fit::grows(&curve.fit)) {
        (true, _) => "open",
        (false, true) => "grows",
        (false, false) => "flat",
    }
}

/// The medians at the smallest and the largest N.
fn ends(curve: &Curve) -> String {
    let (Some(first), Some(last)) = (curve.points.first(), curve.points.last()) else {
        return "not measured".to_owned();
    };
    let median = |point: &Point| number::value(point.p50, curve.key.unit, MEDIUM);
    let at_first = format!("{} {} at {}", median(first), curve.key.unit, number::size(first.services));
    if first.services == last.services {
        return at_first;
    }
    format!("{at_first}, {} at {}", median(last), number::size(last.services))
}
