//! What a reader must know to weigh a fit.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What weakens or explains a fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FitNote {
    /// Only one N: there is no slope.
    OneSize,
    /// Only two distinct N: a line always fits them, so no class is given.
    TwoSizes,
    /// Every candidate misses the cells by more than the replicate error and by more than 10%.
    NoClassFits,
    /// The curve falls: no class of growth describes it.
    Falls,
    /// The class misses cells by more than the replicate error, but by no more than 10%.
    Misfit,
    /// The curve grows or moves by more than the replicate error, but grows by less than 10%: counted as constant.
    SmallGrowth,
    /// Growth of 10% is neither shown nor excluded.
    GrowthUndecided,
    /// Too few trials for an interval.
    NoInterval,
    /// Every trial lies on the line: the interval is the slope itself.
    Exact,
    /// The trials of every N are identical: each N counts once.
    IdenticalTrials,
    /// No N has two trials and no noise floor is known: residuals are all that tells noise from shape.
    NoReplicates,
    /// The fitted value at the smallest N is not positive: growth is no ratio.
    NonPositiveStart,
}

impl fmt::Display for FitNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OneSize => "measured at one N only: no slope",
            Self::TwoSizes => "measured at two N only: any two points lie on a line, so no class is given",
            Self::NoClassFits => {
                "no class fits: the best misses a point by more than its trials scatter and by more than 10%"
            }
            Self::Falls => "falls as N grows: no class of growth",
            Self::Misfit => "points miss the class by more than their trials scatter, but by no more than 10%",
            Self::SmallGrowth => "not flat, but grows by less than 10%",
            Self::GrowthUndecided => "too noisy to show or exclude growth of 10%",
            Self::NoInterval => "too few trials for an interval",
            Self::Exact => "every trial lies on the line: the interval is the slope itself",
            Self::IdenticalTrials => "trials of one N are identical: each N counts once",
            Self::NoReplicates => "one trial a point: noise is judged from the residuals",
            Self::NonPositiveStart => "value at the smallest N not positive: growth is judged against its magnitude",
        })
    }
}
