//! What a gate can conclude, and the exit code of each conclusion.

use std::fmt;

use serde::Serialize;

/// What a gate concluded of a statistic, of a cell, or of everything together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateVerdict {
    /// No change that counts.
    Pass,
    /// Slower, by the gate's every criterion.
    Regression,
    /// Faster, by the gate's every criterion.
    Improvement,
    /// Something moved, but the data do not show that it is a change.
    Inconclusive,
    /// Here and now nothing can be concluded.
    InvalidEnvironment,
}

impl GateVerdict {
    /// The exit code of a command that ends with this verdict: documented in README.md, told apart by scripts.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Regression => 20,
            Self::Improvement => 21,
            Self::Inconclusive => 22,
            Self::InvalidEnvironment => 23,
        }
    }

    /// What outweighs what: one invalid part spoils the whole, a regression anywhere is one, and "nothing worse" can only be said
    /// where nothing is inconclusive.
    fn weight(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Improvement => 1,
            Self::Inconclusive => 2,
            Self::Regression => 3,
            Self::InvalidEnvironment => 4,
        }
    }
}

/// The verdict over several: the one that outweighs the others; of none, nothing can be concluded.
pub fn overall(verdicts: impl IntoIterator<Item = GateVerdict>) -> GateVerdict {
    verdicts.into_iter().max_by_key(|verdict| verdict.weight()).unwrap_or(GateVerdict::InvalidEnvironment)
}

impl fmt::Display for GateVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Regression => "regression",
            Self::Improvement => "improvement",
            Self::Inconclusive => "inconclusive",
            Self::InvalidEnvironment => "invalid-environment",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::GateVerdict::{Improvement, Inconclusive, InvalidEnvironment, Pass, Regression};
    use super::*;

    #[test]
    fn one_regression_outweighs_everything_that_is_valid() {
        assert_eq!(overall([Pass, Improvement, Regression, Inconclusive]), Regression);
        assert_eq!(overall([Pass, Improvement, Inconclusive]), Inconclusive);
        assert_eq!(overall([Pass, Improvement]), Improvement);
        assert_eq!(overall([Regression, InvalidEnvironment]), InvalidEnvironment);
        assert_eq!(overall([]), InvalidEnvironment);
    }

    #[test]
    fn every_verdict_has_an_exit_code_of_its_own() {
        let codes = [Pass, Regression, Improvement, Inconclusive, InvalidEnvironment].map(GateVerdict::exit_code);
        assert_eq!(codes, [0, 20, 21, 22, 23]);
    }
}
