//! C5: whether iptables suits many short connections at once: how many a second it carries as services come, and beside IPVS.

use curve_stats::{LEAST_GROWTH, holm, mann_whitney, ratio, smallest_mann_whitney};

use super::catalogue::Claim;
use super::judgement::{Figure, Judgement, Scope, Verdict};
use super::view::{ALPHA, IPTABLES, Leg, asked, combine, interval, sizes};
use crate::result::{BackendKind, ConnectionCurve, ConnectionLoad, ConnectionPoint, RunFile, name};

pub(super) fn judge(run: &RunFile, claim: &'static Claim, scope: &Scope) -> Option<Judgement> {
    let here = |curve: &&ConnectionCurve| {
        let key = &curve.key;
        (key.axes.venue, &key.axes.kernel) == (scope.venue, &scope.kernel)
            && matches!(key.load, ConnectionLoad::Closed(_))
            && key.axes.position == asked(run, key.axes.backend)
    };
    let curves: Vec<_> = run.connections.iter().filter(here).collect();
    let (mut legs, mut figures) = (Vec::new(), Vec::new());
    for curve in curves.iter().filter(|curve| IPTABLES.contains(&curve.key.axes.backend)) {
        let mut compared = vec![over_services(curve)];
        let beside = |backend| curves.iter().find(|other| is_beside(curve, other, backend));
        match beside(BackendKind::Ipvs) {
            Some(ipvs) => compared.push(beside_another(curve, ipvs, true)),
            None => legs.push(without_ipvs(curve)),
        }
        compared.extend(beside(BackendKind::Direct).map(|direct| beside_another(curve, direct, false)));
        for (leg, found) in compared {
            legs.extend(leg);
            figures.extend(found);
        }
    }
    if legs.is_empty() {
        return None;
    }
    let (verdict, reason) = combine(legs);
    Some(Judgement { figures, ..Judgement::new(claim, Some(scope.clone()), verdict, reason) })
}

/// Whether `other` is the same load on `backend`; the direct ones know no layout.
fn is_beside(curve: &ConnectionCurve, other: &ConnectionCurve, backend: BackendKind) -> bool {
    let same = |curve: &ConnectionCurve| (curve.key.load, curve.key.axes.protocol, curve.key.axes.endpoints);
    let layout = other.key.axes.layout == curve.key.axes.layout || !backend.balances();
    other.key.axes.backend == backend && same(other) == same(curve) && layout
}

/// What is not compared is said, and decides nothing.
fn without_ipvs(curve: &ConnectionCurve) -> Leg {
    let reason = format!(
        "{}: not compared with IPVS, which the run opened no such connections through here",
        name(&curve.key.axes.backend)
    );
    Leg { verdict: Verdict::Holds, reason }
}

/// One N: iptables' rate over another.
struct Found {
    services: u32,
    figure: Figure,
    p: f64,
    /// So few trials lie apart by chance: they decide nothing.
    is_few: bool,
    rate: Rate,
}

/// How a rate compares with what it is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rate {
    /// At least nine tenths, for certain.
    Kept,
    /// Less than nine tenths, for certain.
    Less,
    /// The interval holds nine tenths, or the trials are too few.
    Either,
}

/// Held to the rate at the smallest N.
fn over_services(curve: &ConnectionCurve) -> (Option<Leg>, Vec<Figure>) {
    let backend = name(&curve.key.axes.backend);
    let Some((first, larger)) = curve.points.split_first() else { return (None, Vec::new()) };
    let what = format!("connections a second of {backend} over those at N = {},", sizes(first.services));
    let found = larger.iter().filter_map(|point| held_to(curve, point, first, &what)).collect();
    if larger.is_empty() {
        let reason = format!("connections of {backend} were opened at one N only: --services 1,1000,10000");
        return (Some(Leg::not_measured(reason)), Vec::new());
    }
    concluded(judged(found), &backend, &format!("at N = {}", sizes(first.services)), Some(first.services))
}

/// Held to another backend's rate at the same N; it decides where that is claimed.
fn beside_another(curve: &ConnectionCurve, other: &ConnectionCurve, decides: bool) -> (Option<Leg>, Vec<Figure>) {
    let (backend, beside) = (name(&curve.key.axes.backend), name(&other.key.axes.backend));
    let what = format!("connections a second of {backend} over those of {beside}");
    let at = |services: u32| other.points.iter().find(|point| point.services == services);
    let found = curve.points.iter().filter_map(|point| held_to(curve, point, at(point.services)?, &what)).collect();
    let (leg, figures) = concluded(judged(found), &backend, &beside, None);
    (leg.filter(|_| decides), figures)
}

fn held_to(curve: &ConnectionCurve, point: &ConnectionPoint, to: &ConnectionPoint, what: &str) -> Option<Found> {
    let (own, other) = (&point.per_second.as_ref()?.values, &to.per_second.as_ref()?.values);
    let estimate = ratio(other, own).ok()?;
    let is_few = smallest_mann_whitney(own.len(), other.len()) > ALPHA;
    let mut notes = Vec::new();
    notes.extend(is_few.then(|| "too few trials to tell".to_owned()));
    let failed = [point, to].into_iter().filter(|point| point.failed() > 0);
    notes.extend(failed.map(|point| format!("{} of {} failed", point.failed(), point.attempted)));
    let figure = Figure {
        what: format!("{what} at N = {}", sizes(point.services)),
        value: Some(estimate.ratio),
        interval: Some([estimate.spread.low(), estimate.spread.high()]),
        unit: "times".to_owned(),
        note: (!notes.is_empty()).then(|| notes.join("; ")),
        cells: format!("{}, {} and {} trials", curve.key, own.len(), other.len()),
    };
    let p = mann_whitney(own, other).ok()?;
    Some(Found { services: point.services, figure, p, is_few, rate: Rate::Either })
}

/// Kept by the interval: that every N keeps it is claimed. Less by the p of all N together too (Holm), since one N is enough for it.
fn judged(mut found: Vec<Found>) -> Vec<Found> {
    let p: Vec<_> = found.iter().map(|found| found.p).collect();
    let adjusted = holm(&p).unwrap_or_default();
    for (found, p) in found.iter_mut().zip(adjusted) {
        found.rate = match found.figure.interval {
            _ if found.is_few => Rate::Either,
            Some([low, _]) if low >= 1.0 - LEAST_GROWTH => Rate::Kept,
            Some([_, high]) if high < 1.0 - LEAST_GROWTH && p <= ALPHA => Rate::Less,
            _ => Rate::Either,
        };
    }
    found
}

/// Kept at every N holds; less at one, up to the largest N to which all are kept, which at the least is `from`. While none is less, one that
/// is not told keeps the verdict open. `to` is what `backend` is held to: `at N = 1`, or another's name.
fn concluded(found: Vec<Found>, backend: &str, to: &str, from: Option<u32>) -> (Option<Leg>, Vec<Figure>) {
    let at = |wanted: Rate| found.iter().find(|found| found.rate == wanted);
    let kept = found.iter().take_while(|found| found.rate == Rate::Kept).last().map(|found| found.services).or(from);
    let times = |found: &Found| format!("{} times at N = {}", interval(&found.figure, 3), sizes(found.services));
    let leg = match (at(Rate::Less), at(Rate::Either)) {
        (Some(less), _) => {
            let verdict = kept.map_or(Verdict::DoesNotHold, |services| Verdict::HoldsUpTo { services });
            Some(Leg { verdict, reason: format!("{backend} carries fewer than {to}: {}", times(less)) })
        }
        (None, Some(open)) => {
            let how = format!("{backend} carries as many as {to}: undetermined, {}", times(open));
            Some(Leg::cannot_tell(how))
        }
        (None, None) if found.is_empty() => None,
        (None, None) => {
            Some(Leg { verdict: Verdict::Holds, reason: format!("{backend} carries as many as {to} at every N") })
        }
    };
    (leg, found.into_iter().map(|found| found.figure).collect())
}
