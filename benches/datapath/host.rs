//! This kernel, in nanoseconds.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use lbcurve::chain::one_line;
use lbcurve::result::{BackendKind, Flow, TrialRecord, decode_histogram, name};
use lbcurve::run::measure::{MeasureError, Place, Session};
use lbcurve::run::offer;
use lbcurve::run::plan::{Measure, MeasureKind, Setup, Visit};
use lbcurve::run::record::Record;
use lbcurve::run::scenario::{Scenario, VenueChoice};
use lbcurve::workload::{Protocol, VipLayout};

use super::{SIZES, announce, drawn, group, scenario};

/// Packets of one order: as many enter the kernel by one system call.
const ORDER: u64 = 2_000;
/// Flows of a session: a connection table that grew without bound would be measured too, and end full.
const FLOWS_A_SESSION: u64 = 60_000;

/// Benches every backend that is ready.
///
/// # Errors
/// The venue cannot be opened.
pub(super) fn bench() -> Result<(), String> {
    let scenario = scenario(VenueChoice::Host)?;
    let (offers, venues) = offer::open(&scenario, &mut |line| eprintln!("{line}")).map_err(|error| one_line(&error))?;
    let (Some(offer), Some(place)) = (offers.first(), &venues.host) else {
        return Err("the host was not offered".to_owned());
    };
    announce(offer, "ns by the probe in the kernel");
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = group(&mut criterion, offer);
    for backend in drawn(offer) {
        for services in SIZES {
            let mut cell = Cell::new(place, &scenario, backend, services);
            group.bench_function(BenchmarkId::new(name(&backend), services), |bencher| {
                bencher.iter_custom(|packets| cell.traverse(packets).unwrap_or_else(|error| cell.fail(&error)));
            });
            cell.finish().map_err(|error| one_line(&error))?;
        }
    }
    group.finish();
    Ok(())
}

/// One backend at one N, programmed when it is first asked.
struct Cell<'a> {
    place: &'a Place,
    scenario: &'a Scenario,
    visit: Visit,
    session: Option<Session<'a>>,
    /// New flows of the session, and of the cell: 5-tuples are never used twice.
    in_session: u64,
    flows: u64,
    untimed: u64,
}

impl<'a> Cell<'a> {
    fn new(place: &'a Place, scenario: &'a Scenario, backend: BackendKind, services: u32) -> Self {
        let setup = Setup {
            backend,
            bracket: backend.bracket(),
            layout: VipLayout::Sequential,
            protocol: Protocol::Tcp,
            services,
            endpoints: 2,
        };
        let visit = Visit { setup, measures: Vec::new() };
        Self { place, scenario, visit, session: None, in_session: 0, flows: 0, untimed: 0 }
    }

    /// The sum of the traversal times of so many packets, each the first of its flow.
    fn traverse(&mut self, packets: u64) -> Result<Duration, MeasureError> {
        let mut sum = 0.0;
        for start in (0..packets).step_by(ORDER as usize) {
            sum += self.order(ORDER.min(packets - start))?;
        }
        Ok(Duration::from_secs_f64(sum / 1e9))
    }

    /// Nanoseconds of one order's packets. One that was lost, which the probe counts, takes the mean of the others.
    fn order(&mut self, packets: u64) -> Result<f64, MeasureError> {
        if self.in_session + packets > FLOWS_A_SESSION {
            self.close()?;
        }
        let position = self.visit.setup.backend.worst_position();
        let measure = Measure {
            kind: MeasureKind::Traversal { flow: Flow::New, position },
            trial: 0,
            packets: u32::try_from(packets).unwrap_or(u32::MAX),
            first_flow: self.flows,
        };
        self.in_session += packets;
        self.flows += packets;
        let mut trial = None;
        let mut keep = |record: Record| {
            if let Record::Trial(found) = record {
                trial = Some(found);
            }
            Ok(())
        };
        self.session()?.take(&measure, &mut keep)?;
        let Some(TrialRecord { histogram, packets: timed, .. }) = trial else { return Ok(0.0) };
        self.untimed += packets.saturating_sub(timed);
        Ok(decode_histogram(&histogram)?.mean() * packets as f64)
    }

    fn session(&mut self) -> Result<&mut Session<'a>, MeasureError> {
        let session = match self.session.take() {
            Some(session) => session,
            None => Session::open(self.place, self.scenario, &self.visit)?,
        };
        Ok(self.session.insert(session))
    }

    fn close(&mut self) -> Result<(), MeasureError> {
        self.in_session = 0;
        self.session.take().map_or(Ok(()), Session::close)
    }

    fn finish(mut self) -> Result<(), MeasureError> {
        if self.untimed > 0 {
            println!("datapath: {} of {} packets were not timed", self.untimed, self.flows);
        }
        self.close()
    }

    /// criterion takes no error from a routine.
    fn fail(&self, error: &MeasureError) -> ! {
        panic!("{} at N={}: {}", name(&self.visit.setup.backend), self.visit.setup.services, one_line(error))
    }
}
