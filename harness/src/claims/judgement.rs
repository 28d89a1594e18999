//! What a claim came out as, and the figures behind it.

use std::fmt;

use serde::Serialize;

use super::catalogue::{Claim, Published};
use crate::report::number::{Medium, count, significant};
use crate::result::{Unit, VenueKind, name};

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Verdict {
    /// What was measured is what it says.
    Holds,
    /// It is, for so many services.
    HoldsUpTo {
        /// The largest N that was measured and at which it holds.
        services: u32,
    },
    /// What was measured is something else.
    DoesNotHold,
    /// The run has no data to judge it by, or its trials are too noisy to tell.
    NotMeasured {
        /// What is missing and how it can be had, or what the trials cannot tell.
        reason: String,
    },
}

/// Venue and kernel that a judgement is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Scope {
    /// Where.
    pub venue: VenueKind,
    /// Kernel release.
    pub kernel: String,
    /// Unit of its durations.
    pub unit: Unit,
}

/// One figure behind a verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What it is, e.g. `slope`.
    pub what: String,
    /// The value; none where only the note says something (a class, a crossover that is not in range).
    pub value: Option<f64>,
    /// Interval or range of the value.
    pub interval: Option<[f64; 2]>,
    /// Unit of the value, e.g. `ns per service`.
    pub unit: String,
    /// What the value does not say: the class, why there is none.
    pub note: Option<String>,
    /// The cells behind it.
    pub cells: String,
}

/// A claim, where it was judged, and how.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// The claim.
    pub claim: &'static Claim,
    /// Venue and kernel; none where no venue of the run can tell.
    pub scope: Option<Scope>,
    /// How it came out.
    pub verdict: Verdict,
    /// Why, in a sentence or two, with what limits the verdict.
    pub reason: String,
    /// The run's own figures.
    pub figures: Vec<Figure>,
    /// What others published: beside ours, never among them.
    pub published: Vec<&'static Published>,
}

impl Judgement {
    pub(super) fn new(
        claim: &'static Claim,
        scope: Option<Scope>,
        verdict: Verdict,
        reason: impl Into<String>,
    ) -> Self {
        Self { claim, scope, verdict, reason: reason.into(), figures: Vec::new(), published: claim.published() }
    }
}

impl Verdict {
    /// It was measured, but what was measured decides nothing: noise is no verdict.
    pub(super) fn cannot_tell(why: &str) -> Self {
        Self::NotMeasured { reason: format!("the trials cannot tell: {why}") }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds => f.pad("holds"),
            Self::HoldsUpTo { services } => {
                f.pad(&format!("holds up to N = {}", count(u64::from(*services), Medium::Terminal)))
            }
            Self::DoesNotHold => f.pad("does not hold"),
            Self::NotMeasured { reason } => write!(f, "not measured: {reason}"),
        }
    }
}

impl fmt::Display for Scope {
    /// E.g. `vm 6.1.0-50-amd64, instructions`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, {}", name(&self.venue), self.kernel, self.unit)
    }
}

impl fmt::Display for Figure {
    /// E.g. `slope 26.03 [25.98, 26.08] instructions per service, linear`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: f64| significant(value, 4, Medium::Terminal);
        f.write_str(&self.what)?;
        if let Some(value) = self.value {
            write!(f, " {}", show(value))?;
            if let Some([low, high]) = self.interval {
                write!(f, " [{}, {}]", show(low), show(high))?;
            }
            if !self.unit.is_empty() {
                write!(f, " {}", self.unit)?;
            }
        }
        match (&self.note, self.value) {
            (Some(note), Some(_)) => write!(f, ", {note}"),
            (Some(note), None) => write!(f, ": {note}"),
            (None, _) => Ok(()),
        }
    }
}
