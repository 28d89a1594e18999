//! What can be wrong with a search's input, with a trial's outcome, and with a search on its way.

use std::fmt;
use std::time::Duration;

use super::{PacketsPerSecond, SearchGoal, Trial};

/// An attribute of a goal that has no use at an end of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoalAttribute {
    /// Goal Loss Ratio.
    LossRatio,
    /// Goal Exceed Ratio.
    ExceedRatio,
    /// Goal Initial Trial Duration.
    InitialTrialDuration,
    /// Goal Final Trial Duration.
    FinalTrialDuration,
    /// Goal Duration Sum.
    DurationSum,
}

impl fmt::Display for GoalAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LossRatio => "goal loss ratio",
            Self::ExceedRatio => "goal exceed ratio",
            Self::InitialTrialDuration => "goal initial trial duration",
            Self::FinalTrialDuration => "goal final trial duration",
            Self::DurationSum => "goal duration sum",
        })
    }
}

/// An input that no search can be made of.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum InputError {
    /// There is nothing to search for.
    #[error("no search goal")]
    NoGoals,
    /// A rate that is none.
    #[error("{value} is not a rate of packets (a finite number, 0 or more)")]
    NotARate {
        /// What was given.
        value: f64,
    },
    /// A share that is none.
    #[error("{value} is not a ratio (0 to 1)")]
    NotARatio {
        /// What was given.
        value: f64,
    },
    /// A width that no two loads can have.
    #[error("{value} is not a goal width (a share of a load, above 0 and below 1)")]
    NotAWidth {
        /// What was given.
        value: f64,
    },
    /// A goal that every load meets, because it lets everything be lost or every trial exceed.
    #[error("a {attribute} of 1 is met by every load: {goal:?}")]
    MetByAll {
        /// What is 1.
        attribute: GoalAttribute,
        /// The goal.
        goal: SearchGoal,
    },
    /// A duration that must be longer than nothing.
    #[error("a {attribute} of zero: {goal:?}")]
    NoDuration {
        /// What is zero.
        attribute: GoalAttribute,
        /// The goal.
        goal: SearchGoal,
    },
    /// Trials cannot become shorter on the way to the final ones.
    #[error("the initial trial duration, {initial:?}, is longer than the final one, {last:?}")]
    InitialAboveFinal {
        /// Goal Initial Trial Duration.
        initial: Duration,
        /// Goal Final Trial Duration.
        last: Duration,
    },
    /// There is no load between the limits.
    #[error("the smallest load, {min}, is not below the largest, {max}")]
    Limits {
        /// Min Load.
        min: PacketsPerSecond,
        /// Max Load.
        max: PacketsPerSecond,
    },
    /// The loss ratio of the shortest trial at the smallest load would be undefined.
    #[error("{min} for {shortest:?} is less than one packet")]
    NoPacket {
        /// Min Load.
        min: PacketsPerSecond,
        /// The shortest initial trial duration of the goals.
        shortest: Duration,
    },
    /// There are more loads between the limits than can be told apart.
    #[error("a goal width of {width} is too fine for loads from {min} to {max}")]
    TooFine {
        /// The narrowest goal width.
        width: f64,
        /// Min Load.
        min: PacketsPerSecond,
        /// Max Load.
        max: PacketsPerSecond,
    },
    /// A maximum receive rate of no bursts.
    #[error("no bursts to take a maximum receive rate from")]
    NoBursts,
}

/// Counts that no trial can have: the measurer is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutcomeError {
    /// No loss ratio can be told.
    #[error("no packet was offered")]
    NothingOffered,
    /// Packets that were never offered, or counted twice.
    #[error("{forwarded} packets forwarded of {offered} offered")]
    MoreThanOffered {
        /// Packets that were sent.
        offered: u64,
        /// Packets that came out.
        forwarded: u64,
    },
}

/// Why a search or a maximum receive rate came to no output. (A goal that cannot be met is no error: see
/// [`GoalResult::Irregular`](super::GoalResult::Irregular).)
#[derive(Debug, thiserror::Error)]
pub enum SearchError<E: std::error::Error + 'static> {
    /// The input.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The measurer failed.
    #[error("the {trial} failed")]
    Measurer {
        /// The trial.
        trial: Trial,
        /// What the measurer says.
        #[source]
        source: E,
    },
    /// In no burst did the sender keep its rate.
    #[error("the sender did not keep its rate in any of {bursts} bursts: {trial}")]
    NoValidBurst {
        /// Bursts that were tried.
        bursts: u32,
        /// What each of them was to be.
        trial: Trial,
    },
}
