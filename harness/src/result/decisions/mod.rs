//! Decisions of the datapath: which endpoint each flow reached, and what all flows of a cell make of it.

mod encoding;
mod summary;

pub use encoding::{ReachedError, encode_reached};
pub use summary::{DecisionSummary, summarise};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Cell;
pub(super) use encoding::decode_reached;

/// What became of a flow's first packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reached {
    /// The endpoint of this index of the service that was asked for, in the order of programming.
    Endpoint(u32),
    /// It left the node for the address that it asked for: no service took it.
    Untouched,
    /// It left the node for anything else.
    Elsewhere,
    /// The client was told that there is nothing.
    Rejected,
    /// Nothing was seen of it.
    Lost,
}

/// The decisions of one trial: a line of `trials.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DecisionRecord {
    /// The cell; its flows are new.
    #[serde(flatten)]
    pub cell: Cell,
    /// Index of the trial within its cell, from 0.
    pub trial: u32,
    /// Number of the first flow: it makes client addresses and source ports (`datapath_common::flow::client_of`).
    pub first_flow: u64,
    /// Seed by which flows draw their service (`datapath_common::flow::target_of`).
    pub seed: u64,
    /// Flows asked, one packet each.
    pub flows: u32,
    /// Flows of which the client was told that there is nothing.
    pub rejected: u32,
    /// Flows of which nothing was seen.
    pub lost: u32,
    /// What each flow reached, in the order of flows: LEB128 numbers (0 lost, 1 rejected, 2 elsewhere, 3 untouched, 4 + index of the
    /// endpoint), deflated (zlib), base64.
    pub reached: String,
}

impl DecisionRecord {
    /// What each flow reached, in the order of flows.
    ///
    /// # Errors
    /// The text is damaged, or holds other numbers of flows than the record says.
    pub fn decode(&self) -> Result<Vec<Reached>, ReachedError> {
        let reached = decode_reached(&self.reached, self.flows)?;
        let [rejected, lost] = [Reached::Rejected, Reached::Lost].map(|one| count(&reached, one));
        let found = [u32::try_from(reached.len()).unwrap_or(u32::MAX), rejected, lost];
        let Self { flows, rejected, lost, .. } = *self;
        if found == [flows, rejected, lost] {
            Ok(reached)
        } else {
            Err(ReachedError::Count { flows, rejected, lost, found })
        }
    }
}

/// How often `one` is among `reached`.
#[must_use]
pub fn count(reached: &[Reached], one: Reached) -> u32 {
    u32::try_from(reached.iter().filter(|other| **other == one).count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_flows_than_the_record_says_are_refused() {
        let reached = [Reached::Lost, Reached::Rejected, Reached::Endpoint(1), Reached::Endpoint(0)];
        let record = record(&reached);
        assert_eq!(record.decode().unwrap(), reached);
        for broken in [
            DecisionRecord { flows: 3, ..record.clone() },
            DecisionRecord { lost: 0, ..record.clone() },
            DecisionRecord { rejected: 2, ..record.clone() },
        ] {
            assert!(matches!(broken.decode(), Err(ReachedError::Count { .. })), "{broken:?}");
        }
    }

    /// A record of these decisions.
    pub(super) fn record(reached: &[Reached]) -> DecisionRecord {
        DecisionRecord {
            cell: cell(),
            trial: 0,
            first_flow: 0,
            seed: 0,
            flows: u32::try_from(reached.len()).unwrap(),
            rejected: count(reached, Reached::Rejected),
            lost: count(reached, Reached::Lost),
            reached: encode_reached(reached).unwrap(),
        }
    }

    fn cell() -> Cell {
        use crate::result::{BackendKind, Bracket, Flow, Position, VenueKind};
        use crate::workload::{Protocol, VipLayout};
        Cell {
            venue: VenueKind::Host,
            kernel: "1".into(),
            backend: BackendKind::Nftables,
            bracket: Bracket::Tc,
            layout: VipLayout::Sequential,
            protocol: Protocol::Udp,
            services: 1,
            endpoints: 2,
            flow: Flow::New,
            position: Position::First,
        }
    }
}
