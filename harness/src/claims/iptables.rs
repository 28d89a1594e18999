//! C1: a new flow's cost under iptables grows in proportion to Services, and with backend pods.

use std::collections::BTreeMap;

use curve_stats::{Class, Fit, LEAST_GROWTH, Observation, fit, median};

use super::catalogue::Claim;
use super::growth::Growth;
use super::judgement::{Figure, Judgement, Scope, Verdict};
use super::view::{IPTABLES, Leg, combine, lookups, observations, sizes, slope};
use crate::report::number::{Medium, significant};
use crate::result::{Curve, Metric, Position, RunFile, Unit, name, noise_floor};

pub(super) fn judge(run: &RunFile, claim: &'static Claim, scope: &Scope) -> Option<Judgement> {
    let mut curves = lookups(run, scope, Metric::Added);
    curves.retain(|curve| IPTABLES.contains(&curve.key.axes.backend));
    let worst: Vec<_> = curves.iter().copied().filter(|curve| curve.key.axes.position == Position::Last).collect();
    if curves.is_empty() {
        return None;
    }
    let mut legs: Vec<_> = worst.iter().map(|curve| services(curve)).collect();
    if worst.is_empty() {
        let reason = "the worst position, last, was not measured: --positions last".to_owned();
        legs.push(Leg::not_measured(reason));
    }
    let mut figures: Vec<_> = curves.iter().map(|curve| slope(curve)).collect();
    let (pods, found) = pods(run, &worst, scope);
    figures.extend(found);
    legs.extend(pods);
    let (verdict, reason) = combine(legs);
    Some(Judgement { figures, ..Judgement::new(claim, Some(scope.clone()), verdict, reason) })
}

/// Whether the cost at the worst position is linear in Services.
fn services(curve: &Curve) -> Leg {
    let (backend, label) = (name(&curve.key.axes.backend), curve.fit.label());
    let (verdict, how) = match Growth::of(&curve.fit) {
        Growth::Linear => (Some(Verdict::Holds), format!("{label} in Services")),
        Growth::Knee(knee) => {
            (Some(Verdict::Holds), format!("flat up to N = {}, linear in Services beyond", sizes(knee as u32)))
        }
        Growth::Flat => (Some(Verdict::DoesNotHold), "does not grow with Services".to_owned()),
        Growth::Falls => (Some(Verdict::DoesNotHold), "falls as Services grow".to_owned()),
        Growth::Sublinear => (Some(Verdict::DoesNotHold), format!("{label} in Services: slower than O(n)")),
        Growth::Superlinear if curve.key.unit == Unit::Ns && may_be_caches(&curve.fit) => {
            let how = format!(
                "{label} in Services; faster than O(n), as the time of a linear walk is whose rules outgrow the caches; \
                 instructions tell (--venue vm, where it counts)"
            );
            (None, how)
        }
        Growth::Superlinear => (Some(Verdict::DoesNotHold), format!("{label} in Services: faster than O(n)")),
        Growth::Grows => (None, format!("grows, {label} in Services, which are not told apart")),
        Growth::Undecided(why) => (None, format!("undetermined: {why}")),
    };
    let (layout, pods) = (name(&curve.key.axes.layout), curve.key.axes.endpoints);
    Leg::new(&format!("{backend} ({layout} VIPs, M = {pods})"), verdict, &how)
}

/// Whether growth is so little faster than linear that a linear walk through memory may look like it: a step that misses the caches takes some
/// twenty times one that hits, which over three decades of N or more is an exponent below 1.5.
fn may_be_caches(fit: &Fit) -> bool {
    let exponent = || fit.model().and_then(|power| power.exponent_ci95);
    fit.is(Class::LinearLogarithmic) || exponent().is_some_and(|[low, _]| low < 1.5)
}

/// Whether the cost grows with pods, at the smallest N that every M was measured at: Services hide them least there.
fn pods(run: &RunFile, worst: &[&Curve], scope: &Scope) -> (Vec<Leg>, Vec<Figure>) {
    let mut groups = BTreeMap::<_, Vec<&Curve>>::new();
    for curve in worst {
        let key = &curve.key;
        groups.entry((key.axes.backend, key.axes.layout, key.axes.protocol)).or_default().push(curve);
    }
    let judged: Vec<_> = groups.values().filter_map(|curves| over_pods(run, curves, scope)).collect();
    if judged.is_empty() {
        let reason = "backend pods: M axis not measured (--endpoints 1,2,10), so only Services are judged".to_owned();
        return (vec![Leg { verdict: Verdict::Holds, reason }], Vec::new());
    }
    judged.into_iter().unzip()
}

fn over_pods(run: &RunFile, curves: &[&Curve], scope: &Scope) -> Option<(Leg, Figure)> {
    let first = curves.first()?;
    let has = |curve: &Curve, services: u32| curve.points.iter().any(|point| point.services == services);
    let shared = |services: &u32| curves.iter().all(|curve| has(curve, *services));
    let services = first.points.iter().map(|point| point.services).find(shared)?;
    if curves.len() < 2 {
        return None;
    }
    let mut trials = Vec::new();
    for curve in curves {
        let pods = curve.key.axes.endpoints;
        let here = observations(run, curve).ok()?.into_iter().filter(|trial| trial.services == services);
        trials.extend(here.map(|trial| Observation { services: pods, ..trial }));
    }
    let fit = fit(&trials, noise_floor(scope.unit)).ok()?;
    let backend = name(&first.key.axes.backend);
    let figure = Figure {
        what: format!("slope of {backend} over M at N = {}", sizes(services)),
        value: fit.slope_per_service,
        interval: fit.slope_ci95,
        unit: format!("{} per pod", scope.unit),
        note: Some(fit.label()),
        cells: format!("{} curves of {backend} at last, M = {}", curves.len(), listed(curves)),
    };
    let (verdict, how) = match fit.slope_ci95 {
        Some([low, _]) if low > 0.0 => (Some(Verdict::Holds), "grows with backend pods".to_owned()),
        Some([_, high]) if high * reach(&trials) < LEAST_GROWTH * start(&trials) => {
            (Some(Verdict::DoesNotHold), "does not grow by a tenth with backend pods".to_owned())
        }
        Some([low, high]) => {
            let slope = format!("slope over M in [{}, {}]", figure_of(low), figure_of(high));
            (None, format!("growth with backend pods undetermined, {slope}"))
        }
        None => (None, "too few trials over M for an interval".to_owned()),
    };
    Some((Leg::new(&backend, verdict, &format!("{how} (at N = {})", sizes(services))), figure))
}

/// From the fewest pods to the most.
fn reach(trials: &[Observation]) -> f64 {
    let pods = || trials.iter().map(|trial| f64::from(trial.services));
    pods().fold(0.0, f64::max) - pods().fold(f64::INFINITY, f64::min)
}

/// Magnitude at the fewest pods.
fn start(trials: &[Observation]) -> f64 {
    let fewest = trials.iter().map(|trial| trial.services).min();
    let values: Vec<_> = trials.iter().filter(|t| Some(t.services) == fewest).map(|t| t.value).collect();
    median(&values).map_or(0.0, f64::abs)
}

fn figure_of(value: f64) -> String {
    significant(value, 4, Medium::Terminal)
}

fn listed(curves: &[&Curve]) -> String {
    curves.iter().map(|curve| curve.key.axes.endpoints.to_string()).collect::<Vec<_>>().join(", ")
}
