//! C2: a new flow's cost under IPVS does not depend on the number of Services. Judged where IPVS is slowest: the service that was
//! programmed first (new ones go to their bucket's head), and VIPs at stride 256, which share one bucket of a 256-bucket table.

use super::catalogue::Claim;
use super::growth::Growth;
use super::judgement::{Judgement, Scope, Verdict};
use super::view::{Leg, combine, flat_up_to, lookups, sizes, slope};
use crate::result::{BackendKind, Curve, Metric, Position, RunFile, name};
use crate::workload::VipLayout;

pub(super) fn judge(run: &RunFile, claim: &'static Claim, scope: &Scope) -> Option<Judgement> {
    let mut curves = lookups(run, scope, Metric::Added);
    curves.retain(|curve| curve.key.axes.backend == BackendKind::Ipvs);
    if curves.is_empty() {
        return None;
    }
    let worst: Vec<_> = curves.iter().copied().filter(|curve| curve.key.axes.position == Position::First).collect();
    let mut legs: Vec<_> = worst.iter().map(|curve| layout(curve)).collect();
    for needed in [VipLayout::Sequential, VipLayout::Stride256] {
        if !worst.iter().any(|curve| curve.key.axes.layout == needed) {
            let layout = name(&needed);
            let reason =
                format!("{layout} VIPs at the worst position were not measured: --layout {layout} --positions first");
            legs.push(Leg::not_measured(reason));
        }
    }
    let (verdict, reason) = combine(legs);
    let figures = curves.iter().map(|curve| slope(curve)).collect();
    Some(Judgement { figures, ..Judgement::new(claim, Some(scope.clone()), verdict, reason) })
}

fn layout(curve: &Curve) -> Leg {
    let largest = curve.points.last().map_or(0, |point| point.services);
    let label = curve.fit.label();
    let grows = |how: String| {
        let limit = flat_up_to(curve).map_or_else(String::new, |n| format!(", within 10% up to N = {}", sizes(n)));
        (Some(Verdict::DoesNotHold), format!("{how}{limit}"))
    };
    let (verdict, how) = match Growth::of(&curve.fit) {
        Growth::Flat => {
            (Some(Verdict::Holds), format!("holds up to N = {}, the largest measured ({label})", sizes(largest)))
        }
        Growth::Falls => (Some(Verdict::Holds), format!("does not grow up to N = {}: it falls", sizes(largest))),
        Growth::Knee(knee) => {
            let services =
                curve.points.iter().map(|point| point.services).rfind(|n| f64::from(*n) <= knee).unwrap_or(1);
            (Some(Verdict::HoldsUpTo { services }), format!("flat up to N = {}, linear beyond", sizes(services)))
        }
        Growth::Linear | Growth::Sublinear | Growth::Superlinear | Growth::Grows => {
            grows(format!("{label} in Services"))
        }
        Growth::Undecided(why) => (None, format!("undetermined: {why}")),
    };
    Leg::new(&format!("{} VIPs, first", name(&curve.key.axes.layout)), verdict, &how)
}
