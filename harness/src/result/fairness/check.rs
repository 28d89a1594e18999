//! What an entry of `run.json`'s `fairness` must agree on with itself.

use std::collections::BTreeSet;

use super::judge::{index_of_fairness, least_to_move, test};
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
    /// The least share of new flows that choose otherwise is not that of the weights.
    #[error("the least share that can choose otherwise is not that of the weights")]
    LeastShare,
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
    let before: Vec<u64> = weights.iter().take(endpoints).copied().map(u64::from).collect();
    let is_test = test(&spread.tested, &before) == spread.shares
        && index_of_fairness(&spread.reached, &before) == spread.jain
        && sum(&spread.tested) <= reached;
    if !is_test {
        return Err(FairnessFault::Test);
    }
    if new.least_share != least_to_move(weights, cell.endpoints, summary.change) {
        return Err(FairnessFault::LeastShare);
    }
    // Files of earlier versions have no verdict on the shares alone.
    let are_shares_kept = spread.are_shares_kept(summary.spreading);
    let is_verdict = spread.is_kept(summary.spreading) == spread.kept
        && spread.shares_kept.is_none_or(|kept| are_shares_kept == Some(kept));
    if is_verdict { Ok(()) } else { Err(FairnessFault::Verdict) }
}

#[cfg(test)]
mod tests {
    use super::super::judge::tests::record;
    use super::super::{Spreading, summarise_fairness};
    use super::*;
    use crate::result::Reached::Endpoint;

    fn fault(change: impl Fn(&mut FairnessSummary)) -> Option<FairnessFault> {
        let record = record(Spreading::Rr, 2, &[0, 1, 0, 1].map(Endpoint));
        let mut all = summarise_fairness(&[record]).unwrap();
        change(&mut all[0]);
        check_fairness(&all).err().map(|(_, what)| what)
    }

    #[test]
    fn what_was_summed_up_agrees_with_itself_and_what_was_changed_does_not() {
        assert_eq!(fault(|_| ()), None);
        assert_eq!(fault(|summary| summary.weights.push(1)), Some(FairnessFault::Endpoints));
        assert_eq!(fault(|summary| summary.flows = 5), Some(FairnessFault::Sum));
        assert_eq!(fault(|summary| summary.spread.jain = Some(0.5)), Some(FairnessFault::Test));
        assert_eq!(fault(|summary| summary.new.least_share = 0.34), Some(FairnessFault::LeastShare));
        // Of endpoints that weigh otherwise another share can choose otherwise.
        assert_eq!(fault(|summary| summary.weights[2] = 2), Some(FairnessFault::LeastShare));
        assert_eq!(fault(|summary| summary.spread.kept = false), Some(FairnessFault::Verdict));
        assert_eq!(fault(|summary| summary.spread.shares_kept = Some(false)), Some(FairnessFault::Verdict));
        assert_eq!(fault(|summary| summary.spread.tested[0] = 1), Some(FairnessFault::Test));
    }

    #[test]
    fn files_of_earlier_versions_did_not_test_flows_in_turn() {
        let earlier = |summary: &mut FairnessSummary| {
            summary.spread.tested.clear();
            (summary.spread.shares, summary.spread.shares_kept) = (None, None);
        };
        assert_eq!(fault(earlier), None);
        let without_test = |summary: &mut FairnessSummary| {
            earlier(summary);
            summary.spread.shares_kept = Some(true);
        };
        assert_eq!(fault(without_test), Some(FairnessFault::Verdict));
    }
}
