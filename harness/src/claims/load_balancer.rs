//! C8: whether kube-ipvs0 intercepts a load balancer's address inside the cluster, so that an Ingress that shares it cannot be reached.

use super::catalogue::Claim;
use super::judgement::{Figure, Judgement, Scope, Verdict};
use super::reachability::{attempts, cells, counted, fate, of_backend, records};
use super::view::{IPTABLES, Leg, combine};
use crate::result::{Attempt, BackendKind, Destination, FilterRules, ReachabilityRecord, RunFile, name};

pub(super) fn judge(run: &RunFile, claim: &'static Claim, scope: &Scope) -> Option<Judgement> {
    let records = records(run, scope);
    if records.is_empty() {
        return None;
    }
    let both = [FilterRules::Kept, FilterRules::Removed];
    let mut legs = match of_backend(&records, BackendKind::Ipvs) {
        Some(ipvs) => both.map(|rules| leg(ipvs, rules, Fate::Intercepted)).into(),
        None => vec![not_asked()],
    };
    let others = IPTABLES.into_iter().filter_map(|backend| of_backend(&records, backend));
    let before = legs.len();
    legs.extend(others.flat_map(|record| both.map(|rules| leg(record, rules, Fate::Forwarded))));
    if legs.len() == before {
        let reason = "the iptables modes were not asked, so that only IPVS is judged".to_owned();
        legs.push(Leg { verdict: Verdict::Holds, reason });
    }
    let (verdict, reason) = combine(legs);
    let figures = records.iter().flat_map(|record| figures(record)).collect();
    Some(Judgement { figures, ..Judgement::new(claim, Some(scope.clone()), verdict, reason) })
}

fn not_asked() -> Leg {
    let how = "--backends ipvs, --venue vm where this kernel has no ip_vs";
    let reason = format!("no address was bound on kube-ipvs0 here: {how}");
    Leg::not_measured(reason)
}

/// Where connections to the Ingress's port went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// No packet of them left the node.
    Intercepted,
    /// The load balancer answered them all.
    Forwarded,
    /// Neither.
    Mixed,
}

impl Fate {
    fn of(attempt: &Attempt) -> Self {
        match (attempt.arrived.outside, attempt.left) {
            (0, 0) => Self::Intercepted,
            (arrived, _) if arrived == attempt.sent => Self::Forwarded,
            _ => Self::Mixed,
        }
    }
}

fn leg(record: &ReachabilityRecord, rules: FilterRules, claimed: Fate) -> Leg {
    let attempts = match attempts(record, Destination::Ingress, rules, true) {
        Ok(attempts) => attempts,
        Err(leg) => return leg,
    };
    let fates: Vec<_> = attempts.iter().map(|attempt| Fate::of(attempt)).collect();
    let reached = counted(record, &attempts, |attempt| attempt.arrived.outside);
    let verdict = if fates.iter().all(|fate| *fate == claimed) {
        Some(Verdict::Holds)
    } else if fates.contains(&Fate::Mixed) {
        None
    } else {
        Some(Verdict::DoesNotHold)
    };
    let which = if verdict.is_some() {
        "that reached the load balancer"
    } else {
        "of which only some reached the load balancer"
    };
    Leg::new(&format!("connections to the Ingress's port {which}"), verdict, &reached)
}

/// Where connections to the address that the service has went, in every mode.
fn figures(record: &ReachabilityRecord) -> Vec<Figure> {
    let is_shared = |attempt: &&Attempt| {
        attempt.asked.exposed && matches!(attempt.asked.to, Destination::Ingress | Destination::Service)
    };
    let figure = |attempt: &Attempt| {
        let port = if attempt.asked.to == Destination::Ingress { "Ingress" } else { "service" };
        let (backend, from, rules) = (name(&record.cell.backend), name(&attempt.asked.from), attempt.asked.rules);
        Figure {
            what: format!("{port}'s port under {backend} from {from}, rules {rules}: the load balancer got"),
            value: Some(attempt.arrived.outside as f64),
            interval: None,
            unit: format!("of {} connections", attempt.sent),
            note: Some(fate(attempt)),
            cells: cells(record),
        }
    };
    record.attempts.iter().filter(is_shared).map(figure).collect()
}
