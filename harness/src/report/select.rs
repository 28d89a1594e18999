//! Which curves are shown together, and which of them stands for a backend.

use std::collections::BTreeMap;

use crate::result::{BackendKind, Bracket, Curve, CurveKey, Flow, Metric, NewShare, RunFile, Unit, VenueKind, name};
use crate::workload::{Protocol, VipLayout};

/// What curves must share to be drawn in one plot: one machine, one unit, one kind of packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Panel<'a> {
    /// Where.
    pub(crate) venue: VenueKind,
    /// Kernel release.
    pub(crate) kernel: &'a str,
    /// Unit.
    pub(crate) unit: Unit,
    /// Protocol.
    pub(crate) protocol: Protocol,
    /// M.
    pub(crate) endpoints: u32,
    /// Flow.
    pub(crate) flow: Flow,
}

impl<'a> Panel<'a> {
    fn of(curve: &'a Curve) -> Self {
        let key = &curve.key;
        Self {
            venue: key.axes.venue,
            kernel: &key.axes.kernel,
            unit: key.unit,
            protocol: key.axes.protocol,
            endpoints: key.axes.endpoints,
            flow: key.axes.flow,
        }
    }

    /// E.g. `New flows, vm, kernel 6.1.0, UDP, M = 2`.
    pub(super) fn title(&self) -> String {
        let flow = flow_title(self.flow);
        let (venue, protocol) = (name(&self.venue), name(&self.protocol).to_uppercase());
        format!("{flow} flows, {venue}, kernel {}, {protocol}, M\u{a0}=\u{a0}{}", self.kernel, self.endpoints)
    }
}

/// One panel a venue and kernel for the first screen: new flows where there are any, the fewest endpoints, the first
/// protocol. The others follow on the page.
pub(super) fn main_panels<'a>(panels: &[Panel<'a>]) -> Vec<Panel<'a>> {
    let mut sorted = panels.to_vec();
    sorted.sort_by_key(|panel| (panel.venue, panel.kernel, panel.unit, panel.flow, panel.endpoints, panel.protocol));
    sorted.dedup_by_key(|panel| (panel.venue, panel.kernel, panel.unit));
    sorted
}

/// What is said of a curve of a backend whose own bracket is not the one that a reader takes for granted.
pub(super) fn bracket_note(key: &CurveKey) -> &'static str {
    if key.axes.bracket == Bracket::Xdp && key.axes.backend.bracket() == Bracket::Xdp { ", XDP bracket" } else { "" }
}

/// `New` or `Established`, to open a title.
pub(super) fn flow_title(flow: Flow) -> &'static str {
    match flow {
        Flow::New => "New",
        Flow::Established => "Established",
    }
}

/// The same of a search's flows, of a mix `10% new and 90% established`.
pub(super) fn flows_title(flow: Flow, new_share: Option<NewShare>) -> String {
    let mixed = |share: NewShare| format!("{share} new and {}% established", 100 - share.percent());
    new_share.map_or_else(|| flow_title(flow).to_owned(), mixed)
}

/// The curves of one metric, by panel: of each backend those in its own bracket.
pub(crate) fn panels(run: &RunFile, metric: Metric) -> BTreeMap<Panel<'_>, Vec<&Curve>> {
    by_panel(run, |key| key.metric == metric && key.axes.bracket == key.axes.backend.bracket())
}

/// The curves of one metric in one bracket, by panel.
pub(super) fn panels_in(run: &RunFile, metric: Metric, bracket: Bracket) -> BTreeMap<Panel<'_>, Vec<&Curve>> {
    by_panel(run, |key| (key.metric, key.axes.bracket) == (metric, bracket))
}

fn by_panel(run: &RunFile, is_wanted: impl Fn(&CurveKey) -> bool) -> BTreeMap<Panel<'_>, Vec<&Curve>> {
    let mut panels = BTreeMap::<_, Vec<_>>::new();
    for curve in run.curves.iter().filter(|curve| is_wanted(&curve.key)) {
        panels.entry(Panel::of(curve)).or_default().push(curve);
    }
    panels
}

/// Median at the largest N.
fn largest(curve: &Curve) -> f64 {
    curve.points.last().map_or(f64::NEG_INFINITY, |point| point.p50)
}

/// Each backend's curve at its worst position in one layout: the known worst, or where that was not measured the position that
/// came out highest at the largest N.
fn worst<'a>(curves: &[&'a Curve], layout: VipLayout, backend: BackendKind) -> Option<&'a Curve> {
    let candidates = || curves.iter().copied().filter(|c| c.key.axes.backend == backend && c.key.axes.layout == layout);
    let known = candidates().find(|curve| curve.key.axes.position == backend.worst_position());
    known.or_else(|| candidates().max_by(|a, b| largest(a).total_cmp(&largest(b))))
}

/// One curve a backend and layout, at its worst position: backends in order, sequential VIPs before others.
pub(crate) fn verdict_curves<'a>(curves: &[&'a Curve]) -> Vec<&'a Curve> {
    let mut pairs: Vec<_> = curves.iter().map(|curve| (curve.key.axes.backend, curve.key.axes.layout)).collect();
    pairs.sort();
    pairs.dedup();
    pairs.into_iter().filter_map(|(backend, layout)| worst(curves, layout, backend)).collect()
}

/// One curve a backend: its worst position in the first layout that it has (sequential before others).
pub(super) fn headline_curves<'a>(curves: &[&'a Curve]) -> Vec<&'a Curve> {
    let mut chosen = verdict_curves(curves);
    chosen.dedup_by_key(|curve| curve.key.axes.backend);
    chosen
}

/// Every N of some curves, ascending.
pub(super) fn sizes(curves: &[&Curve]) -> Vec<u32> {
    let mut sizes: Vec<_> = curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.services)).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}
