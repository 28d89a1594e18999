//! What a search comes to (section 4.8).

use std::fmt;
use std::time::Duration;

use super::{ConditionalThroughput, PacketsPerSecond, TrialResult};

/// What a search returns: the draft's Controller Output (section 4.8.6).
#[derive(Debug, Clone, PartialEq)]
pub struct ControllerOutput {
    /// The Search Result (section 4.8.5): one result a goal, in the order of the goals.
    pub results: Vec<GoalResult>,
    /// All valid trials, in the order of time.
    pub trials: Vec<TrialResult>,
    /// Trials in which the sender did not keep its rate, in the order of time. They count for nothing but the budget.
    pub invalid: Vec<TrialResult>,
    /// How long trials really took, invalid ones included.
    pub spent: Duration,
}

impl ControllerOutput {
    /// The valid trial with the highest load, the one that carried most where there are several: what the device did when most was
    /// offered.
    #[must_use]
    pub fn most_offered(&self) -> Option<&TrialResult> {
        self.trials.iter().max_by(|a, b| {
            let loads = a.trial.load.0.total_cmp(&b.trial.load.0);
            loads.then(a.forwarding_ratio().total_cmp(&b.forwarding_ratio()))
        })
    }
}

/// The result of one goal (section 4.8.4.3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum GoalResult {
    /// Both bounds are known, no further apart than the goal's width.
    Regular(RegularGoalResult),
    /// They are not, and why.
    Irregular(IrregularGoalResult),
}

impl GoalResult {
    /// The conditional throughput, regular or not.
    #[must_use]
    pub fn conditional_throughput(&self) -> Option<ConditionalThroughput> {
        match self {
            Self::Regular(result) => Some(result.conditional_throughput),
            Self::Irregular(result) => result.conditional_throughput,
        }
    }

    /// The regular result, if it is one.
    #[must_use]
    pub fn regular(&self) -> Option<&RegularGoalResult> {
        match self {
            Self::Regular(result) => Some(result),
            Self::Irregular(_) => None,
        }
    }

    /// Why it is irregular, if it is.
    #[must_use]
    pub fn irregularity(&self) -> Option<Irregularity> {
        match self {
            Self::Regular(_) => None,
            Self::Irregular(result) => Some(result.reason),
        }
    }
}

/// A Regular Goal Result (section 4.8.4.1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegularGoalResult {
    /// Relevant Lower Bound (4.8.2): the largest load below the upper bound that meets the goal.
    pub relevant_lower_bound: PacketsPerSecond,
    /// Relevant Upper Bound (4.8.1): the smallest load that fails it.
    pub relevant_upper_bound: PacketsPerSecond,
    /// What is forwarded at the lower bound (4.8.3).
    pub conditional_throughput: ConditionalThroughput,
}

/// An Irregular Goal Result (section 4.8.4.2): what is known all the same. A report must mark its values as irregular.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IrregularGoalResult {
    /// Why it is irregular.
    pub reason: Irregularity,
    /// The largest load that meets the goal, below the upper bound where there is one.
    pub effective_lower_bound: Option<PacketsPerSecond>,
    /// The smallest load that fails the goal.
    pub relevant_upper_bound: Option<PacketsPerSecond>,
    /// What is forwarded at the effective lower bound.
    pub conditional_throughput: Option<ConditionalThroughput>,
}

/// Why a goal has no regular result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Irregularity {
    /// The largest load that could be offered meets the goal: the device may carry more.
    NotOverloaded(OfferLimit),
    /// Between the bounds the sender no longer keeps its rate.
    NotOffered,
    /// Min Load already fails the goal: the device may carry less.
    FailsAtMinLoad,
    /// The sender did not keep even Min Load: nothing is known of the device.
    NothingOffered,
    /// The budget ended before the bounds were close enough.
    BudgetSpent(Budgeted),
}

/// What kept the load from growing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferLimit {
    /// Max Load.
    MaxLoad,
    /// Above, the sender did not keep its rate.
    Sender,
}

/// What a budget is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budgeted {
    /// The number of trials.
    Trials,
    /// Their time.
    Time,
}

impl fmt::Display for Irregularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOverloaded(OfferLimit::MaxLoad) => {
                "the offered load never exceeded what was carried by more than the goal allows: max load meets it"
            }
            Self::NotOverloaded(OfferLimit::Sender) => {
                "the offered load never exceeded what was carried by more than the goal allows: above, the sender did not keep its rate"
            }
            Self::NotOffered => "the sender did not keep its rate at the loads between the bounds",
            Self::FailsAtMinLoad => "min load fails the goal",
            Self::NothingOffered => "the sender did not keep even min load",
            Self::BudgetSpent(Budgeted::Trials) => "the budget of trials was spent before the bounds were close enough",
            Self::BudgetSpent(Budgeted::Time) => "the budget of time was spent before the bounds were close enough",
        })
    }
}
