//! One visit: fresh namespaces, programmed once, measured in the plan's order. Both venues run this code.

mod connections;
mod fairness;
mod programming;
mod rates;
mod reachability;
mod records;
mod site;

use std::sync::atomic::{AtomicBool, Ordering};

use super::plan::{Measure, MeasureKind, Visit};
use super::record::Record;
use super::scenario::Scenario;
use crate::backend::BackendError;
use crate::connections::ConnectionsError;
use crate::net::NetError;
use crate::probe::{Instrument, ProbeError};
use crate::reach::ReachError;
use crate::result::{HistogramError, Unit, VenueKind};
use crate::traffic::TrafficError;
use crate::usage::UsageError;
use crate::workload::WorkloadError;
use programming::FromNothing;
#[cfg(test)]
pub(super) use site::SATURATION;
use site::Site;
pub(crate) use site::targets;

/// What the records say of the place they were measured in.
#[derive(Debug, Clone)]
pub struct Place {
    /// Where.
    pub venue: VenueKind,
    /// Kernel release.
    pub kernel: String,
    /// Unit of durations.
    pub unit: Unit,
    /// Whether its time is that of a machine which is emulated in software: no hardware's.
    pub emulated: bool,
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
    /// Connections could not be attempted.
    #[error(transparent)]
    Connections(#[from] ConnectionsError),
    /// Nothing could be sent to a ClusterIP or a load balancer's address.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// No service with an endpoint, or for fairness no address of another.
    #[error(
        "the workload has no service that this can be measured on: it needs an endpoint, and for fairness room for another"
    )]
    NoEndpoint,
    /// A visit that was planned for both: the probe's exit would drop the packets of connections and pings.
    #[error("a visit that times packets can carry nothing else: plan them apart")]
    ProbeInTheWay,
    /// A measure that makes namespaces of its own among measures that share some.
    #[error("a measure of fairness has namespaces of its own: plan it apart")]
    NamespacesOfItsOwn,
    /// The kernel's memory could not be read.
    #[error(transparent)]
    Usage(#[from] UsageError),
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
    if visit.is_of_fairness() {
        return fairness::visit(place, scenario, visit, cancel, emit);
    }
    let mut session = Session::open(place, scenario, visit)?.until(cancel);
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
    /// None in a visit for connections or reachability, which meet nothing of the probe.
    instrument: Option<Instrument>,
    site: Site<'a>,
    from_nothing: FromNothing,
}

impl<'a> Session<'a> {
    /// Programs what `visit` asks for.
    ///
    /// # Errors
    /// [`MeasureError`].
    pub fn open(place: &'a Place, scenario: &'a Scenario, visit: &Visit) -> Result<Self, MeasureError> {
        let workload = visit.setup.services(scenario)?;
        let weigh = visit.measures.iter().any(|measure| measure.kind == MeasureKind::Programming);
        let (site, from_nothing) = Site::program(place, scenario, visit.setup, workload, weigh)?;
        let is_timed = |measure: &Measure| measure.kind.is_timed();
        let instrument = visit.measures.iter().any(is_timed).then(|| site.attach(&visit.measures)).transpose()?;
        Ok(Self { instrument, site, from_nothing })
    }

    /// Ends a search before its next trial once `cancel` is set.
    #[must_use]
    pub fn until(mut self, cancel: &'a AtomicBool) -> Self {
        self.site.cancel = Some(cancel);
        self
    }

    /// Takes one measure, and emits one record (three for programming).
    ///
    /// # Errors
    /// [`MeasureError`].
    pub fn take(&mut self, measure: &Measure, emit: &mut Emit<'_>) -> Result<(), MeasureError> {
        let Self { instrument, site, from_nothing } = self;
        match (measure.kind, instrument) {
            (MeasureKind::Connections { load, position }, None) => emit(site.connect(measure, load, position)?),
            (MeasureKind::Fairness { .. }, _) => Err(MeasureError::NamespacesOfItsOwn),
            (MeasureKind::Reachability { position }, None) => emit(site.reach(measure, position)?),
            (kind, Some(_)) if !kind.is_timed() => Err(MeasureError::ProbeInTheWay),
            (_, Some(instrument)) => site.take(instrument, measure, from_nothing, emit),
            (_, instrument @ None) => {
                let instrument = instrument.insert(site.attach(std::slice::from_ref(measure))?);
                site.take(instrument, measure, from_nothing, emit)
            }
        }
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
