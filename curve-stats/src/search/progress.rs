//! Where one goal stands: its target, and what is known of its bounds.

use std::time::Duration;

use super::database::{Bounds, Database};
use super::goal::Target;
use super::grid::Grid;
use super::output::{Budgeted, GoalResult, IrregularGoalResult, Irregularity, OfferLimit, RegularGoalResult};
use super::reach::Reach;
use super::select::{Step, select};
use super::{PacketsPerSecond, SearchGoal};

/// A goal on its way through its targets. It never returns to a coarser one: what full-length trials have shown is not asked of
/// short ones again.
#[derive(Debug)]
pub(super) struct Progress {
    targets: Vec<Target>,
    at: usize,
    hint: Bounds,
}

/// A trial that a goal asks for. Ordered by how coarse the target is, then the load, then the duration: all goals get through
/// their coarse targets first, and smaller loads come first (section 5.3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted {
    target: usize,
    pub(super) load: u32,
    pub(super) duration: Duration,
}

impl Progress {
    /// `carried` is the forwarding rate at the highest load (section 1.1): a device that carries as much whatever is offered meets
    /// the goal up to a load of which that is the share that must not be lost.
    pub(super) fn new(goal: &SearchGoal, grid: &Grid, ceiling: u32, carried: PacketsPerSecond) -> Self {
        let width = grid.steps(goal.width);
        let targets = goal.targets(width);
        let guess = grid.at_most(carried.0 / (1.0 - goal.loss_ratio.0));
        let hint = if guess >= ceiling {
            Bounds { lower: Some(ceiling), upper: None }
        } else {
            around(guess, width, targets[0].width)
        };
        Self { targets, at: 0, hint }
    }

    /// The next trial that this goal needs, if it needs one.
    pub(super) fn next(&mut self, database: &Database, ceiling: u32) -> Option<Wanted> {
        loop {
            let target = self.targets.get(self.at)?;
            let bounds = database.bounds(&target.criteria);
            match select(bounds, self.hint, target.width, ceiling) {
                Step::Measure(load) => {
                    return Some(Wanted { target: self.at, load, duration: target.criteria.trial_duration });
                }
                // Trials of other goals may still undo the goal's own bounds, so the last target is asked again.
                Step::Settled if self.at + 1 == self.targets.len() => return None,
                Step::Settled => {
                    self.hint = bounds;
                    self.at += 1;
                }
            }
        }
    }
}

/// An interval round a guess that starts and ends at whole numbers of goal widths, so that goals of one width meet at the same loads.
fn around(guess: u32, width: u32, interval: u32) -> Bounds {
    let lower = (guess - guess % width).saturating_sub(interval / width / 2 * width);
    Bounds { lower: Some(lower), upper: Some(lower.saturating_add(interval)) }
}

/// The result of a goal from all trials, and from why the search ended.
pub(super) fn result(
    goal: &SearchGoal,
    grid: &Grid,
    database: &Database,
    reach: Reach,
    spent: Option<Budgeted>,
) -> GoalResult {
    let bounds = database.bounds(&goal.criteria());
    let load = |index: u32| grid.load(index);
    let throughput = bounds.lower.and_then(|lower| goal.conditional_throughput(load(lower), database.at(lower)));
    if let (Some(lower), Some(upper), Some(conditional_throughput)) = (bounds.lower, bounds.upper, throughput)
        && upper - lower <= grid.steps(goal.width)
    {
        let (relevant_lower_bound, relevant_upper_bound) = (load(lower), load(upper));
        return GoalResult::Regular(RegularGoalResult {
            relevant_lower_bound,
            relevant_upper_bound,
            conditional_throughput,
        });
    }
    GoalResult::Irregular(IrregularGoalResult {
        reason: irregularity(bounds, reach, spent),
        effective_lower_bound: bounds.lower.map(load),
        relevant_upper_bound: bounds.upper.map(load),
        conditional_throughput: throughput,
    })
}

/// What was proven comes before what was not.
fn irregularity(bounds: Bounds, reach: Reach, spent: Option<Budgeted>) -> Irregularity {
    let limit = if reach.limited() { OfferLimit::Sender } else { OfferLimit::MaxLoad };
    match (bounds.lower, bounds.upper, reach.ceiling()) {
        (_, Some(0), _) => Irregularity::FailsAtMinLoad,
        (Some(lower), None, Some(ceiling)) if lower >= ceiling => Irregularity::NotOverloaded(limit),
        (_, _, None) => Irregularity::NothingOffered,
        _ => spent.map_or(Irregularity::NotOffered, Irregularity::BudgetSpent),
    }
}
