//! Fairness: which endpoint each flow reached under every way of spreading that a datapath has, held to what that way promises, and what
//! becomes of the flows when an endpoint comes or goes.

mod check;
mod judge;
mod promise;
mod spreading;
mod summary;

pub use check::FairnessFault;
pub(super) use check::check_fairness;
#[cfg(test)]
pub(crate) use judge::tests::record;
pub use judge::{LEVEL_OF_TESTS, Spread};
pub use promise::Promise;
pub use spreading::{CLIENTS, FLOWS_A_CLIENT, Spreading};
pub use summary::{Existing, FairnessSummary, NewFlows, summarise_fairness};

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decisions::decode_reached;
use super::{Cell, Reached, ReachedError};

/// What happens to the service between two looks at its flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointChange {
    /// An endpoint is added behind the others.
    Added,
    /// The last endpoint is taken away.
    Removed,
}

/// The flows of one service before and after a change of its endpoints: a line of `trials.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FairnessRecord {
    /// The cell: M before the change, position first.
    #[serde(flatten)]
    pub cell: Cell,
    /// How its flows are spread.
    pub spreading: Spreading,
    /// What changes.
    pub change: EndpointChange,
    /// Index of the trial within its cell, from 0.
    pub trial: u32,
    /// Flows asked.
    pub flows: u32,
    /// Client addresses that they come from, as many flows each.
    pub clients: u32,
    /// Weight that each endpoint should have: of those before the change and then of the one that is added.
    pub weights: Vec<u32>,
    /// What each flow reached once it was open and answered, in the order of opening, as
    /// [`DecisionRecord::reached`](super::DecisionRecord::reached) writes it.
    pub before: String,
    /// What the same flows reached after the change.
    pub after: String,
    /// What the same addresses and ports reached as new flows, in fresh namespaces after the same change.
    pub anew: String,
}

impl FairnessRecord {
    /// `before`, `after` and `anew`.
    ///
    /// # Errors
    /// A text is damaged, or holds another number of flows.
    pub fn decode(&self) -> Result<[Vec<Reached>; 3], ReachedError> {
        let one = |text: &str| {
            let reached = decode_reached(text, self.flows)?;
            let found = u32::try_from(reached.len()).unwrap_or(u32::MAX);
            let flows = self.flows;
            if found == flows { Ok(reached) } else { Err(ReachedError::Flows { flows, found }) }
        };
        Ok([one(&self.before)?, one(&self.after)?, one(&self.anew)?])
    }
}

impl EndpointChange {
    /// How the endpoint comes or goes, for readers: without the weight of 0 that kube-proxy gives it first.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed at once",
        }
    }
}

impl fmt::Display for EndpointChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Added => "added",
            Self::Removed => "removed",
        })
    }
}
