//! C7: whether a ClusterIP answers pings, under iptables and under IPVS, with the filter rules since v1.27 and without them.

use super::catalogue::Claim;
use super::judgement::{Figure, Judgement, Scope, Verdict};
use super::reachability::{attempts, cells, counted, fate, of_backend, records};
use super::view::{IPTABLES, Leg, combine};
use crate::result::{Attempt, BackendKind, Destination, FilterRules, ReachabilityRecord, RunFile, name};

/// What is claimed of pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pings {
    Unanswered,
    Answered,
}

pub(super) fn judge(run: &RunFile, claim: &'static Claim, scope: &Scope) -> Option<Judgement> {
    let records = records(run, scope);
    if records.is_empty() {
        return None;
    }
    let claimed = IPTABLES
        .into_iter()
        .flat_map(|backend| {
            [(backend, FilterRules::Kept, Pings::Unanswered), (backend, FilterRules::Removed, Pings::Unanswered)]
        })
        .chain([
            (BackendKind::Ipvs, FilterRules::Kept, Pings::Unanswered),
            (BackendKind::Ipvs, FilterRules::Removed, Pings::Answered),
        ]);
    let leg_of = |(backend, rules, pings)| of_backend(&records, backend).map(|record| leg(record, rules, pings));
    let mut legs: Vec<_> = claimed.filter_map(leg_of).collect();
    let has = |backends: &[BackendKind]| records.iter().any(|record| backends.contains(&record.cell.backend));
    legs.extend((!has(&IPTABLES)).then(|| missing("iptables", "--backends iptables-legacy")));
    legs.extend(
        (!has(&[BackendKind::Ipvs]))
            .then(|| missing("IPVS", "--backends ipvs, --venue vm where this kernel has no ip_vs")),
    );
    let (verdict, reason) = combine(legs);
    let figures = records.iter().flat_map(|record| figures(record)).collect();
    Some(Judgement { figures, ..Judgement::new(claim, Some(scope.clone()), verdict, reason) })
}

fn missing(mode: &str, how: &str) -> Leg {
    let reason = format!("no ClusterIP of {mode} was pinged here: {how}");
    Leg::not_measured(reason)
}

fn leg(record: &ReachabilityRecord, rules: FilterRules, claimed: Pings) -> Leg {
    let exposed = rules == FilterRules::Removed;
    let attempts = match attempts(record, Destination::ClusterIp, rules, exposed) {
        Ok(attempts) => attempts,
        Err(leg) => return leg,
    };
    let is_as_claimed = |attempt: &&Attempt| match claimed {
        Pings::Unanswered => attempt.answered == 0,
        Pings::Answered => attempt.answered == attempt.sent,
    };
    let verdict = if attempts.iter().all(is_as_claimed) { Verdict::Holds } else { Verdict::DoesNotHold };
    Leg { verdict, reason: counted(record, &attempts, |attempt| attempt.answered) }
}

/// Every mode's pings, those of which nothing is claimed too.
fn figures(record: &ReachabilityRecord) -> Vec<Figure> {
    let pings = record.attempts.iter().filter(|attempt| attempt.asked.to == Destination::ClusterIp);
    let figure = |attempt: &Attempt| Figure {
        what: format!(
            "answers from {} to {}, rules {}:",
            name(&record.cell.backend),
            name(&attempt.asked.from),
            attempt.asked.rules
        ),
        value: Some(attempt.answered as f64),
        interval: None,
        unit: format!("of {} pings", attempt.sent),
        note: Some(fate(attempt)),
        cells: cells(record),
    };
    pings.map(figure).collect()
}
