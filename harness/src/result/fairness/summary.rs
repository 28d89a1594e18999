//! What a record says: the spread against its promise, and what became of flows when the endpoints changed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::judge::least_to_move;
use super::promise::Shares;
use super::{EndpointChange, FairnessRecord, Spread, Spreading};
use crate::result::{Cell, Reached, ReachedError};

/// Fairness of a cell: an entry of `run.json`'s `fairness`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FairnessSummary {
    /// The cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// How its flows are spread.
    pub spreading: Spreading,
    /// What changes.
    pub change: EndpointChange,
    /// Index of the trial within its cell.
    pub trial: u32,
    /// Flows asked.
    pub flows: u32,
    /// Client addresses that they come from.
    pub clients: u32,
    /// Weight that each endpoint should have, the added one last.
    pub weights: Vec<u32>,
    /// How flows were spread before the change.
    pub spread: Spread,
    /// What became of them.
    pub existing: Existing,
    /// What flows of the same addresses and ports choose after the change.
    pub new: NewFlows,
}

/// Connections that were open before a change, by where their next packet went after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Existing {
    /// To the endpoint that they had, which is still there.
    pub kept: u64,
    /// To the endpoint that they had, which is gone: whether anybody answers is the pod's business.
    pub to_gone: u64,
    /// To another endpoint, which does not know them.
    pub moved: u64,
    /// Nowhere: rejected, lost, or past the service.
    pub broken: u64,
}

/// Choices of new flows, before the change and after it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NewFlows {
    /// Flows that reached an endpoint both times.
    pub compared: u64,
    /// Of these, flows that reached another one.
    pub other: u64,
    /// The least share that can choose otherwise where the shares follow the weights before and after: what an added endpoint gets, or
    /// the removed one had.
    pub least_share: f64,
}

impl Existing {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.kept + self.to_gone + self.moved + self.broken
    }

    fn of(record: &FairnessRecord, before: &[Reached], after: &[Reached]) -> Self {
        let gone = (record.change == EndpointChange::Removed).then(|| record.cell.endpoints.saturating_sub(1));
        let mut found = Self::default();
        for (before, after) in before.iter().zip(after) {
            let Reached::Endpoint(had) = *before else { continue };
            let place = match *after {
                Reached::Endpoint(has) if has == had && Some(has) == gone => &mut found.to_gone,
                Reached::Endpoint(has) if has == had => &mut found.kept,
                Reached::Endpoint(_) => &mut found.moved,
                Reached::Untouched | Reached::Elsewhere | Reached::Rejected | Reached::Lost => &mut found.broken,
            };
            *place += 1;
        }
        found
    }
}

impl NewFlows {
    /// Share of the flows that chose otherwise; `None` without any.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.compared > 0).then(|| self.other as f64 / self.compared as f64)
    }

    fn of(record: &FairnessRecord, before: &[Reached], anew: &[Reached]) -> Self {
        let endpoints = |pair: &(&Reached, &Reached)| matches!(pair, (Reached::Endpoint(_), Reached::Endpoint(_)));
        let compared = || before.iter().zip(anew).filter(endpoints);
        Self {
            compared: compared().count() as u64,
            other: compared().filter(|(before, anew)| before != anew).count() as u64,
            least_share: least_to_move(&record.weights, record.cell.endpoints, record.change),
        }
    }
}

impl FairnessSummary {
    /// Why the shares of the flows are not tested; `None` where they are.
    #[must_use]
    pub fn why_untested(&self) -> Option<&'static str> {
        match (self.spread.shares, Shares::of(self.spreading, self.cell.protocol)) {
            (Some(_), _) => None,
            (None, Shares::Other(promised)) => Some(promised),
            (None, _) if self.spread.reached.iter().all(|flows| *flows == 0) => Some("no flow reached an endpoint"),
            // In a file of an earlier version, which tested draws alone.
            (None, _) => Some("not tested"),
        }
    }

    fn of(record: &FairnessRecord) -> Result<Self, ReachedError> {
        let [before, after, anew] = record.decode()?;
        let FairnessRecord { cell, spreading, change, trial, flows, clients, weights, .. } = record;
        Ok(Self {
            cell: cell.clone(),
            spreading: *spreading,
            change: *change,
            trial: *trial,
            flows: *flows,
            clients: *clients,
            weights: weights.clone(),
            spread: Spread::of(record, &before),
            existing: Existing::of(record, &before, &after),
            new: NewFlows::of(record, &before, &anew),
        })
    }
}

/// One entry a record, in the order of cells, ways and changes.
///
/// # Errors
/// What a record's flows reached cannot be read.
pub fn summarise_fairness(records: &[FairnessRecord]) -> Result<Vec<FairnessSummary>, (Box<Cell>, ReachedError)> {
    let key = |record: &FairnessRecord| (record.cell.clone(), record.spreading, record.change, record.trial);
    // Of one that was recorded twice the last counts.
    let by_key: BTreeMap<_, _> = records.iter().map(|record| (key(record), record)).collect();
    let summary =
        |record: &FairnessRecord| FairnessSummary::of(record).map_err(|source| (Box::new(record.cell.clone()), source));
    by_key.into_values().map(summary).collect()
}

#[cfg(test)]
mod tests {
    use super::super::judge::tests::record;
    use super::*;
    use crate::result::encode_reached;

    #[test]
    fn what_becomes_of_flows_when_the_last_endpoint_goes() {
        use Reached::{Endpoint, Lost, Rejected};
        let before = [Endpoint(0), Endpoint(1), Endpoint(2), Endpoint(2), Endpoint(2), Lost];
        let after = [Endpoint(0), Endpoint(0), Endpoint(2), Rejected, Endpoint(1), Endpoint(0)];
        let anew = [Endpoint(0), Endpoint(0), Endpoint(1), Endpoint(1), Endpoint(0), Endpoint(0)];
        let mut record = record(Spreading::Random, 3, &before);
        (record.after, record.anew) = (encode_reached(&after).unwrap(), encode_reached(&anew).unwrap());
        record.change = EndpointChange::Removed;
        let summary = &summarise_fairness(&[record.clone(), record]).unwrap()[..];
        let [summary] = summary else { panic!("{summary:?}") };
        assert_eq!(summary.existing, Existing { kept: 1, to_gone: 1, moved: 2, broken: 1 });
        assert_eq!((summary.new.compared, summary.new.other), (5, 4));
        assert!((summary.new.least_share - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!((&summary.spread.reached[..], summary.spread.nowhere), (&[1, 1, 3][..], 1));
    }

    #[test]
    fn why_shares_are_not_tested_is_said_in_words() {
        use crate::workload::Protocol;
        let why = |spreading, protocol, reached| {
            let mut record = record(spreading, 2, &[reached; 4]);
            record.cell.protocol = protocol;
            summarise_fairness(&[record]).unwrap()[0].why_untested()
        };
        let (first, tcp, udp) = (Reached::Endpoint(0), Protocol::Tcp, Protocol::Udp);
        assert_eq!(why(Spreading::Rr, tcp, first), None);
        assert_eq!(why(Spreading::Rr, tcp, Reached::Lost), Some("no flow reached an endpoint"));
        assert_eq!(why(Spreading::Dh, tcp, first), Some("one endpoint promised"));
        assert_eq!(why(Spreading::Lblcr, udp, first), Some("one endpoint promised"));
        assert_eq!(why(Spreading::Fo, tcp, first), Some("one endpoint promised, the heaviest"));
        assert_eq!(why(Spreading::Ovf, tcp, first), Some("the heaviest endpoint with room promised"));
        // Only TCP's connections are active, which is all that these two count.
        assert_eq!((why(Spreading::Sed, tcp, first), why(Spreading::Nq, tcp, first)), (None, None));
        let inactive = [Spreading::Sed, Spreading::Nq].map(|spreading| why(spreading, udp, first).unwrap());
        assert!(inactive.iter().all(|why| why.ends_with("as no UDP flow is active")), "{inactive:?}");
        assert_eq!((why(Spreading::Lc, udp, first), why(Spreading::Wlc, udp, first)), (None, None));
    }

    #[test]
    fn an_added_endpoint_takes_its_weight_of_all() {
        let mut record = record(Spreading::Wrr, 2, &[Reached::Endpoint(0); 4]);
        record.weights = vec![1, 2, 3];
        record.change = EndpointChange::Added;
        assert_eq!(summarise_fairness(&[record]).unwrap()[0].new.least_share, 0.5);
    }
}
