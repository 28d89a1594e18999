//! What an entry of `run.json`'s `fairness` must agree on with itself.

use std::collections::BTreeSet;

use super::judge::{index_of_fairness, test};
use super::{EndpointChange, FairnessSummary};
use crate::result::Cell;

/// What is wrong with a cell's fairness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FairnessFault {
    /// The same is there before.
    #[error("the same is there twice")]
    Twice,
    /// Another number of endpoints than the cell's.
    #[error("there are not as many endpoints as the cell has")]
    Endpoints,
    /// The flows' fates do not add up to the flows.
    #[error("the flows do not add up")]
    Sum,
    /// A test or index is not that of the counts.
    #[error("a test is not that of the counts")]
    Test,
    /// The verdict is not that of the tests.
    #[error("the verdict is not that of the tests")]
    Verdict,
}

/// Checks all of them.
pub(in crate::result) fn check_fairness(all: &[FairnessSummary]) -> Result<(), (Box<Cell>, FairnessFault)> {
    let mut seen = BTreeSet::new();
    for summary in all {
        let is_new = seen.insert((&summary.cell, summary.spreading, summary.change, summary.trial));
        let checked = if is_new { check(summary) } else { Err(FairnessFault::Twice) };
        checked.map_err(|what| (Box::new(summary.cell.clone()), what))?;
    }
    Ok(())
}

fn check(summary: &FairnessSummary) -> Result<(), FairnessFault> {
    let FairnessSummary { cell, flows, weights, spread, existing, new, .. } = summary;
    let endpoints = cell.endpoints as usize;
    let all = endpoints + usize::from(summary.change == EndpointChange::Added);
    if spread.reached.len() != endpoints || weights.len() != all {
        return Err(FairnessFault::Endpoints);
    }
    let sum = |counts: &[u64]| counts.iter().map(|count| u128::from(*count)).sum::<u128>();
    let reached = sum(&spread.reached);
    let parts = [existing.kept, existing.to_gone, existing.moved, existing.broken];
    let adds_up = reached + u128::from(spread.nowhere) == u128::from(*flows) && sum(&parts) == reached;
    if !adds_up
        || u128::from(new.compared) > reached
        || new.other > new.compared
        || spread.violations > u64::from(*flows)
    {
        return Err(FairnessFault::Sum);
    }
    let weights: Vec<u64> = weights.iter().take(endpoints).copied().map(u64::from).collect();
    let is_test = test(&spread.tested, &weights) == spread.shares
        && index_of_fairness(&spread.reached, &weights) == spread.jain
        && sum(&spread.tested) <= reached
        && new.least_share.is_finite();
    if !is_test {
        return Err(FairnessFault::Test);
    }
    if spread.is_kept(summary.spreading) == spread.kept { Ok(()) } else { Err(FairnessFault::Verdict) }
}
