//! Counts the trials of a batch: the packets that the other venues send, through a model.

use std::net::SocketAddrV4;

use hdrhistogram::{CreationError, RecordError};

use super::Model;
use super::datapath::Site;
use super::order::Order;
use crate::result::{Flow, HistogramError};
use crate::run::measure::Place;
use crate::run::plan::{Batch, Measure, MeasureKind, Setup, Visit};
use crate::run::record::Record;
use crate::run::scenario::Scenario;
use crate::traffic::TrafficError;
use crate::workload::WorkloadError;

/// Why a batch cannot be counted.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The services do not fit the address ranges.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The load balancer cannot be programmed with the services.
    #[error(transparent)]
    NoTable(#[from] datapath_sim::NoTable),
    /// The plan asks for packets that no generator would send.
    #[error(transparent)]
    Order(#[from] TrafficError),
    /// A histogram could not be made.
    #[error("cannot make a histogram: {0}")]
    Create(#[from] CreationError),
    /// A packet took more steps than a histogram holds.
    #[error("a histogram refuses {steps} steps: {source}")]
    Record {
        /// Steps of the packet.
        steps: u64,
        /// Why.
        source: RecordError,
    },
    /// A histogram could not be encoded.
    #[error(transparent)]
    Histogram(#[from] HistogramError),
    /// Decisions could not be encoded.
    #[error("cannot encode decisions: {0}")]
    Decisions(#[source] std::io::Error),
    /// The plan asks for what no model has.
    #[error("a model cannot take the measure {0:?}: it counts traversals and decides only")]
    Measure(MeasureKind),
    /// Packets of an established flow were not answered from their service.
    #[error(
        "{backend:?} at N={services}: an answer left from {left} and not from {service}: the model does not bring it back"
    )]
    NotAnswered {
        /// Datapath.
        backend: crate::result::BackendKind,
        /// N.
        services: u32,
        /// Where the answer came from.
        left: SocketAddrV4,
        /// Where it should have come from.
        service: SocketAddrV4,
    },
}

impl Model {
    /// Counts every trial of a batch, in the plan's order.
    ///
    /// # Errors
    /// [`SimError`].
    pub fn count(self, scenario: &Scenario, batch: &Batch) -> Result<Vec<Record>, SimError> {
        let place = self.place();
        let mut records = Vec::new();
        let mut site: Option<(Setup, Site)> = None;
        for visit in &batch.visits {
            // A batch's visits share their workload, whatever backend and bracket.
            let alike = |known: &Setup| known.workload(scenario) == visit.setup.workload(scenario);
            let current = match site.take().filter(|(setup, _)| alike(setup)) {
                Some((_, site)) => site,
                None => Site::of(visit.setup.services(scenario)?),
            };
            records.extend(self.visit(&place, scenario, visit, &current)?);
            site = Some((visit.setup, current));
        }
        Ok(records)
    }

    fn visit(self, place: &Place, scenario: &Scenario, visit: &Visit, site: &Site) -> Result<Vec<Record>, SimError> {
        let setup = visit.setup;
        // A model has no hooks: it counts alike in both brackets.
        let cell = |flow, position| setup.cell(place.venue, &place.kernel, flow, position);
        let mut node = site.node(self, setup.backend, scenario.seed)?;
        let take = |measure: &Measure| match measure.kind {
            MeasureKind::Traversal { flow, position } => {
                let order = Order::new(scenario.seed, &setup, site, measure, (flow, position))?;
                let tally = order.send(&mut *node, &setup)?;
                tally.record(cell(flow, position), place, measure).map(Record::Trial)
            }
            MeasureKind::Decisions { position } => {
                let order = Order::new(scenario.seed, &setup, site, measure, (Flow::New, position))?;
                order.decide(&mut *node, cell(Flow::New, position)).map(Record::Decisions)
            }
            other => Err(SimError::Measure(other)),
        };
        visit.measures.iter().map(take).collect()
    }
}
