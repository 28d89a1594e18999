//! What a reader must know before believing a comparison.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::pairing::Pair;
use super::side::Side;
use super::verdict::Letter;
use crate::result::{Unit, VenueKind, Warning};

/// Something that weakens the verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Caution {
    /// Real time of two runs that were made one after the other.
    SeparateRuns {
        /// Where.
        venue: VenueKind,
    },
    /// Instructions of one seed a side.
    OneSeed {
        /// Seed of A.
        a: u64,
        /// Seed of B.
        b: u64,
    },
    /// Steps of a model, one seed a side.
    Model {
        /// Seed of A.
        a: u64,
        /// Seed of B.
        b: u64,
    },
    /// The machine was too noisy for the times of one side.
    TooNoisy {
        /// The side.
        side: Letter,
        /// Score of its preflight, of 100.
        score: u8,
    },
    /// The probe itself differs: traversal holds its cost.
    Probe,
    /// Made by different versions of lbcurve.
    Version {
        /// Of A.
        a: String,
        /// Of B.
        b: String,
    },
    /// A tool differs that programs the kernel or emulates it.
    Tool {
        /// Its name.
        tool: String,
        /// Version in A, if any.
        a: Option<String>,
        /// Version in B, if any.
        b: Option<String>,
    },
}

impl fmt::Display for Caution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SeparateRuns { venue } => write!(
                f,
                "{}: two runs made one after the other differ by 10-20% with nothing changed, and 22-33% of such comparisons \
                 called that a change; `lbcurve gate --against` interleaves both sides in one run",
                crate::result::name(venue)
            ),
            Self::OneSeed { a, b } => {
                let seeds = if a == b {
                    format!("one seed ({a})")
                } else {
                    format!("seeds {a} and {b}, which alone call about one cell in 100 changed (--floor 3% is beyond that): one seed a side")
                };
                write!(
                    f,
                    "instructions: {seeds}, and its trials say nothing of others, which move a median by about 1%; a change \
                     here means that the ranges of both sides' trials do not meet, not a test; `lbcurve gate --baseline` \
                     holds a change against several seeds"
                )
            }
            Self::Model { a, b } => write!(
                f,
                "steps: counted by a model, not measured (seed {a} in A, {b} in B); a change here means that the ranges of both sides' \
                 trials do not meet, not a test, and nothing of any kernel"
            ),
            Self::TooNoisy { side, score } => {
                write!(f, "the machine was too noisy to conclude from the times of {side} (preflight {score} of 100)")
            }
            Self::Probe => f.write_str(
                "the eBPF probes differ: traversal holds what the probe costs; added is a difference in which it cancels",
            ),
            Self::Version { a, b } => write!(f, "A was made by lbcurve {a}, B by lbcurve {b}"),
            Self::Tool { tool, a, b } => {
                let version = |v: &Option<String>| v.clone().unwrap_or_else(|| "none".to_owned());
                write!(f, "{tool} is {} in A, {} in B", version(a), version(b))
            }
        }
    }
}

/// Every caution that applies to what was compared.
pub(super) fn cautions(a: &Side<'_>, b: &Side<'_>, pairs: &[Pair<'_>]) -> Vec<Caution> {
    let compared = || pairs.iter().filter(|pair| pair.reason.is_none()).filter_map(Pair::entry);
    let mut cautions = Vec::new();
    if compared().any(|entry| entry.scale == Unit::Instructions) {
        cautions.push(Caution::OneSeed { a: a.run.plan.seed, b: b.run.plan.seed });
    }
    if compared().any(|entry| entry.scale == Unit::Steps) {
        cautions.push(Caution::Model { a: a.run.plan.seed, b: b.run.plan.seed });
    }
    let noisy = |letter, side: &Side<'_>| {
        let score = side
            .run
            .warnings
            .iter()
            .find_map(|w| if let Warning::TooNoisy { score, .. } = w { Some(*score) } else { None })?;
        compared().any(|entry| entry.axes.venue == VenueKind::Host).then_some(Caution::TooNoisy { side: letter, score })
    };
    cautions.extend(noisy(Letter::A, a));
    cautions.extend(noisy(Letter::B, b));
    if a.run == b.run {
        return cautions;
    }
    let timed = |venue| compared().any(|entry| !entry.scale.is_counted() && entry.axes.venue == venue);
    let separate = [VenueKind::Host, VenueKind::Vm].into_iter().filter(|venue| timed(*venue));
    cautions.extend(separate.map(|venue| Caution::SeparateRuns { venue }));
    let (one, other) = (&a.run.environment, &b.run.environment);
    if one.ebpf_object_sha256 != other.ebpf_object_sha256 {
        cautions.push(Caution::Probe);
    }
    if one.lbcurve_version != other.lbcurve_version {
        cautions.push(Caution::Version { a: one.lbcurve_version.clone(), b: other.lbcurve_version.clone() });
    }
    let mut tools: Vec<_> = one.tools.keys().chain(other.tools.keys()).collect();
    tools.sort();
    tools.dedup();
    for tool in tools {
        let (a, b) = (one.tools.get(tool).cloned(), other.tools.get(tool).cloned());
        if a != b {
            cautions.push(Caution::Tool { tool: tool.clone(), a, b });
        }
    }
    cautions
}
