//! All decisions of a cell.

use std::collections::BTreeMap;

use curve_stats::{ChiSquare, chi_square};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DecisionRecord, Reached, ReachedError};
use crate::result::Cell;

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
    pub(in crate::result) fn empty(cell: Cell) -> Self {
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
    pub(in crate::result) fn test(&self) -> Option<ChiSquare> {
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
    use super::super::tests::record;
    use super::*;

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
