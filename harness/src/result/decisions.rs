//! Decisions of the datapath: which endpoint each flow reached, and what all flows of a cell make of it.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use curve_stats::{ChiSquare, chi_square};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Cell;

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

/// Why a record's decisions cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReachedError {
    /// Not base64.
    #[error("decisions of {length} characters are not base64")]
    Base64 {
        /// Characters.
        length: usize,
        /// Where.
        #[source]
        source: base64::DecodeError,
    },
    /// The compressed part is broken.
    #[error("decisions of {length} characters cannot be inflated")]
    Inflate {
        /// Characters.
        length: usize,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A number is cut short or too large.
    #[error("decisions end in the middle of a number, or hold one that is too large")]
    Number,
    /// The numbers are not those that the record counts.
    #[error("a record of {flows} flows, {rejected} rejected, {lost} lost holds {found:?}")]
    Count {
        /// Flows of the record.
        flows: u32,
        /// Rejected flows of the record.
        rejected: u32,
        /// Lost flows of the record.
        lost: u32,
        /// Flows, rejected and lost ones that were found.
        found: [u32; 3],
    },
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

/// The text of [`DecisionRecord::reached`].
///
/// # Errors
/// Never in fact: the bytes go to memory.
pub fn encode_reached(reached: &[Reached]) -> std::io::Result<String> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    for one in reached {
        let mut number: u64 = match *one {
            Reached::Lost => 0,
            Reached::Rejected => 1,
            Reached::Elsewhere => 2,
            Reached::Untouched => 3,
            Reached::Endpoint(index) => u64::from(index) + FIRST_ENDPOINT,
        };
        while number > 0x7f {
            encoder.write_all(&[number as u8 | 0x80])?;
            number >>= 7;
        }
        encoder.write_all(&[number as u8])?;
    }
    Ok(STANDARD.encode(encoder.finish()?))
}

const FIRST_ENDPOINT: u64 = 4;
/// Most bytes of a number: 4 + the largest index takes 33 bits.
const LONGEST: usize = 5;

/// The inverse of [`encode_reached`]; reads no more than `flows` flows need.
fn decode_reached(text: &str, flows: u32) -> Result<Vec<Reached>, ReachedError> {
    let length = text.len();
    let deflated = STANDARD.decode(text).map_err(|source| ReachedError::Base64 { length, source })?;
    let mut bytes = Vec::new();
    // One flow more than there may be, so that too many are seen without inflating without end.
    let limit = (u64::from(flows) + 1) * LONGEST as u64;
    ZlibDecoder::new(deflated.as_slice())
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|source| ReachedError::Inflate { length, source })?;
    let mut rest = bytes.as_slice();
    let mut reached = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().take(LONGEST).position(|byte| byte & 0x80 == 0).ok_or(ReachedError::Number)?;
        let (number, after) = rest.split_at(end + 1);
        let number = number.iter().rev().fold(0_u64, |sum, byte| sum << 7 | u64::from(byte & 0x7f));
        reached.push(match number {
            0 => Reached::Lost,
            1 => Reached::Rejected,
            2 => Reached::Elsewhere,
            3 => Reached::Untouched,
            _ => Reached::Endpoint(u32::try_from(number - FIRST_ENDPOINT).map_err(|_| ReachedError::Number)?),
        });
        rest = after;
    }
    Ok(reached)
}

/// All decisions of a cell: an entry of `run.json`'s `decisions`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DecisionSummary {
    /// The cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// Trials.
    pub trials: u32,
    /// Flows asked.
    pub flows: u64,
    /// Flows that reached the endpoint of each index of their service.
    pub reached: Vec<u64>,
    /// Flows that left for the address that they asked for.
    pub untouched: u64,
    /// Flows that left for anything else.
    pub elsewhere: u64,
    /// Flows that were rejected.
    pub rejected: u64,
    /// Flows of which nothing was seen.
    pub lost: u64,
    /// Test of `reached` against equal shares; absent where there is one endpoint or no flow reached any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equal_shares: Option<ChiSquare>,
}

impl DecisionSummary {
    /// Nothing of a cell yet.
    pub(super) fn empty(cell: Cell) -> Self {
        let reached = vec![0; cell.endpoints as usize];
        Self {
            cell,
            trials: 0,
            flows: 0,
            reached,
            untouched: 0,
            elsewhere: 0,
            rejected: 0,
            lost: 0,
            equal_shares: None,
        }
    }

    fn add(&mut self, reached: &[Reached]) {
        self.trials += 1;
        self.flows += reached.len() as u64;
        for one in reached {
            let place = match *one {
                // An index beyond the cell's endpoints is none of its.
                Reached::Endpoint(index) => self.reached.get_mut(index as usize).unwrap_or(&mut self.elsewhere),
                Reached::Untouched => &mut self.untouched,
                Reached::Elsewhere => &mut self.elsewhere,
                Reached::Rejected => &mut self.rejected,
                Reached::Lost => &mut self.lost,
            };
            *place += 1;
        }
    }

    /// The test of the counts as they stand.
    pub(super) fn test(&self) -> Option<ChiSquare> {
        chi_square(&self.reached, &vec![1.0; self.reached.len()]).ok()
    }
}

/// One entry a cell, in the order of cells.
///
/// # Errors
/// A record's decisions cannot be read.
pub fn summarise(records: &[DecisionRecord]) -> Result<Vec<DecisionSummary>, (Box<Cell>, ReachedError)> {
    let mut cells = BTreeMap::<&Cell, BTreeMap<u32, &DecisionRecord>>::new();
    for record in records {
        cells.entry(&record.cell).or_default().insert(record.trial, record);
    }
    let summary = |(cell, trials): (&Cell, BTreeMap<u32, &DecisionRecord>)| {
        let mut summary = DecisionSummary::empty(cell.clone());
        for record in trials.values() {
            summary.add(&record.decode().map_err(|source| (Box::new(cell.clone()), source))?);
        }
        summary.equal_shares = summary.test();
        Ok(summary)
    };
    cells.into_iter().map(summary).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_reached() -> impl Strategy<Value = Reached> {
        use Reached::{Elsewhere, Endpoint, Lost, Rejected, Untouched};
        prop_oneof![
            (0..5_u32).prop_map(Endpoint),
            any::<u32>().prop_map(Endpoint),
            prop::sample::select(vec![Untouched, Elsewhere, Rejected, Lost]),
        ]
    }

    proptest! {
        #[test]
        fn decisions_come_back(reached in prop::collection::vec(any_reached(), 0..300)) {
            let flows = u32::try_from(reached.len()).unwrap();
            prop_assert_eq!(decode_reached(&encode_reached(&reached).unwrap(), flows).unwrap(), reached);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[A-Za-z0-9+/=]{0,80}", flows in 0..100_u32) {
            prop_assert!(decode_reached(&text, flows).map_or(true, |reached| reached.len() <= (flows as usize + 1) * LONGEST));
        }
    }

    #[test]
    fn a_rotation_takes_little_room() {
        let reached: Vec<_> = (0..10_000).map(|flow| Reached::Endpoint(flow % 3)).collect();
        assert!(encode_reached(&reached).unwrap().len() < 100);
    }

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

    fn record(reached: &[Reached]) -> DecisionRecord {
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

    #[test]
    fn trials_of_a_cell_add_up() {
        let first = record(&[Reached::Endpoint(0), Reached::Endpoint(1), Reached::Elsewhere, Reached::Lost]);
        let second =
            DecisionRecord { trial: 1, ..record(&[Reached::Endpoint(1), Reached::Rejected, Reached::Untouched]) };
        let summaries = summarise(&[second, first.clone(), first]).unwrap();
        let [summary] = &summaries[..] else { panic!("{summaries:?}") };
        assert_eq!((summary.trials, summary.flows, &summary.reached[..]), (2, 7, &[1, 2][..]));
        assert_eq!((summary.untouched, summary.elsewhere, summary.rejected, summary.lost), (1, 1, 1, 1));
        // (1 - 1.5)^2 / 1.5 twice.
        assert!((summary.equal_shares.unwrap().statistic - 1.0 / 3.0).abs() < 1e-12);
    }
}
