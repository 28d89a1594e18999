//! One visit: fresh namespaces, programmed once, measured in the plan's order. Both venues run this code.

use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aya::programs::ProgramFd;

use super::decide;
use super::plan::{Measure, MeasureKind, Setup, Visit};
use super::record::Record;
use super::scenario::{MOST_PACKETS, Scenario};
use crate::backend::{Backend, BackendError, ProgrammingCost, backend};
use crate::net::{NetError, Topology};
use crate::probe::{Destinations, Instrument, ProbeError, Sample};
use crate::result::{
    Cell, Flow, HistogramError, Position, ProgrammingOp, ProgrammingRecord, Quantiles, ThroughputRecord, TrialKind,
    TrialRecord, Unit, VenueKind, encode_histogram,
};
use crate::traffic::{Limit, TrafficError, TrafficOrder};
use crate::workload::{Protocol, Service, Workload, WorkloadError};

/// What the records say of the place they were measured in.
#[derive(Debug, Clone)]
pub struct Place {
    /// Where.
    pub venue: VenueKind,
    /// Kernel release.
    pub kernel: String,
    /// Unit of durations.
    pub unit: Unit,
}

/// Why a visit ended early.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The services do not fit the address ranges.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// Namespaces or links failed.
    #[error(transparent)]
    Net(#[from] NetError),
    /// Programming or reading back failed.
    #[error("{backend:?} at N={services}: {source}")]
    Backend {
        /// Datapath.
        backend: crate::result::BackendKind,
        /// N.
        services: u32,
        /// Why.
        source: BackendError,
    },
    /// The probe could not be loaded or attached.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// Packets could not be sent or counted.
    #[error(transparent)]
    Traffic(#[from] TrafficError),
    /// A histogram could not be encoded.
    #[error(transparent)]
    Histogram(#[from] HistogramError),
    /// A record could not be handed on.
    #[error("cannot hand a record on: {0}")]
    Emit(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The run was interrupted.
    #[error("interrupted")]
    Interrupted,
}

/// Takes the records as they come.
pub type Emit<'a> = dyn FnMut(Record) -> Result<(), MeasureError> + 'a;

/// Makes a visit and emits one record a measure (three for programming).
///
/// # Errors
/// [`MeasureError`]; the namespaces are gone in any case.
pub fn visit(
    place: &Place,
    scenario: &Scenario,
    visit: &Visit,
    cancel: &AtomicBool,
    emit: &mut Emit<'_>,
) -> Result<(), MeasureError> {
    let mut session = Session::open(place, scenario, visit)?;
    for measure in &visit.measures {
        if cancel.load(Ordering::Relaxed) {
            return Err(MeasureError::Interrupted);
        }
        session.take(measure, emit)?;
    }
    session.close()
}

/// A setup in fresh namespaces, programmed and ready to be measured: a visit in parts. Dropping it takes the namespaces away.
#[derive(Debug)]
pub struct Session<'a> {
    instrument: Instrument,
    site: Site<'a>,
    from_nothing: ProgrammingCost,
}

impl<'a> Session<'a> {
    /// Programs what `visit` asks for.
    ///
    /// # Errors
    /// [`MeasureError`].
    pub fn open(place: &'a Place, scenario: &'a Scenario, visit: &Visit) -> Result<Self, MeasureError> {
        let workload = visit.setup.services(scenario)?;
        let topology = Topology::create(&workload.addresses)?;
        let datapath = backend(visit.setup.backend);
        let from_nothing = program(&*datapath, &topology, &workload, &visit.setup)?;
        let site = Site { place, scenario, setup: visit.setup, workload, topology, datapath, warm: false };
        let instrument = site.attach(&visit.measures)?;
        Ok(Self { instrument, site, from_nothing })
    }

    /// Takes one measure, and emits one record (three for programming).
    ///
    /// # Errors
    /// [`MeasureError`].
    pub fn take(&mut self, measure: &Measure, emit: &mut Emit<'_>) -> Result<(), MeasureError> {
        self.site.take(&mut self.instrument, measure, self.from_nothing, emit)
    }

    /// Empties the node, see `Site::clear`.
    ///
    /// # Errors
    /// [`MeasureError`].
    pub fn close(self) -> Result<(), MeasureError> {
        drop(self.instrument);
        self.site.clear()
    }
}

fn program(
    datapath: &dyn Backend,
    topology: &Topology,
    workload: &Workload,
    setup: &Setup,
) -> Result<ProgrammingCost, MeasureError> {
    let _inside = topology.node.enter()?;
    let named = |source| MeasureError::Backend { backend: setup.backend, services: setup.services, source };
    let cost = datapath.apply(workload).map_err(named)?;
    datapath.verify(workload).map_err(named)?;
    Ok(cost)
}

impl std::fmt::Debug for Site<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("place", self.place).field("setup", &self.setup).finish_non_exhaustive()
    }
}

/// A programmed topology.
struct Site<'a> {
    place: &'a Place,
    scenario: &'a Scenario,
    setup: Setup,
    workload: Workload,
    topology: Topology,
    datapath: Box<dyn Backend>,
    /// Whether the services of a cluster have been asked.
    warm: bool,
}

impl Site<'_> {
    /// The instrument, with room for the largest order of decisions, and then a route for what no service takes.
    fn attach(&self, measures: &[Measure]) -> Result<Instrument, MeasureError> {
        let deciding = measures.iter().filter(|measure| matches!(measure.kind, MeasureKind::Decisions { .. }));
        let most = deciding.map(|measure| measure.packets).max().unwrap_or(0);
        if most > 0 {
            self.topology.route_services(&self.workload.addresses)?;
        }
        let (bracket, balancer) = (self.setup.bracket, self.hand_over_xdp()?);
        Ok(Instrument::attach_for_decisions(&self.topology, self.destinations(), bracket, balancer, most)?)
    }

    fn take(
        &mut self,
        instrument: &mut Instrument,
        measure: &Measure,
        from_nothing: ProgrammingCost,
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
        let Setup { backend, services, .. } = self.setup;
        let programs = self.datapath.take_over_xdp();
        let programs = programs.map_err(|source| MeasureError::Backend { backend, services, source })?;
        Ok(programs.map(|programs| programs.client_side))
    }

    /// Empties the node by hand, for the kernel frees a namespace some time after its last user is gone, and IPVS's table is one
    /// for all namespaces (net/netfilter/ipvs/ip_vs_ctl.c, `ip_vs_svc_table`): services of a dying namespace would stand in the
    /// next visit's buckets, and make its read-back skip entries.
    fn clear(&self) -> Result<(), MeasureError> {
        let _inside = self.topology.node.enter()?;
        let Setup { backend, services, .. } = self.setup;
        self.datapath.clear().map_err(|source| MeasureError::Backend { backend, services, source })
    }

    fn order(&self, measure: &Measure, flow: Flow, position: Position) -> TrafficOrder {
        TrafficOrder {
            flow,
            protocol: self.setup.protocol,
            targets: targets(&self.workload, self.setup.protocol, position),
            packets: measure.packets,
            first_flow: measure.first_flow,
            seed: self.scenario.seed ^ measure.first_flow,
            clients: self.workload.addresses.client_range,
        }
    }

    /// Adds a service and moves an endpoint, each as kube-proxy's partial sync does, and checks the kernel afterwards.
    fn program_changes(
        &mut self,
        measure: &Measure,
        from_nothing: ProgrammingCost,
        emit: &mut Emit<'_>,
    ) -> Result<(), MeasureError> {
        let answered = self.workload.services.iter().position(|service| !service.endpoints.is_empty());
        let (Some((added, endpoint)), Some(answered)) = (self.setup.spare(self.scenario)?, answered) else {
            return Ok(());
        };
        let _inside = self.topology.node.enter()?;
        let setup = self.setup;
        let named = |source| MeasureError::Backend { backend: setup.backend, services: setup.services, source };

        self.workload.services.push(added.clone());
        let add = self.datapath.add_service(&self.workload, &added).map_err(named)?;
        self.datapath.verify(&self.workload).map_err(named)?;

        let before = self.workload.services[answered].clone();
        let mut after = before.clone();
        after.endpoints[0] = endpoint;
        self.workload.services[answered] = after.clone();
        let change = self.datapath.change_endpoint(&before, &after, &self.workload).map_err(named)?;
        self.datapath.verify(&self.workload).map_err(named)?;

        emit(self.programming(measure, ProgrammingOp::FromNothing, from_nothing))?;
        emit(self.programming(measure, ProgrammingOp::AddService, add))?;
        emit(self.programming(measure, ProgrammingOp::ChangeEndpoint, change))
    }

    fn destinations(&self) -> Destinations {
        let port =
            self.workload.services.iter().flat_map(|service| &service.endpoints).next().map_or(0, |pod| pod.port);
        Destinations { pods: self.workload.addresses.cluster_cidr, port }
    }

    fn cell(&self, flow: Flow, position: Position) -> Cell {
        Cell {
            venue: self.place.venue,
            kernel: self.place.kernel.clone(),
            backend: self.setup.backend,
            bracket: self.setup.bracket,
            layout: self.setup.layout,
            protocol: self.setup.protocol,
            services: self.setup.services,
            endpoints: self.setup.endpoints,
            flow,
            position,
        }
    }

    fn trial(
        &self,
        measure: &Measure,
        kind: TrialKind,
        flow: Flow,
        position: Position,
        sample: &Sample,
    ) -> Result<Record, MeasureError> {
        Ok(Record::Trial(TrialRecord {
            cell: self.cell(flow, position),
            kind,
            trial: measure.trial,
            unit: self.place.unit,
            packets: sample.measured,
            mismatched: sample.mismatched,
            lost: sample.lost,
            misdirected: sample.misdirected,
            quantiles: quantiles(sample),
            histogram: encode_histogram(&sample.histogram)?,
        }))
    }

    fn programming(&self, measure: &Measure, op: ProgrammingOp, cost: ProgrammingCost) -> Record {
        let count = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Record::Programming(ProgrammingRecord {
            venue: self.place.venue,
            kernel: self.place.kernel.clone(),
            backend: self.setup.backend,
            layout: self.setup.layout,
            protocol: self.setup.protocol,
            services: self.setup.services,
            endpoints: self.setup.endpoints,
            op,
            trial: measure.trial,
            unit: self.place.unit,
            total: count(cost.total),
            user: count(cost.user),
            kernel_time: count(cost.kernel),
        })
    }
}

/// Untimed packets an endpoint before services are asked at random: all but 0.7% of endpoints are then reached (e^-5).
const WARM_UP: usize = 5;

/// How long a saturation trial sends.
pub(super) const SATURATION: Duration = Duration::from_millis(400);

fn quantiles(sample: &Sample) -> Quantiles {
    let at = |quantile| sample.histogram.value_at_quantile(quantile);
    Quantiles { min: sample.min, p10: at(0.1), p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999) }
}

/// The addresses that a position's packets ask for, among the services of their protocol that have endpoints: packets to the others
/// do not leave the node, so there is nothing to time.
pub(crate) fn targets(workload: &Workload, protocol: Protocol, position: Position) -> Vec<SocketAddrV4> {
    let is_answered = |service: &&Service| service.protocol == protocol && !service.endpoints.is_empty();
    let services: Vec<_> = workload.services.iter().filter(is_answered).collect();
    let chosen = match position {
        Position::First => services.get(..services.len().min(1)),
        Position::Middle => services.get(services.len() / 2..).and_then(|rest| rest.get(..1)),
        Position::Last => services.get(services.len().saturating_sub(1)..),
        Position::Random => Some(&services[..]),
        Position::Missing => {
            let pods = services.iter().flat_map(|service| &service.endpoints).take(1);
            return pods.map(|pod| SocketAddrV4::new(pod.addr, pod.port)).collect();
        }
    };
    let chosen = chosen.unwrap_or_default().iter();
    chosen.map(|service| SocketAddrV4::new(service.vip, service.port)).collect()
}
