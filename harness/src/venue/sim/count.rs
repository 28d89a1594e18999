//! Counts the trials of a batch: the packets that the other venues send, through a model.

use std::net::{Ipv4Addr, SocketAddrV4};

use datapath_common::flow::{client_of, target_of};
use datapath_common::histogram::{MAX_VALUE, SIGNIFICANT_DIGITS};
use datapath_sim::{Datapath, Decision, Packet};
use hdrhistogram::Histogram;

use super::Model;
use super::datapath::{Site, protocol};
use crate::result::{
    Cell, DecisionRecord, Flow, HistogramError, Position, Quantiles, TrialKind, TrialRecord, encode_histogram,
};
use crate::run::decide;
use crate::run::measure::{Place, targets};
use crate::run::plan::{Batch, Measure, MeasureKind, Setup, Visit};
use crate::run::record::Record;
use crate::run::scenario::Scenario;
use crate::traffic::{ESTABLISHED_FLOWS, Fate, TrafficOrder};
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
    /// A histogram could not be made.
    #[error("a histogram refuses {steps} steps: {source}")]
    Record {
        /// Steps of a packet; 0 where the histogram itself was refused.
        steps: u64,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
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
                let order = Order::new(scenario, &setup, site, measure, (flow, position));
                let tally = order.send(&mut *node, &setup)?;
                tally.record(cell(flow, position), place, measure).map(Record::Trial)
            }
            MeasureKind::Decisions { position } => {
                let order = Order::new(scenario, &setup, site, measure, (Flow::New, position));
                order.decide(&mut *node, cell(Flow::New, position)).map(Record::Decisions)
            }
            other => Err(SimError::Measure(other)),
        };
        visit.measures.iter().map(take).collect()
    }
}

/// Packets of one trial: those that the generator writes (`datapath-ebpf`, `generator.rs`).
struct Order<'a> {
    site: &'a Site,
    measure: &'a Measure,
    flow: Flow,
    targets: Vec<SocketAddrV4>,
    seed: u64,
    protocol: datapath_sim::Protocol,
    workload_protocol: crate::workload::Protocol,
    first_client: u32,
}

impl<'a> Order<'a> {
    fn new(
        scenario: &Scenario,
        setup: &Setup,
        site: &'a Site,
        measure: &'a Measure,
        (flow, position): (Flow, Position),
    ) -> Self {
        let workload = &site.workload;
        Self {
            site,
            measure,
            flow,
            targets: targets(workload, setup.protocol, position),
            seed: scenario.seed ^ measure.first_flow,
            protocol: protocol(setup.protocol),
            workload_protocol: setup.protocol,
            first_client: u32::from(workload.addresses.client_range.network()) + 1,
        }
    }

    fn packet(&self, flow: u64) -> Option<Packet> {
        let (client, port) = client_of(flow, self.first_client);
        let count = u32::try_from(self.targets.len()).unwrap_or(u32::MAX);
        let destination = *self.targets.get(target_of(flow, self.seed, count) as usize)?;
        let source = SocketAddrV4::new(Ipv4Addr::from(client), port);
        Some(Packet { source, destination, protocol: self.protocol })
    }

    fn send(&self, node: &mut dyn Datapath, setup: &Setup) -> Result<Tally, SimError> {
        let packets = u64::from(self.measure.packets);
        let flows = match self.flow {
            Flow::New => packets,
            Flow::Established => packets.min(u64::from(ESTABLISHED_FLOWS)),
        };
        let numbers = || (0..packets).map(|at| self.measure.first_flow + at % flows.max(1));
        if self.flow == Flow::Established {
            for packet in
                numbers().take(usize::try_from(flows).unwrap_or(usize::MAX)).filter_map(|flow| self.packet(flow))
            {
                open(node, &packet, setup)?;
            }
        }
        let mut tally = Tally::new(packets)?;
        for packet in numbers().filter_map(|flow| self.packet(flow)) {
            tally.add(node, &packet, self.site)?;
        }
        Ok(tally)
    }
}

impl Order<'_> {
    /// Where each flow of the order goes, judged as in the other venues.
    fn decide(&self, node: &mut dyn Datapath, cell: Cell) -> Result<DecisionRecord, SimError> {
        let flows = || (0..u64::from(self.measure.packets)).map(|at| self.measure.first_flow + at);
        let fate = |flow| {
            let outcome = node.process(&self.packet(flow)?);
            Some(match outcome.decision {
                Decision::Reject => Fate::Rejected,
                Decision::Drop => Fate::Lost,
                Decision::Endpoint(_) | Decision::Route => Fate::Left(outcome.packet.destination),
            })
        };
        let fates: Vec<_> = flows().filter_map(fate).collect();
        let workload = &self.site.workload;
        let order = TrafficOrder {
            flow: Flow::New,
            protocol: self.workload_protocol,
            targets: self.targets.clone(),
            packets: self.measure.packets,
            first_flow: self.measure.first_flow,
            seed: self.seed,
            clients: workload.addresses.client_range,
        };
        let reached = decide::reached(workload, &order, &fates);
        decide::record(cell, self.measure.trial, &order, &reached).map_err(SimError::Decisions)
    }
}

/// Sends a flow's first packet and has it answered: its datapath has then seen both directions.
fn open(node: &mut dyn Datapath, packet: &Packet, setup: &Setup) -> Result<(), SimError> {
    let there = node.process(packet);
    let back = node.reply(&there.packet.reversed());
    if back.packet == packet.reversed() {
        return Ok(());
    }
    let (left, service) = (back.packet.source, packet.destination);
    Err(SimError::NotAnswered { backend: setup.backend, services: setup.services, left, service })
}

/// What a trial counted.
struct Tally {
    histogram: Histogram<u64>,
    min: u64,
    sent: u64,
    misdirected: u64,
}

impl Tally {
    fn new(sent: u64) -> Result<Self, SimError> {
        let histogram = Histogram::new_with_bounds(1, MAX_VALUE, SIGNIFICANT_DIGITS)
            .map_err(|source| SimError::Record { steps: 0, source: Box::new(source) })?;
        Ok(Self { histogram, min: u64::MAX, sent, misdirected: 0 })
    }

    /// A packet that is answered with an error or dropped is lost, one that leaves for no pod is misdirected.
    fn add(&mut self, node: &mut dyn Datapath, packet: &Packet, site: &Site) -> Result<(), SimError> {
        let outcome = node.process(packet);
        if matches!(outcome.decision, Decision::Reject | Decision::Drop) {
            return Ok(());
        }
        if !site.workload.addresses.cluster_cidr.contains(outcome.packet.destination.ip()) {
            self.misdirected += 1;
            return Ok(());
        }
        let steps = outcome.steps.total();
        self.min = self.min.min(steps);
        self.histogram.record(steps).map_err(|source| SimError::Record { steps, source: Box::new(source) })
    }

    fn record(self, cell: Cell, place: &Place, measure: &Measure) -> Result<TrialRecord, SimError> {
        let packets = self.histogram.len();
        let at = |quantile| self.histogram.value_at_quantile(quantile);
        let min = if packets == 0 { 0 } else { self.min };
        Ok(TrialRecord {
            cell,
            kind: TrialKind::Traversal,
            trial: measure.trial,
            unit: place.unit,
            packets,
            mismatched: 0,
            lost: self.sent - packets - self.misdirected,
            misdirected: self.misdirected,
            quantiles: Quantiles { min, p10: at(0.1), p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999) },
            histogram: encode_histogram(&self.histogram)?,
        })
    }
}
