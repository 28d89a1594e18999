//! A programmed topology, and one measure after the other on it.

use std::net::SocketAddrV4;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aya::programs::ProgramFd;
use datapath_common::traffic::MAX_TARGETS;

use super::programming::{FromNothing, named, program};
use super::rates::Sought;
use super::{Emit, MeasureError, Place};
use crate::backend::{Backend, backend};
use crate::net::Topology;
use crate::probe::{Destinations, Instrument};
use crate::result::{Flow, Position, ThroughputRecord, TrialKind};
use crate::run::decide;
use crate::run::plan::{Measure, MeasureKind, Setup};
use crate::run::record::Record;
use crate::run::scenario::{MOST_PACKETS, Scenario};
use crate::traffic::{Limit, TrafficOrder};
use crate::workload::{Protocol, Service, Workload, popularity};

/// A programmed topology.
pub(super) struct Site<'a> {
    pub(super) place: &'a Place,
    pub(super) scenario: &'a Scenario,
    pub(super) setup: Setup,
    pub(super) workload: Workload,
    pub(super) topology: Topology,
    pub(super) datapath: Box<dyn Backend>,
    /// Whether the services of a cluster have been asked.
    pub(super) warm: bool,
    /// Interrupts a search, which lasts long.
    pub(super) cancel: Option<&'a AtomicBool>,
}

impl<'a> Site<'a> {
    /// Programs a workload in fresh namespaces, and where `weigh` says so tells what memory the kernel took for it.
    pub(super) fn program(
        place: &'a Place,
        scenario: &'a Scenario,
        setup: Setup,
        workload: Workload,
        weigh: bool,
    ) -> Result<(Self, FromNothing), MeasureError> {
        let topology = Topology::create(&workload.addresses)?;
        let datapath = backend(setup.backend);
        let from_nothing = program(&*datapath, &topology, &workload, &setup, weigh)?;
        let site = Self { place, scenario, setup, workload, topology, datapath, warm: false, cancel: None };
        Ok((site, from_nothing))
    }
}

impl Site<'_> {
    /// The instrument, with room for the largest order of decisions, and then a route for what no service takes.
    pub(super) fn attach(&self, measures: &[Measure]) -> Result<Instrument, MeasureError> {
        let decides = |kind: MeasureKind| matches!(kind, MeasureKind::Decisions { .. } | MeasureKind::Fairness { .. });
        let deciding = measures.iter().filter(|measure| decides(measure.kind));
        let most = deciding.map(|measure| measure.packets).max().unwrap_or(0);
        if most > 0 {
            self.topology.route_services(&self.workload.addresses)?;
        }
        let (bracket, balancer) = (self.setup.bracket, self.hand_over_xdp()?);
        Ok(Instrument::attach_for_decisions(&self.topology, self.destinations(), bracket, balancer, most)?)
    }

    pub(super) fn take(
        &mut self,
        instrument: &mut Instrument,
        measure: &Measure,
        from_nothing: &FromNothing,
        emit: &mut Emit<'_>,
    ) -> Result<(), MeasureError> {
        match measure.kind {
            MeasureKind::Traversal { flow, position } => {
                self.warm_up(instrument, measure, flow, position)?;
                let sample = instrument.latency(&self.order(measure, flow, position))?;
                emit(self.trial(measure, TrialKind::Traversal, flow, position, &sample)?)
            }
            MeasureKind::Floor => {
                let sample = instrument.floor(measure.packets)?;
                emit(self.trial(measure, TrialKind::Floor, Flow::New, Position::Missing, &sample)?)
            }
            MeasureKind::Saturation { flow, position } => {
                let order = self.order(measure, flow, position);
                let found = instrument
                    .saturate(&order, Limit { forwarded: u64::from(measure.packets), duration: SATURATION })?;
                emit(Record::Throughput(ThroughputRecord {
                    cell: self.cell(flow, position),
                    trial: measure.trial,
                    offered_pps: found.offered_pps,
                    forwarded_pps: found.forwarded_pps,
                    forwarded: found.forwarded,
                    offered: found.offered,
                    misdirected: found.misdirected,
                }))
            }
            MeasureKind::Decisions { position } => {
                let order = self.order(measure, Flow::New, position);
                let reached = decide::reached(&self.workload, &order, &instrument.decide(&order)?);
                let record = decide::record(self.cell(Flow::New, position), measure.trial, &order, &reached);
                emit(Record::Decisions(record.map_err(|error| MeasureError::Emit(error.into()))?))
            }
            MeasureKind::Rates { method, flow, position, packet_size, new_share } => {
                let sought = Sought { method, packet_size, new_share };
                emit(self.search(instrument, measure, sought, (flow, position))?)
            }
            MeasureKind::Connections { .. } | MeasureKind::Reachability { .. } => Err(MeasureError::ProbeInTheWay),
            MeasureKind::Fairness { .. } => Err(MeasureError::NamespacesOfItsOwn),
            MeasureKind::Programming => self.program_changes(measure, from_nothing, emit),
        }
    }

    /// Before the first trial over all services of a cluster, each is asked some times, untimed, as those of a cluster in use have been: IPVS
    /// finds the route to an endpoint with the endpoint's first flow, and keeps it.
    fn warm_up(
        &mut self,
        instrument: &mut Instrument,
        measure: &Measure,
        flow: Flow,
        position: Position,
    ) -> Result<(), MeasureError> {
        let is_over_all = (flow, position) == (Flow::New, Position::Random) && self.setup.backend.balances();
        if self.warm || !is_over_all || self.scenario.cluster.is_none() {
            return Ok(());
        }
        self.warm = true;
        let packets = u32::try_from(WARM_UP * self.workload.endpoint_count()).unwrap_or(MOST_PACKETS).min(MOST_PACKETS);
        // A trial has numbers for more than twice the flows that it may open.
        let behind = Measure { packets, first_flow: measure.first_flow + u64::from(MOST_PACKETS), ..*measure };
        instrument.latency(&self.order(&behind, flow, position))?;
        Ok(())
    }

    /// The backend's program of the hook at which the XDP bracket begins, for the entry to go on with.
    fn hand_over_xdp(&self) -> Result<Option<ProgramFd>, MeasureError> {
        let _inside = self.topology.node.enter()?;
        let programs = self.datapath.take_over_xdp().map_err(|source| named(&self.setup, source))?;
        Ok(programs.map(|programs| programs.client_side))
    }

    /// Empties the node by hand, for the kernel frees a namespace some time after its last user is gone, and IPVS's table is one
    /// for all namespaces (net/netfilter/ipvs/ip_vs_ctl.c, `ip_vs_svc_table`): services of a dying namespace would stand in the
    /// next visit's buckets, and make its read-back skip entries.
    pub(super) fn clear(&self) -> Result<(), MeasureError> {
        let _inside = self.topology.node.enter()?;
        self.datapath.clear().map_err(|source| named(&self.setup, source))
    }

    pub(super) fn order(&self, measure: &Measure, flow: Flow, position: Position) -> TrafficOrder {
        TrafficOrder {
            flow,
            protocol: self.setup.protocol,
            targets: targets(&self.workload, self.setup.protocol, position, self.scenario.seed),
            packets: measure.packets,
            first_flow: measure.first_flow,
            seed: self.scenario.seed ^ measure.first_flow,
            clients: self.workload.addresses.client_range,
        }
    }

    fn destinations(&self) -> Destinations {
        let port =
            self.workload.services.iter().flat_map(|service| &service.endpoints).next().map_or(0, |pod| pod.port);
        Destinations { pods: self.workload.addresses.cluster_cidr, port }
    }
}

impl std::fmt::Debug for Site<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("place", self.place).field("setup", &self.setup).finish_non_exhaustive()
    }
}

/// Untimed packets an endpoint before services are asked at random: all but 0.7% of endpoints are then reached (e^-5).
const WARM_UP: usize = 5;

/// How long a saturation trial sends.
pub(in crate::run) const SATURATION: Duration = Duration::from_millis(400);

/// The addresses that a position's packets ask for, among the services of their protocol that have endpoints: packets to the others
/// do not leave the node, so there is nothing to time. A packet draws one of them uniformly: by popularity some are there more than once.
pub(crate) fn targets(workload: &Workload, protocol: Protocol, position: Position, seed: u64) -> Vec<SocketAddrV4> {
    let services = answered(workload, protocol);
    let address = |service: &&Service| SocketAddrV4::new(service.vip, service.port);
    match position {
        Position::First | Position::Middle | Position::Last => at(position, &services).iter().map(address).collect(),
        Position::Random => services.iter().map(address).collect(),
        Position::Zipf(exponent) => {
            let drawn = popularity::zipf(services.len(), exponent.value(), seed, MAX_TARGETS as usize);
            drawn.into_iter().map(|index| address(&services[index])).collect()
        }
        Position::Missing => {
            let pods = services.iter().flat_map(|service| &service.endpoints).take(1);
            pods.map(|pod| SocketAddrV4::new(pod.addr, pod.port)).collect()
        }
    }
}

/// Services of a protocol that have endpoints, in order of programming.
pub(super) fn answered(workload: &Workload, protocol: Protocol) -> Vec<&Service> {
    let is_answered = |service: &&Service| service.protocol == protocol && !service.endpoints.is_empty();
    workload.services.iter().filter(is_answered).collect()
}

/// The service at a position that means a single one.
pub(super) fn at<'a>(position: Position, services: &[&'a Service]) -> Option<&'a Service> {
    match position {
        Position::First => services.first(),
        Position::Middle => services.get(services.len() / 2),
        Position::Last => services.last(),
        Position::Random | Position::Zipf(_) | Position::Missing => None,
    }
    .copied()
}
