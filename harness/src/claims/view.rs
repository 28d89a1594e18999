//! The curves that a claim is judged by, and how they are named.

use std::collections::BTreeSet;

use curve_stats::Observation;

use super::judgement::{Figure, Scope, Verdict};
use crate::report::number::{Medium, count, significant};
use crate::result::{BackendKind, Curve, CurveKey, Flow, Metric, Position, RunFile, name};
use crate::workload::{Protocol, VipLayout};

/// kube-proxy's two iptables modes.
pub(super) const IPTABLES: [BackendKind; 2] = [BackendKind::IptablesLegacy, BackendKind::IptablesNft];

/// Chance of a difference that is none, of all tests of a verdict together.
pub(super) const ALPHA: f64 = 0.05;

/// Every venue and kernel of what the run measured.
pub(super) fn scopes(run: &RunFile) -> Vec<Scope> {
    let scope = |key: &CurveKey| Scope { venue: key.axes.venue, kernel: key.axes.kernel.clone(), unit: key.unit };
    let of_programming =
        run.programming.iter().map(|r| Scope { venue: r.venue, kernel: r.kernel.clone(), unit: r.unit });
    let unit = |venue, kernel: &str| {
        let kernels = &run.environment.kernels;
        Some(kernels.iter().find(|under_test| under_test.venue == venue && under_test.release == kernel)?.unit)
    };
    let without_unit =
        |venue, kernel: &String| Some(Scope { venue, kernel: kernel.clone(), unit: unit(venue, kernel)? });
    let cells = run.reachability.iter().map(|record| (record.cell.venue, &record.cell.kernel));
    let cells = cells.chain(run.connections.iter().map(|curve| (curve.key.axes.venue, &curve.key.axes.kernel)));
    let cells = cells.chain(run.fairness.iter().map(|summary| (summary.cell.venue, &summary.cell.kernel)));
    let others = cells.filter_map(|(venue, kernel)| without_unit(venue, kernel));
    let scopes = run.curves.iter().map(|curve| scope(&curve.key)).chain(of_programming).chain(others);
    let scopes: BTreeSet<_> = scopes.collect();
    scopes.into_iter().collect()
}

/// Curves of new flows in one place: the lookup happens there, and nowhere else. Of the tc bracket, in which all that the claims speak of
/// is measured.
pub(super) fn lookups<'a>(run: &'a RunFile, scope: &Scope, metric: Metric) -> Vec<&'a Curve> {
    let here =
        |key: &CurveKey| (key.axes.venue, &key.axes.kernel, key.unit) == (scope.venue, &scope.kernel, scope.unit);
    let wanted =
        |key: &CurveKey| here(key) && key.metric == metric && key.axes.flow == Flow::New && key.axes.bracket.is_tc();
    run.curves.iter().filter(|curve| wanted(&curve.key)).collect()
}

/// The curve of a backend at one position and layout; of several protocols and M the first.
pub(super) fn find<'a>(
    curves: &[&'a Curve],
    backend: BackendKind,
    layout: VipLayout,
    position: Position,
) -> Option<&'a Curve> {
    let wanted = |key: &CurveKey| (key.axes.backend, key.axes.layout, key.axes.position) == (backend, layout, position);
    curves.iter().copied().find(|curve| wanted(&curve.key))
}

/// Protocol and M, which curves that are compared must share.
pub(super) fn traffic(key: &CurveKey) -> (Protocol, u32) {
    (key.axes.protocol, key.axes.endpoints)
}

/// One observation a trial. What is added is a difference, whose error is that of the traversals it was taken from: they are looked up in
/// the run, whose `added` are made of nothing else.
pub(super) fn observations(run: &RunFile, curve: &Curve) -> Result<Vec<Observation>, String> {
    let traversal = CurveKey { metric: Metric::Traversal, ..curve.key.clone() };
    let whole = run.curves.iter().find(|other| other.key == traversal);
    let mut observations = Vec::new();
    for point in &curve.points {
        let services = point.services;
        if curve.key.metric != Metric::Added {
            observations.extend(point.values.iter().map(|&value| Observation::new(services, value)));
            continue;
        }
        let own = whole.and_then(|whole| whole.points.iter().find(|point| point.services == services));
        let own = own.ok_or_else(|| format!("the run has no {traversal} at N = {}", sizes(services)))?.p50;
        let scale = own.hypot(own - point.p50);
        observations.extend(point.values.iter().map(|&value| Observation { services, value, scale: Some(scale) }));
    }
    Ok(observations)
}

/// E.g. `added, ipvs, sequential, tcp, M = 2, new, first, N = 1 to 1,000`.
pub(super) fn cells(curve: &Curve) -> String {
    let key = &curve.key;
    let (first, last) = (curve.points.first(), curve.points.last());
    let size = |point: Option<&crate::result::Point>| sizes(point.map_or(0, |point| point.services));
    format!(
        "{}, {}, {}, {}, M = {}, {}, {}, N = {} to {}",
        key.metric,
        name(&key.axes.backend),
        name(&key.axes.layout),
        name(&key.axes.protocol),
        key.axes.endpoints,
        name(&key.axes.flow),
        name(&key.axes.position),
        size(first),
        size(last)
    )
}

/// N in words.
pub(super) fn sizes(services: u32) -> String {
    count(u64::from(services), Medium::Terminal)
}

/// Slope, interval and class of a curve.
pub(super) fn slope(curve: &Curve) -> Figure {
    let key = &curve.key;
    let suspect = curve.points.iter().filter(|point| point.suspect.is_some()).count();
    let flag = if suspect > 0 { format!("; {suspect} suspect points") } else { String::new() };
    Figure {
        what: format!("slope of {} at {}", name(&key.axes.backend), name(&key.axes.position)),
        value: curve.fit.slope_per_service,
        interval: curve.fit.slope_ci95,
        unit: format!("{} per service", key.unit),
        note: Some(curve.fit.label() + &flag),
        cells: cells(curve),
    }
}

/// The interval of a figure in words.
pub(super) fn interval(figure: &Figure, digits: usize) -> String {
    let show = |value: f64| significant(value, digits, Medium::Terminal);
    figure.interval.map_or_else(|| "unknown".to_owned(), |[low, high]| format!("[{}, {}]", show(low), show(high)))
}

/// The largest measured N up to which a curve has not grown by a tenth over its first point; none where it has at once.
pub(super) fn flat_up_to(curve: &Curve) -> Option<u32> {
    let start = curve.points.first()?.p50;
    let flat = |point: &&crate::result::Point| point.p50 - start <= 0.1 * start.abs();
    let last = curve.points.iter().take_while(flat).last()?;
    (curve.points.first()?.services < last.services).then_some(last.services)
}

/// Whose services the connections that claims are judged by are asked for: all of a cluster's, else the backend's worst.
pub(super) fn asked(run: &RunFile, backend: BackendKind) -> Position {
    let is_over_all = run.plan.cluster.is_some() && backend.balances();
    if is_over_all { Position::Random } else { backend.worst_position() }
}

/// One part of a judgement.
pub(super) struct Leg {
    pub(super) verdict: Verdict,
    pub(super) reason: String,
}

impl Leg {
    /// `how` it came out for `subject`; without a verdict the trials cannot tell.
    pub(super) fn new(subject: &str, verdict: Option<Verdict>, how: &str) -> Self {
        let reason = format!("{subject}: {how}");
        match verdict {
            Some(Verdict::NotMeasured { .. }) => Self::not_measured(reason),
            Some(verdict) => Self { verdict, reason },
            None => Self::cannot_tell(reason),
        }
    }

    /// What the run lacks.
    pub(super) fn not_measured(reason: String) -> Self {
        Self { verdict: Verdict::NotMeasured { reason: reason.clone() }, reason }
    }

    /// The trials decide nothing, and why.
    pub(super) fn cannot_tell(reason: String) -> Self {
        Self { verdict: Verdict::cannot_tell(&reason), reason }
    }
}

/// A reason, and what is to be known beside it.
pub(super) fn noted(reason: String, note: &str) -> String {
    if reason.is_empty() { note.to_owned() } else { format!("{reason}; {note}") }
}

/// The verdict that all parts bear out, and every part's reason that it does not give itself: what does not hold somewhere does not hold,
/// and up to which N it holds everywhere is not known while a part is not.
pub(super) fn combine(legs: Vec<Leg>) -> (Verdict, String) {
    let worst = |verdict: &Verdict| match verdict {
        Verdict::DoesNotHold => (0, 0),
        Verdict::NotMeasured { .. } => (1, 0),
        Verdict::HoldsUpTo { services } => (2, *services),
        Verdict::Holds => (3, 0),
    };
    let nothing = || Verdict::NotMeasured { reason: "nothing to judge by".to_owned() };
    let verdict =
        legs.iter().map(|leg| &leg.verdict).min_by_key(|verdict| worst(verdict)).cloned().unwrap_or_else(nothing);
    let is_said = |reason: &str| matches!(&verdict, Verdict::NotMeasured { reason: given } if given.contains(reason));
    let reasons = legs.iter().map(|leg| leg.reason.as_str()).filter(|reason| !is_said(reason) && !reason.is_empty());
    let reason = reasons.collect::<Vec<_>>().join("; ");
    (verdict, reason)
}
