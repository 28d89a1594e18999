//! A line of `trials.jsonl`, and the place in the plan that it fills.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plan::{Batch, Measure, MeasureKind, Setup, Visit};
use crate::result::{
    Cell, ConnectionRecord, DecisionRecord, FairnessRecord, ProgrammingOp, ProgrammingRecord, RateRecord,
    ReachabilityRecord, ThroughputRecord, TrialKind, TrialRecord, VenueKind,
};

/// One line of `trials.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// Packets timed one by one.
    Trial(TrialRecord),
    /// Cost of programming.
    Programming(ProgrammingRecord),
    /// Packets a second at saturation.
    Throughput(ThroughputRecord),
    /// Which endpoint each flow reached.
    Decisions(DecisionRecord),
    /// Which endpoint flows reached before and after a change.
    Fairness(Box<FairnessRecord>),
    /// Real connections.
    Connections(Box<ConnectionRecord>),
    /// A search for rates.
    Rates(Box<RateRecord>),
    /// What came back from a ClusterIP and a load balancer's address.
    Reachability(ReachabilityRecord),
}

/// The place of a record in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    venue: VenueKind,
    kernel: String,
    setup: Setup,
    kind: MeasureKind,
    op: Option<ProgrammingOp>,
    trial: u32,
}

impl Record {
    /// Where in the plan the record belongs.
    pub fn slot(&self) -> Slot {
        match self {
            Self::Trial(trial) => {
                let Cell { flow, position, .. } = trial.cell;
                let kind = match trial.kind {
                    TrialKind::Traversal => MeasureKind::Traversal { flow, position },
                    TrialKind::Floor => MeasureKind::Floor,
                };
                slot(&trial.cell, kind, trial.trial)
            }
            Self::Throughput(trial) => {
                let Cell { flow, position, .. } = trial.cell;
                let kind = MeasureKind::Saturation { flow, position };
                slot(&trial.cell, kind, trial.trial)
            }
            Self::Decisions(trial) => {
                slot(&trial.cell, MeasureKind::Decisions { position: trial.cell.position }, trial.trial)
            }
            Self::Fairness(trial) => {
                let kind = MeasureKind::Fairness { spreading: trial.spreading, change: trial.change };
                slot(&trial.cell, kind, trial.trial)
            }
            Self::Connections(trial) => {
                let kind = MeasureKind::Connections { load: trial.load, position: trial.cell.position };
                slot(&trial.cell, kind, trial.trial)
            }
            Self::Rates(trial) => {
                let Cell { flow, position, .. } = trial.cell;
                let (method, packet_size, new_share) = (trial.method, trial.packet_size, trial.new_share);
                slot(&trial.cell, MeasureKind::Rates { method, flow, position, packet_size, new_share }, trial.trial)
            }
            Self::Reachability(trial) => {
                slot(&trial.cell, MeasureKind::Reachability { position: trial.cell.position }, trial.trial)
            }
            Self::Programming(cost) => {
                let setup = Setup {
                    backend: cost.backend,
                    // No packet is timed: it is measured once, in the backend's own bracket.
                    bracket: cost.backend.bracket(),
                    layout: cost.layout,
                    protocol: cost.protocol,
                    services: cost.services,
                    endpoints: cost.endpoints,
                };
                let kind = MeasureKind::Programming;
                let (venue, kernel) = (cost.venue, cost.kernel.clone());
                Slot { venue, kernel, setup, kind, op: Some(cost.op), trial: cost.trial }
            }
        }
    }
}

impl Batch {
    /// Every slot that the batch fills, in the order of execution.
    pub fn slots(&self) -> Vec<Slot> {
        self.visits.iter().flat_map(|visit| self.visit_slots(visit)).collect()
    }

    fn visit_slots(&self, visit: &Visit) -> Vec<Slot> {
        let slots = |measure: &Measure| {
            let ops: &[Option<ProgrammingOp>] = match measure.kind {
                MeasureKind::Programming => &[
                    Some(ProgrammingOp::FromNothing),
                    Some(ProgrammingOp::AddService),
                    Some(ProgrammingOp::ChangeEndpoint),
                ],
                _ => &[None],
            };
            let (setup, kind, trial) = (visit.setup, measure.kind, measure.trial);
            let slot = |&op| Slot { venue: self.venue, kernel: self.kernel.clone(), setup, kind, op, trial };
            ops.iter().map(slot).collect::<Vec<_>>()
        };
        visit.measures.iter().flat_map(slots).collect()
    }
}

fn slot(cell: &Cell, kind: MeasureKind, trial: u32) -> Slot {
    Slot { venue: cell.venue, kernel: cell.kernel.clone(), setup: setup_of(cell), kind, op: None, trial }
}

fn setup_of(cell: &Cell) -> Setup {
    Setup {
        backend: cell.backend,
        bracket: cell.bracket,
        layout: cell.layout,
        protocol: cell.protocol,
        services: cell.services,
        endpoints: cell.endpoints,
    }
}
