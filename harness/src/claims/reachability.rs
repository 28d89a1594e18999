//! What the experiments of reachability say, for the claims that they bear on.

use super::judgement::Scope;
use super::view::{Leg, sizes};
use crate::result::{
    Attempt, BackendKind, Destination, FilterRules, Origin, Question, ReachabilityRecord, RunFile, name,
};

/// Experiments of one venue and kernel.
pub(super) fn records<'a>(run: &'a RunFile, scope: &Scope) -> Vec<&'a ReachabilityRecord> {
    let here = |record: &&ReachabilityRecord| (record.cell.venue, &record.cell.kernel) == (scope.venue, &scope.kernel);
    run.reachability.iter().filter(here).collect()
}

/// The first experiment of a backend.
pub(super) fn of_backend<'a>(
    records: &[&'a ReachabilityRecord],
    backend: BackendKind,
) -> Option<&'a ReachabilityRecord> {
    records.iter().copied().find(|record| record.cell.backend == backend)
}

/// The attempts of both origins, or the leg that says why they show nothing.
pub(super) fn attempts(
    record: &ReachabilityRecord,
    to: Destination,
    rules: FilterRules,
    exposed: bool,
) -> Result<Vec<&Attempt>, Leg> {
    let backend = name(&record.cell.backend);
    let one = |from: Origin| {
        if let Some(why) = record.invalid(from) {
            return Err(Leg::cannot_tell(format!("{backend} from {}: {why}", name(&from))));
        }
        let question = Question { to, from, rules, exposed };
        record.attempt(question).ok_or_else(|| {
            let reason = format!("{backend} was not asked: {question}");
            Leg::not_measured(reason)
        })
    };
    Origin::ALL.into_iter().map(one).collect()
}

/// E.g. `ipvs, rules as 1.36: from client 0 of 5, from node 0 of 5`.
pub(super) fn counted(record: &ReachabilityRecord, attempts: &[&Attempt], count: impl Fn(&Attempt) -> u64) -> String {
    let rules = attempts.first().map_or(FilterRules::Kept, |attempt| attempt.asked.rules);
    let of_one =
        |attempt: &&Attempt| format!("from {} {} of {}", name(&attempt.asked.from), count(attempt), attempt.sent);
    let each: Vec<_> = attempts.iter().map(of_one).collect();
    format!("{}, rules {rules}: {}", name(&record.cell.backend), each.join(", "))
}

/// E.g. `ipvs, sequential, tcp, M = 2, N = 1`.
pub(super) fn cells(record: &ReachabilityRecord) -> String {
    let cell = &record.cell;
    let (backend, layout, protocol) = (name(&cell.backend), name(&cell.layout), name(&cell.protocol));
    format!("{backend}, {layout}, {protocol}, M = {}, N = {}", cell.endpoints, sizes(cell.services))
}

/// What came back in place of answers, and where the packets went.
pub(super) fn fate(attempt: &Attempt) -> String {
    if attempt.answered == attempt.sent {
        return format!("by {}", attempt.went_to());
    }
    format!("{}; went {}", attempt.came_back(), attempt.went_to())
}
