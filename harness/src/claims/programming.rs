//! C9: what it takes IPVS to take one service more, or one endpoint changed, does not depend on how many services there are. From
//! nothing, N services take N times the work in every backend: that is shown, and not what is judged.

use std::collections::BTreeMap;

use curve_stats::{Observation, fit};

use super::catalogue::Claim;
use super::growth::Growth;
use super::judgement::{Figure, Judgement, Scope, Verdict};
use super::view::{Leg, combine, sizes};
use crate::result::{BackendKind, ProgrammingOp, ProgrammingRecord, RunFile, name, noise_floor};
use crate::workload::{Protocol, VipLayout};

/// What one curve of programming shares.
type Line = (BackendKind, ProgrammingOp, VipLayout, Protocol, u32);

pub(super) fn judge(run: &RunFile, claim: &'static Claim, scope: &Scope) -> Option<Judgement> {
    let here = |r: &&ProgrammingRecord| (r.venue, &r.kernel, r.unit) == (scope.venue, &scope.kernel, scope.unit);
    let mut lines = BTreeMap::<Line, Vec<Observation>>::new();
    for r in run.programming.iter().filter(here) {
        let line = lines.entry((r.backend, r.op, r.layout, r.protocol, r.endpoints)).or_default();
        line.push(Observation::new(r.services, r.total as f64));
    }
    if lines.is_empty() {
        return None;
    }
    let (mut legs, mut figures) = (Vec::new(), Vec::new());
    for (line, trials) in &lines {
        // What no fit can be computed from (an overflow) has no figure either.
        let Ok(fit) = fit(trials, noise_floor(scope.unit)) else { continue };
        if line.0 == BackendKind::Ipvs && line.1 != ProgrammingOp::FromNothing {
            legs.push(leg(line, trials, &fit));
        }
        figures.push(figure(line, trials, &fit, scope));
    }
    if legs.is_empty() {
        let reason = "programming of IPVS was not measured on this kernel".to_owned();
        legs.push(Leg::not_measured(reason));
    }
    let (verdict, reason) = combine(legs);
    Some(Judgement { figures, ..Judgement::new(claim, Some(scope.clone()), verdict, reason) })
}

fn leg(line: &Line, trials: &[Observation], fit: &curve_stats::Fit) -> Leg {
    let (verdict, how) = match Growth::of(fit) {
        Growth::Flat => (Some(Verdict::Holds), format!("does not grow ({})", fit.label())),
        Growth::Falls => (Some(Verdict::Holds), "does not grow: it falls".to_owned()),
        Growth::Knee(knee) => {
            let below = trials.iter().map(|trial| trial.services).filter(|n| f64::from(*n) <= knee).max();
            let services = below.unwrap_or(1);
            (Some(Verdict::HoldsUpTo { services }), format!("grows beyond N = {}", sizes(services)))
        }
        Growth::Linear | Growth::Sublinear | Growth::Superlinear | Growth::Grows => {
            (Some(Verdict::DoesNotHold), format!("grows with Services ({})", fit.label()))
        }
        Growth::Undecided(why) => (None, format!("undetermined: {why}")),
    };
    Leg::new(&format!("ipvs, {}", line.1), verdict, &how)
}

fn figure(line: &Line, trials: &[Observation], fit: &curve_stats::Fit, scope: &Scope) -> Figure {
    let (backend, op, layout, protocol, endpoints) = line;
    let ends =
        |f: fn(u32, u32) -> u32| trials.iter().map(|trial| trial.services).reduce(f).map_or(String::new(), sizes);
    Figure {
        what: format!("slope of {}, {op}", name(backend)),
        value: fit.slope_per_service,
        interval: fit.slope_ci95,
        unit: format!("{} per service", scope.unit),
        note: Some(fit.label()),
        cells: format!(
            "programming, {}, {}, {}, M = {endpoints}, N = {} to {}",
            name(backend),
            name(layout),
            name(protocol),
            ends(u32::min),
            ends(u32::max)
        ),
    }
}
