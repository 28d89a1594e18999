//! What the members of a reachability record must agree on.

use std::collections::BTreeSet;

use super::{Attempt, ReachabilityRecord};

/// What is wrong with an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReachabilityFault {
    /// The same trial of the same cell is there before.
    #[error("the same trial is there twice")]
    Twice,
    /// The same was asked before, or nothing was.
    #[error("the same was asked twice, or nothing was")]
    Attempts,
    /// Answers, messages and failures are more than what was sent.
    #[error("answers, messages and failures are more than what was sent")]
    Sum,
}

/// Checks all records; an error is at the index of one.
pub(in crate::result) fn check(records: &[ReachabilityRecord]) -> Result<(), (usize, ReachabilityFault)> {
    let mut seen = BTreeSet::new();
    for (index, record) in records.iter().enumerate() {
        let checked =
            if seen.insert((&record.cell, record.trial)) { of_one(record) } else { Err(ReachabilityFault::Twice) };
        checked.map_err(|what| (index, what))?;
    }
    Ok(())
}

fn of_one(record: &ReachabilityRecord) -> Result<(), ReachabilityFault> {
    let asked: BTreeSet<_> = record.attempts.iter().map(|attempt| attempt.asked).collect();
    if asked.is_empty() || asked.len() != record.attempts.len() {
        return Err(ReachabilityFault::Attempts);
    }
    if record.attempts.iter().all(adds_up) { Ok(()) } else { Err(ReachabilityFault::Sum) }
}

fn adds_up(attempt: &Attempt) -> bool {
    let ended = attempt.icmp.iter().map(|error| error.count).chain(attempt.failures.values().copied());
    let ended = ended.chain([attempt.answered]).map(u128::from).sum::<u128>();
    ended <= u128::from(attempt.sent)
}
