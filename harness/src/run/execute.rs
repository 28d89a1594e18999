//! Executes a plan: models first, vm batches side by side, then host batches alone, so that the one's load is not the other's
//! noise. The machine is probed before the last: what stands in the report is how it was when host trials began.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use super::measure::{self, MeasureError, Place};
use super::noise::{self, NoiseError};
use super::plan::{Batch, Plan};
use super::progress::Progress;
use super::record::Record;
use super::store::{Store, StoreError};
use crate::result::{Preflight, VenueKind, name};
use crate::venue::sim::{Model, SimError};
use crate::venue::vm::{VmError, VmVenue};

/// Why a run ended early. Whole batches are kept in every case.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The run's directory failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// How quiet the machine is before host trials cannot be found out.
    #[error(transparent)]
    Noise(#[from] NoiseError),
    /// A visit on the host failed.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// A model could not be made or its counts not be recorded.
    #[error(transparent)]
    Sim(#[from] SimError),
    /// A boot failed.
    #[error(transparent)]
    Vm(#[from] VmError),
    /// The plan needs a venue that was not opened.
    #[error("the plan has batches for kernel {kernel} in the {} venue, which is not open", name(.venue))]
    NoVenue {
        /// Where.
        venue: VenueKind,
        /// Release.
        kernel: String,
    },
    /// SIGINT or SIGTERM.
    #[error("interrupted")]
    Interrupted,
}

/// The venues of a run.
#[derive(Debug)]
pub struct Venues {
    /// This kernel, where the plan uses it.
    pub host: Option<Place>,
    /// The vm, one venue a kernel; none where the plan does not use it.
    pub vms: Vec<VmVenue>,
    /// The models; none where the plan does not use them.
    pub models: Vec<Model>,
}

impl Venues {
    /// The venue of a batch in the vm.
    fn vm_of(&self, batch: &Batch) -> Result<&VmVenue, ExecuteError> {
        self.vms.iter().find(|vm| vm.kernel.release == batch.kernel).ok_or_else(|| batch.not_open())
    }

    /// This kernel, for a batch on the host.
    fn host_of(&self, batch: &Batch) -> Result<&Place, ExecuteError> {
        self.host.as_ref().filter(|place| place.kernel == batch.kernel).ok_or_else(|| batch.not_open())
    }
}

impl Batch {
    fn not_open(&self) -> ExecuteError {
        ExecuteError::NoVenue { venue: self.venue, kernel: self.kernel.clone() }
    }
}

/// Measures every batch that the store does not hold yet. Returns how quiet the machine was when host trials began, now or in
/// the earlier attempts that measured them; none where the run has no host trials.
///
/// # Errors
/// [`ExecuteError`]; what was finished is in the store.
pub fn execute(
    plan: &Plan,
    venues: &Venues,
    store: &mut Store,
    progress: &mut Progress,
    cancel: &AtomicBool,
) -> Result<Option<Preflight>, ExecuteError> {
    // Before anything is measured, so that a damaged file is not found out after hours.
    let earlier = noise::earlier(plan, store)?;
    let todo: Vec<&Batch> = plan.batches.iter().filter(|batch| !store.is_done(batch.id)).collect();
    let (in_models, todo): (Vec<_>, Vec<_>) = todo.into_iter().partition(|batch| batch.venue == VenueKind::Sim);
    let (in_vm, on_host): (Vec<_>, Vec<_>) = todo.into_iter().partition(|batch| batch.venue == VenueKind::Vm);
    count_all(plan, &venues.models, in_models, store, progress, cancel)?;
    let in_vm = in_vm.into_iter().map(|batch| Ok((batch, venues.vm_of(batch)?)));
    let in_vm = in_vm.collect::<Result<VecDeque<_>, ExecuteError>>()?;
    if !in_vm.is_empty() {
        boot_all(plan, in_vm, store, progress, cancel)?;
    }
    let preflight = if on_host.is_empty() { earlier } else { Some(probe(earlier, store, progress)?) };
    for batch in on_host {
        visit_all(plan, venues.host_of(batch)?, batch, store, progress, cancel)?;
    }
    store.finish(plan)?;
    Ok(preflight)
}

/// Counts every batch of the models.
fn count_all(
    plan: &Plan,
    models: &[Model],
    batches: Vec<&Batch>,
    store: &mut Store,
    progress: &mut Progress,
    cancel: &AtomicBool,
) -> Result<(), ExecuteError> {
    for batch in batches {
        if cancel.load(Ordering::Relaxed) {
            return Err(ExecuteError::Interrupted);
        }
        let model = models.iter().find(|model| model.kernel() == batch.kernel).ok_or_else(|| batch.not_open())?;
        let records = model.count(&plan.scenario, batch)?;
        for record in records {
            store.append(record)?;
            progress.trial();
        }
        store.finish_batch(batch.id);
        progress.batch(batch);
    }
    Ok(())
}

fn probe(earlier: Option<Preflight>, store: &Store, progress: &Progress) -> Result<Preflight, ExecuteError> {
    let preflight = noise::probe_and_keep(earlier, store)?;
    progress.say(&format!("machine: {preflight}"));
    Ok(preflight)
}

fn visit_all(
    plan: &Plan,
    place: &Place,
    batch: &Batch,
    store: &mut Store,
    progress: &mut Progress,
    cancel: &AtomicBool,
) -> Result<(), ExecuteError> {
    for visit in &batch.visits {
        let mut records = Vec::new();
        let mut collect = |record| {
            records.push(record);
            progress.trial();
            Ok(())
        };
        measure::visit(place, &plan.scenario, visit, cancel, &mut collect)
            .map_err(|error| interrupted(error, cancel))?;
        for record in records {
            store.append(record)?;
        }
    }
    store.finish_batch(batch.id);
    progress.batch(batch);
    Ok(())
}

/// A batch and the venue that boots it.
type Boot<'a> = (&'a Batch, &'a VmVenue);

/// What a boot tells the collecting thread.
enum News<'a> {
    Trial,
    Finished(&'a Batch, Result<Vec<Record>, VmError>),
}

/// Boots as many guests at a time as there are CPUs: instructions are counted, so they do not disturb each other.
fn boot_all(
    plan: &Plan,
    batches: VecDeque<Boot<'_>>,
    store: &mut Store,
    progress: &mut Progress,
    cancel: &AtomicBool,
) -> Result<(), ExecuteError> {
    let workers = batches.iter().map(|(_, vm)| vm.parallel_boots()).min().unwrap_or(1).min(batches.len());
    let queue = Mutex::new(batches);
    // Set at the first failure, so that the other boots end instead of being waited for.
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let (sender, news) = mpsc::channel();
        for _ in 0..workers {
            let (sender, queue, stop) = (sender.clone(), &queue, &stop);
            scope.spawn(move || boot_from(queue, plan, &sender, stop));
        }
        drop(sender);
        collect(news, store, progress, cancel, &stop)
    })
}

fn boot_from<'a>(queue: &Mutex<VecDeque<Boot<'a>>>, plan: &Plan, sender: &mpsc::Sender<News<'a>>, stop: &AtomicBool) {
    loop {
        let next = queue.lock().map(|mut queue| queue.pop_front()).unwrap_or_default();
        let Some((batch, vm)) = next.filter(|_| !stop.load(Ordering::Relaxed)) else { return };
        let mut records = Vec::new();
        let outcome = vm.boot_batch(&plan.scenario, batch, stop, &mut |record| {
            records.push(record);
            // A collector that is gone has failed and set `stop`.
            sender.send(News::Trial).ok();
        });
        if sender.send(News::Finished(batch, outcome.map(|()| records))).is_err() {
            return;
        }
    }
}

/// Takes what the boots send until the last has ended. After the first failure or an interruption the others are told to
/// stop, and what was finished by then is still kept.
fn collect(
    news: mpsc::Receiver<News<'_>>,
    store: &mut Store,
    progress: &mut Progress,
    cancel: &AtomicBool,
    stop: &AtomicBool,
) -> Result<(), ExecuteError> {
    let mut outcome = Ok(());
    loop {
        if cancel.load(Ordering::Relaxed) && !stop.swap(true, Ordering::Relaxed) {
            outcome = Err(ExecuteError::Interrupted);
        }
        let result = match news.recv_timeout(POLL) {
            Ok(News::Trial) => {
                progress.trial();
                Ok(())
            }
            Ok(News::Finished(batch, records)) => keep(batch, records, store, progress),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                progress.tick();
                Ok(())
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return outcome,
        };
        if result.is_err() && !stop.swap(true, Ordering::Relaxed) {
            outcome = result;
        }
    }
}

fn keep(
    batch: &Batch,
    records: Result<Vec<Record>, VmError>,
    store: &mut Store,
    progress: &mut Progress,
) -> Result<(), ExecuteError> {
    for record in records? {
        store.append(record)?;
    }
    store.finish_batch(batch.id);
    progress.batch(batch);
    Ok(())
}

/// How often an interruption is looked for.
const POLL: std::time::Duration = std::time::Duration::from_millis(200);

/// A failure after an interruption is the interruption's: a terminal's goes to the tools of a visit as well.
fn interrupted(error: MeasureError, cancel: &AtomicBool) -> ExecuteError {
    if cancel.load(Ordering::Relaxed) { ExecuteError::Interrupted } else { error.into() }
}
