//! The plan: every trial of a run, decided before the first packet.
//!
//! A [`Batch`] is the unit of resume: one boot in the vm, one visit on the host. A [`Visit`] is one fresh set of namespaces,
//! programmed once, in which its [`Measure`]s are taken in a seeded random order. On the host every visit takes one trial of
//! each cell and visits come round after round in random order, so drift of the machine falls on all cells alike. In the
//! deterministic vm there is no drift, and one visit takes all trials.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::planner;
use super::scenario::Scenario;
use crate::probe::OBJECT;
use crate::result::{
    BackendKind, Bracket, Cell, ConnectionLoad, EndpointChange, Flow, NewShare, PacketSize, Position, RateMethod,
    Spreading, VenueKind, name,
};
use crate::workload::{Common, Endpoint, Protocol, Service, VipLayout, Workload, WorkloadError, WorkloadSpec};

/// What is programmed before anything is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Setup {
    /// Datapath.
    pub backend: BackendKind,
    /// Between which hooks packets are timed.
    #[serde(default, skip_serializing_if = "Bracket::is_tc")]
    pub bracket: Bracket,
    /// VIP layout.
    pub layout: VipLayout,
    /// Protocol.
    pub protocol: Protocol,
    /// N.
    pub services: u32,
    /// M.
    pub endpoints: u32,
}

/// What a measure times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MeasureKind {
    /// Traversal, packet by packet.
    Traversal {
        /// Flow.
        flow: Flow,
        /// Position.
        position: Position,
    },
    /// The probe's floor.
    Floor,
    /// Packets a second at saturation.
    Saturation {
        /// Flow.
        flow: Flow,
        /// Position.
        position: Position,
    },
    /// Which endpoint each flow reaches; untimed.
    Decisions {
        /// Position.
        position: Position,
    },
    /// Which endpoint the flows of one service reach before and after a change of its endpoints; in a visit of its own, untimed.
    Fairness {
        /// How they are spread.
        spreading: Spreading,
        /// What changes.
        change: EndpointChange,
    },
    /// Real connections, in a visit of their own without the probe.
    Connections {
        /// The load.
        load: ConnectionLoad,
        /// Position.
        position: Position,
    },
    /// A search for the rates that are carried.
    Rates {
        /// How.
        method: RateMethod,
        /// Flow.
        flow: Flow,
        /// Position.
        position: Position,
        /// Bytes of its packets.
        #[serde(default, skip_serializing_if = "PacketSize::is_default")]
        packet_size: PacketSize,
        /// Share of its packets that open a flow, where the others belong to established ones; `None`: all are of the flow.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        new_share: Option<NewShare>,
    },
    /// What comes back from a ClusterIP and from a load balancer's address, in a visit of its own without the probe.
    Reachability {
        /// The service that is asked.
        position: Position,
    },
    /// Cost of programming: timed around every visit's set-up, at its end for the changes.
    Programming,
}

impl MeasureKind {
    /// Whether the probe takes part: its exit drops what it has timed, and would drop all else too.
    #[must_use]
    pub fn is_timed(self) -> bool {
        !matches!(self, Self::Connections { .. } | Self::Reachability { .. })
    }
}

/// One trial to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Measure {
    /// What to time.
    pub kind: MeasureKind,
    /// Index of the trial within its cell.
    pub trial: u32,
    /// Packets to time; of connections, the most exchanges; of a search, the established flows at the most, also of a mix.
    pub packets: u32,
    /// First flow number: 5-tuples are unique across the run.
    pub first_flow: u64,
}

/// One fresh set of namespaces and what is measured in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Visit {
    /// What is programmed.
    pub setup: Setup,
    /// What is measured, in this order.
    pub measures: Vec<Measure>,
}

/// The unit of resume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Batch {
    /// Index in the plan.
    pub id: u32,
    /// Where.
    pub venue: VenueKind,
    /// Release of the kernel under test.
    pub kernel: String,
    /// Visits, in order.
    pub visits: Vec<Visit>,
}

/// A cell that will not be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// Where.
    pub venue: VenueKind,
    /// Release of the kernel; empty where the venue could not be opened.
    pub kernel: String,
    /// Datapath.
    pub backend: BackendKind,
    /// N, where only some are skipped.
    pub services: Option<u32>,
    /// Why, in words.
    pub reason: String,
}

/// What measured: trials of two instruments are never mixed in one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MeasuredBy {
    /// Version of lbcurve.
    pub lbcurve: String,
    /// SHA-256 of the eBPF object, hexadecimal.
    pub ebpf_object_sha256: String,
    /// Venues that count: instructions in the vm, steps in the models.
    pub deterministic: Vec<VenueKind>,
    /// Venues whose time is an emulated machine's: no hardware's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emulated: Vec<VenueKind>,
    /// What each kernel of the plan (venue and release) is beyond its release: package and version, or the content of a file.
    pub kernels: BTreeMap<String, String>,
}

/// Every trial of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// What was asked for.
    pub scenario: Scenario,
    /// What measures.
    pub measured_by: MeasuredBy,
    /// Batches, in order of execution.
    pub batches: Vec<Batch>,
    /// What was asked for and will not be measured.
    pub skipped: Vec<Skipped>,
}

/// What a venue can run on one kernel, found out before planning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueOffer {
    /// Where.
    pub venue: VenueKind,
    /// Release of its kernel; empty where the venue could not be opened.
    pub kernel: String,
    /// What that kernel is beyond its release.
    pub identity: String,
    /// Backends that are ready there.
    pub backends: Vec<BackendKind>,
    /// Backends that are not, with the reason.
    pub unready: Vec<(BackendKind, String)>,
    /// Whether the venue counts instead of timing.
    pub deterministic: bool,
    /// Whether its time is an emulated machine's.
    pub emulated: bool,
    /// Whether saturation can be measured: the host, with a second CPU.
    pub saturation: bool,
    /// Schedulers of IPVS that its kernel lacks.
    pub lacking: Vec<Spreading>,
}

impl Plan {
    /// Expands a scenario over the venues that are offered. Pure: the same arguments give the same plan.
    pub fn new(scenario: &Scenario, offers: &[VenueOffer]) -> Self {
        let (batches, skipped) = planner::expand(scenario, offers);
        let venues = |is_so: fn(&VenueOffer) -> bool| {
            let mut venues: Vec<_> = offers.iter().filter(|offer| is_so(offer)).map(|offer| offer.venue).collect();
            venues.dedup();
            venues
        };
        let deterministic = venues(|offer| offer.deterministic);
        let emulated = venues(|offer| offer.emulated);
        let kernels = offers.iter().filter(|offer| !offer.backends.is_empty());
        let kernels =
            kernels.map(|offer| (format!("{} {}", name(&offer.venue), offer.kernel), offer.identity.clone())).collect();
        let measured_by = MeasuredBy {
            lbcurve: env!("CARGO_PKG_VERSION").to_owned(),
            ebpf_object_sha256: HEXLOWER.encode(&Sha256::digest(OBJECT)),
            deterministic,
            emulated,
            kernels,
        };
        Self { scenario: scenario.clone(), measured_by, batches, skipped }
    }

    /// Trials of the whole run.
    pub fn trials(&self) -> usize {
        self.batches.iter().map(Batch::trials).sum()
    }
}

impl Visit {
    /// Whether its measures are of fairness, which make namespaces of their own.
    pub fn is_of_fairness(&self) -> bool {
        self.measures.iter().any(|measure| matches!(measure.kind, MeasureKind::Fairness { .. }))
    }
}

impl Batch {
    /// Whether it carries real connections.
    pub(crate) fn connects(&self) -> bool {
        let mut measures = self.visits.iter().flat_map(|visit| &visit.measures);
        measures.any(|measure| matches!(measure.kind, MeasureKind::Connections { .. }))
    }

    /// Trials of the batch.
    pub fn trials(&self) -> usize {
        self.visits.iter().map(|visit| visit.measures.len()).sum()
    }
}

impl Setup {
    /// Its cell of a flow and position, at a place.
    pub(crate) fn cell(&self, venue: VenueKind, kernel: &str, flow: Flow, position: Position) -> Cell {
        let Self { backend, bracket, layout, protocol, services, endpoints } = *self;
        let kernel = kernel.to_owned();
        Cell { venue, kernel, backend, bracket, layout, protocol, services, endpoints, flow, position }
    }

    /// The specification of this setup's workload.
    pub fn workload(&self, scenario: &Scenario) -> WorkloadSpec {
        self.spec(&scenario.common())
    }

    /// The same, of what the run's setups have in common.
    pub fn spec(&self, common: &Common) -> WorkloadSpec {
        WorkloadSpec {
            services: self.services,
            endpoints: self.endpoints,
            layout: self.layout,
            protocol: self.protocol,
            seed: common.seed,
            addresses: common.addresses,
        }
    }

    /// The services to program, generated or imported, with what the scenario says of all of them.
    ///
    /// # Errors
    /// [`WorkloadError`] where the address ranges are too small.
    pub fn services(&self, scenario: &Scenario) -> Result<Workload, WorkloadError> {
        Ok(scenario.common().complete(self.more(scenario, 0)?))
    }

    /// A service beyond those of [`Setup::services`], and an endpoint of yet another: what the programming measure adds. `None` where
    /// services have no endpoints.
    ///
    /// # Errors
    /// [`WorkloadError`] where they do not fit the address ranges.
    pub fn spare(&self, scenario: &Scenario) -> Result<Option<(Service, Endpoint)>, WorkloadError> {
        // Every repetition of a cluster has a service with endpoints.
        let more = scenario.cluster.as_ref().map_or(1, |cluster| cluster.ports.len());
        let wider = self.more(scenario, u32::try_from(2 * more).unwrap_or(u32::MAX))?;
        let beyond = wider.services.into_iter().skip(self.services as usize);
        let mut answered = beyond.filter(|service| !service.endpoints.is_empty());
        let added = answered.next();
        Ok(added.zip(answered.next().and_then(|donor| donor.endpoints.first().copied())))
    }

    fn more(&self, scenario: &Scenario, services: u32) -> Result<Workload, WorkloadError> {
        let spec = self.workload(scenario);
        let spec = WorkloadSpec { services: spec.services.saturating_add(services), ..spec };
        scenario.cluster.as_ref().map_or_else(|| Workload::generate(&spec), |cluster| Workload::import(cluster, &spec))
    }
}
