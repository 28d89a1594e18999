//! The run's directory: `plan.json`, and `trials.jsonl` that grows as batches finish.
//!
//! A killed run resumes: whole batches are kept, what an unfinished batch left is thrown away and measured again. When
//! every batch is there, the lines are put in the plan's order, so that two runs compare byte by byte whatever order their
//! batches finished in.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::plan::Plan;
use super::record::{Record, Slot};
use crate::result::{JsonlError, JsonlWriter, read_jsonl};
use crate::whole::write_whole;

/// Name of the trials file.
pub const TRIALS: &str = "trials.jsonl";
/// Name of the plan file.
pub const PLAN: &str = "plan.json";

/// What can go wrong with a run's directory.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file could not be read or written.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// Verb.
        action: &'static str,
        /// File.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `trials.jsonl` cannot be read or appended to.
    #[error(transparent)]
    Records(#[from] JsonlError),
    /// The directory holds a run of another plan.
    #[error(
        "{path} holds a run of another plan or another lbcurve: choose another --out, or repeat that run's command to resume it"
    )]
    OtherPlan {
        /// Directory.
        path: PathBuf,
    },
    /// Another process writes into the directory.
    #[error("{path} is in use by another run: wait for it, or choose another --out")]
    InUse {
        /// Directory.
        path: PathBuf,
    },
    /// The directory holds trials of other kernels.
    #[error("{path} holds a run of {found}, this one measures {expected}: choose another --out")]
    OtherKernel {
        /// Directory.
        path: PathBuf,
        /// Kernels of the plan that is there.
        found: String,
        /// Kernels now.
        expected: String,
    },
}

/// An open run directory.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    /// Held locked as long as the store is open.
    _lock: File,
    log: JsonlWriter,
    records: Vec<Record>,
    done: HashSet<u32>,
}

impl Store {
    /// Opens or creates the directory, and drops the lines of batches that did not finish.
    ///
    /// # Errors
    /// [`StoreError`]: the directory cannot be written, or holds another run.
    pub fn open(dir: &Path, plan: &Plan) -> Result<Self, StoreError> {
        std::fs::create_dir_all(dir).map_err(io_error("create", dir))?;
        let lock = lock(dir)?;
        claim(dir, plan)?;
        let path = dir.join(TRIALS);
        let (records, done) = keep_whole_batches(plan, read_jsonl(&path)?.records);
        rewrite(&path, &records)?;
        Ok(Self { dir: dir.to_owned(), _lock: lock, log: JsonlWriter::append_to(&path)?, records, done })
    }

    /// Whether a batch was finished, in this process or an earlier one.
    pub fn is_done(&self, batch: u32) -> bool {
        self.done.contains(&batch)
    }

    /// The run's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Every record so far.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Appends one record and hands it to the operating system.
    ///
    /// # Errors
    /// [`StoreError::Io`], e.g. a full disk; what was written before stays.
    pub fn append(&mut self, record: Record) -> Result<(), StoreError> {
        self.log.append(&record)?;
        self.records.push(record);
        Ok(())
    }

    /// Marks a batch as finished.
    pub fn finish_batch(&mut self, batch: u32) {
        self.done.insert(batch);
    }

    /// Puts the lines in the plan's order once every batch is there.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn finish(&mut self, plan: &Plan) -> Result<(), StoreError> {
        let order: HashMap<Slot, usize> = plan
            .batches
            .iter()
            .flat_map(|batch| batch.slots())
            .enumerate()
            .map(|(place, slot)| (slot, place))
            .collect();
        self.records.sort_by_key(|record| order.get(&record.slot()).copied());
        rewrite(&self.dir.join(TRIALS), &self.records)
    }
}

/// Locks the directory itself: the lock goes with the process.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let file = File::open(dir).map_err(io_error("open", dir))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::InUse { path: dir.to_owned() }),
        Err(errno) => Err(StoreError::Io { action: "lock", path: dir.to_owned(), source: errno.into() }),
    }
}

/// Writes the plan into an empty directory, or checks that it is the one that is there.
fn claim(dir: &Path, plan: &Plan) -> Result<(), StoreError> {
    let path = dir.join(PLAN);
    let text = serde_json::to_string_pretty(plan).map_err(|source| as_io("encode", &path, source))?;
    match std::fs::read_to_string(&path) {
        Ok(found) if found == text => Ok(()),
        Ok(found) => Err(other_plan(dir, &found, plan)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write_whole(&path, text.as_bytes()).map_err(io_error("write", &path))
        }
        Err(source) => Err(StoreError::Io { action: "read", path, source }),
    }
}

/// Why the plan that is there is not this one: kernels change by themselves, when packages do, so they are told apart.
fn other_plan(dir: &Path, found: &str, plan: &Plan) -> StoreError {
    let path = dir.to_owned();
    let list = |plan: &Plan| {
        let kernels = plan.measured_by.kernels.iter().map(|(kernel, identity)| format!("{kernel} ({identity})"));
        kernels.collect::<Vec<_>>().join(", ")
    };
    match serde_json::from_str::<Plan>(found) {
        Ok(found) if found.measured_by.kernels != plan.measured_by.kernels => {
            StoreError::OtherKernel { path, found: list(&found), expected: list(plan) }
        }
        _ => StoreError::OtherPlan { path },
    }
}

fn keep_whole_batches(plan: &Plan, found: Vec<Record>) -> (Vec<Record>, HashSet<u32>) {
    let present: HashSet<Slot> = found.iter().map(Record::slot).collect();
    let mut done = HashSet::new();
    let mut kept_slots = HashSet::new();
    for batch in &plan.batches {
        let slots = batch.slots();
        if slots.iter().all(|slot| present.contains(slot)) {
            done.insert(batch.id);
            kept_slots.extend(slots);
        }
    }
    let records = found.into_iter().filter(|record| kept_slots.remove(&record.slot())).collect();
    (records, done)
}

fn rewrite(path: &Path, records: &[Record]) -> Result<(), StoreError> {
    let mut text = String::new();
    for record in records {
        text += &serde_json::to_string(record).map_err(|source| as_io("encode a record for", path, source))?;
        text.push('\n');
    }
    write_whole(path, text.as_bytes()).map_err(io_error("write", path))
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}

fn as_io(action: &'static str, path: &Path, source: serde_json::Error) -> StoreError {
    StoreError::Io { action, path: path.to_owned(), source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{BackendKind, Bracket, ProgrammingOp, ProgrammingRecord, Unit, VenueKind};
    use crate::run::plan::{Batch, Measure, MeasureKind, MeasuredBy, Setup, Visit};
    use crate::run::scenario::Wishes;
    use crate::workload::{Protocol, VipLayout};

    fn setup(services: u32) -> Setup {
        Setup {
            backend: BackendKind::Ipvs,
            bracket: Bracket::Tc,
            layout: VipLayout::Sequential,
            protocol: Protocol::Tcp,
            services,
            endpoints: 2,
        }
    }

    /// A batch a service count, each with one programming measure: three slots.
    fn plan(services: &[u32]) -> Plan {
        let measure = Measure { kind: MeasureKind::Programming, trial: 0, packets: 0, first_flow: 0 };
        let batch = |(id, services): (usize, &u32)| Batch {
            id: id as u32,
            venue: VenueKind::Vm,
            kernel: "6.1".into(),
            visits: vec![Visit { setup: setup(*services), measures: vec![measure] }],
        };
        let scenario = Wishes::default().resolve().unwrap();
        Plan {
            scenario,
            measured_by: measured_by(),
            batches: services.iter().enumerate().map(batch).collect(),
            skipped: Vec::new(),
        }
    }

    fn measured_by() -> MeasuredBy {
        MeasuredBy {
            lbcurve: "0".into(),
            ebpf_object_sha256: "0".into(),
            deterministic: vec![VenueKind::Vm],
            emulated: Vec::new(),
            kernels: [("vm 6.1".to_owned(), "1".to_owned())].into(),
        }
    }

    fn records(services: u32) -> Vec<Record> {
        let op = |op| {
            Record::Programming(ProgrammingRecord {
                venue: VenueKind::Vm,
                kernel: "6.1".into(),
                backend: BackendKind::Ipvs,
                layout: VipLayout::Sequential,
                protocol: Protocol::Tcp,
                services,
                endpoints: 2,
                op,
                trial: 0,
                unit: Unit::Instructions,
                total: 3,
                user: 1,
                kernel_time: 2,
                memory: None,
            })
        };
        [ProgrammingOp::FromNothing, ProgrammingOp::AddService, ProgrammingOp::ChangeEndpoint].map(op).to_vec()
    }

    fn finish(store: &mut Store, batch: u32, services: u32) {
        records(services).into_iter().for_each(|record| store.append(record).unwrap());
        store.finish_batch(batch);
    }

    #[test]
    fn a_resumed_run_keeps_whole_batches_and_drops_the_half_one() {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan(&[1, 10]);
        let mut store = Store::open(dir.path(), &plan).unwrap();
        finish(&mut store, 0, 1);
        store.append(records(10).remove(0)).unwrap();
        drop(store);
        let store = Store::open(dir.path(), &plan).unwrap();
        assert!(store.is_done(0) && !store.is_done(1));
        assert_eq!(store.records(), records(1));
    }

    #[test]
    fn the_order_of_finishing_leaves_no_trace() {
        let plan = plan(&[1, 10, 100]);
        let text = |order: &[(u32, u32)]| {
            let dir = tempfile::tempdir().unwrap();
            let mut store = Store::open(dir.path(), &plan).unwrap();
            order.iter().for_each(|&(batch, services)| finish(&mut store, batch, services));
            store.finish(&plan).unwrap();
            std::fs::read(dir.path().join(TRIALS)).unwrap()
        };
        assert_eq!(text(&[(0, 1), (1, 10), (2, 100)]), text(&[(2, 100), (0, 1), (1, 10)]));
    }

    #[test]
    fn another_plan_or_kernel_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path(), &plan(&[1])).unwrap();
        finish(&mut store, 0, 1);
        assert!(matches!(Store::open(dir.path(), &plan(&[1])), Err(StoreError::InUse { .. })));
        drop(store);
        assert!(matches!(Store::open(dir.path(), &plan(&[2])), Err(StoreError::OtherPlan { .. })));
        let mut updated = plan(&[1]);
        updated.measured_by.kernels.insert("vm 6.1".into(), "2".into());
        let error = Store::open(dir.path(), &updated).unwrap_err();
        assert!(matches!(&error, StoreError::OtherKernel { .. }));
        assert!(error.to_string().contains("6.1 (1), this one measures vm 6.1 (2)"), "{error}");
    }
}
