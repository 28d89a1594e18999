//! Conditional Throughput (section 4.8.3, logic in 6.2, code in appendix B).

use std::time::Duration;

use super::classify::{Criteria, Sums};
use super::{PacketsPerSecond, TrialResult};

/// The forwarding rate to expect at a goal's Relevant Lower Bound: load times the forwarding ratio of the trial at which, going
/// from the smallest loss up, one minus the Goal Exceed Ratio of the whole duration is reached. With half allowed to exceed it is
/// the median of full-length trials, or less where the search stopped as soon as the load was certain: trials that were not
/// measured count as worse than those that were.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct ConditionalThroughput(pub PacketsPerSecond);

/// Of full-length trials only; nothing without one.
pub(super) fn conditional_throughput(
    criteria: &Criteria,
    load: PacketsPerSecond,
    trials: &[TrialResult],
) -> Option<ConditionalThroughput> {
    let sums = Sums::of(criteria, trials);
    let whole = criteria.whole(sums.full_low + sums.full_high);
    let allowed = whole * criteria.exceed_ratio;
    let mut full: Vec<_> = trials.iter().filter(|result| criteria.full_length(result)).collect();
    full.sort_by(|a, b| a.loss_ratio().total_cmp(&b.loss_ratio()));
    // The comparison is the classification's own, term for term: a lower bound by one rounding must not lack a trial by another.
    let mut covered = Duration::ZERO;
    let enough = full.iter().find(|result| {
        covered = covered.saturating_add(result.effective_duration());
        whole - covered.as_secs_f64() <= allowed
    });
    full.first()?;
    // Where it is not enough, what is missing may have lost everything.
    let forwarding_ratio = enough.map_or(0.0, |result| result.forwarding_ratio());
    Some(ConditionalThroughput(PacketsPerSecond(load.0 * forwarding_ratio)))
}
