//! Whether the trials beside a run are the run's own: they are read once, line by line, before they are published.

use std::collections::{BTreeMap, HashMap};

use curve_stats::StatsError;

use crate::result::{
    Cell, ConnectionKey, ConnectionRecord, Curve, DecisionRecord, JsonlError, MergeError, MergedHistogram, Metric,
    ProgrammingRecord, RateCurve, ReachedError, Recorded, RunFile, ThroughputRecord, TrialKind, TrialRecord, Unit,
    connection_curves, last_of_each, loaded_latencies, rate_curves, summarise, summarise_fairness,
};
use crate::run::record::{Record, Slot};

/// Why trials are not published with a run.
#[derive(Debug, thiserror::Error)]
pub enum TrialsError {
    /// The file is damaged, cut, or cannot be read.
    #[error(transparent)]
    Records(#[from] JsonlError),
    /// A trial's histogram is none, or holds another number of packets.
    #[error("trial {trial} of {cell} is damaged")]
    Histogram {
        /// The cell.
        cell: Box<Cell>,
        /// Index of the trial.
        trial: u32,
        /// Why.
        #[source]
        source: MergeError,
    },
    /// A trial's decisions cannot be read.
    #[error("the decisions of {cell} are damaged")]
    Decisions {
        /// The cell.
        cell: Box<Cell>,
        /// Why.
        #[source]
        source: ReachedError,
    },
    /// What flows of a trial of fairness reached cannot be read.
    #[error("the fairness of {cell} is damaged")]
    Fairness {
        /// The cell.
        cell: Box<Cell>,
        /// Why.
        #[source]
        source: ReachedError,
    },
    /// The latencies under load of a search are damaged.
    #[error("the latencies under load of {cell} are damaged")]
    Loaded {
        /// The cell.
        cell: Box<Cell>,
        /// Why.
        #[source]
        source: MergeError,
    },
    /// No statistic can be computed from a trial of connections.
    #[error("the connections of {curve} are damaged")]
    Connections {
        /// The curve.
        curve: Box<ConnectionKey>,
        /// Why.
        #[source]
        source: StatsError,
    },
    /// The trials of a point are not those behind it.
    #[error("the trials are not this run's: {what}")]
    Foreign {
        /// What is missing, too much or different.
        what: String,
    },
}

/// A point's cell, what was timed in it, and the unit.
type Key = (Cell, TrialKind, Unit);

/// What the trials of a point say: index to median and packets.
type Trials = BTreeMap<u32, (u64, u64)>;

/// Checks that `records` are exactly those that `run` was made of: every point's trials with their medians and packets, every cost
/// of programming and every saturation trial. `added` and all fits follow from them.
///
/// # Errors
/// [`TrialsError`]: a record is damaged, missing, too much, or says something else than the run.
pub fn check_trials(
    run: &RunFile,
    records: impl Iterator<Item = Result<Record, JsonlError>>,
) -> Result<(), TrialsError> {
    let mut others = Others::of(run);
    let mut found = BTreeMap::<Key, Trials>::new();
    let mut histogram = MergedHistogram::new();
    let (mut decisions, mut fairness, mut connections) = (Vec::new(), Vec::new(), Vec::new());
    let (mut rates, mut reachability) = (Vec::new(), Vec::new());
    for record in records {
        match record? {
            Record::Trial(trial) => {
                whole(&trial, &mut histogram)?;
                let TrialRecord { cell, kind, unit, trial, packets, quantiles, .. } = trial;
                // Of a trial that was recorded twice the last counts, as in the run.
                found.entry((cell, kind, unit)).or_default().insert(trial, (quantiles.p50, packets));
            }
            Record::Decisions(trial) => decisions.push(trial),
            Record::Fairness(trial) => fairness.push(*trial),
            Record::Connections(trial) => connections.push(*trial),
            Record::Rates(trial) => rates.push(*trial),
            Record::Reachability(trial) => reachability.push(trial),
            other => others.take(&other)?,
        }
    }
    points(run, found)?;
    let records = Recorded {
        decisions: &decisions,
        fairness: &fairness,
        connections: &connections,
        rates: &rates,
        reachability: &reachability,
        ..Recorded::default()
    };
    summaries(run, &records)?;
    others.none_left()
}

fn whole(trial: &TrialRecord, histogram: &mut MergedHistogram) -> Result<(), TrialsError> {
    histogram.clear();
    histogram.add(&trial.histogram, trial.packets).map_err(|source| TrialsError::Histogram {
        cell: Box::new(trial.cell.clone()),
        trial: trial.trial,
        source,
    })
}

/// Every point has its trials, and no trial is left over.
fn points(run: &RunFile, mut found: BTreeMap<Key, Trials>) -> Result<(), TrialsError> {
    for curve in &run.curves {
        let Some(kind) = kind(curve) else { continue };
        for point in &curve.points {
            let cell = curve.key.axes.cell(point.services);
            let trials = found.remove(&(cell.clone(), kind, curve.key.unit)).unwrap_or_default();
            let packets: u64 = trials.values().map(|(_, packets)| packets).sum();
            if trials.len() != point.values.len() {
                let (has, found) = (point.values.len(), trials.len());
                return Err(foreign(format!("{cell} has {has} in run.json and {found} in the file")));
            }
            // The run's medians are these very numbers, so that they are equal or others.
            let same =
                trials.values().zip(&point.values).all(|((p50, _), value)| (*p50 as f64).total_cmp(value).is_eq());
            if !same || packets != point.packets {
                return Err(foreign(format!("{cell} has other medians or packets in run.json than in the file")));
            }
        }
    }
    match found.into_keys().next() {
        Some((cell, ..)) => Err(foreign(format!("run.json has no point of {cell}"))),
        None => Ok(()),
    }
}

/// What the run sums up is what the trials sum up to.
fn summaries(run: &RunFile, records: &Recorded<'_>) -> Result<(), TrialsError> {
    let decisions = summarise(records.decisions).map_err(|(cell, source)| TrialsError::Decisions { cell, source })?;
    same("other decisions", &decisions, &run.decisions, |summary| summary.cell.to_string())?;
    let fairness =
        summarise_fairness(records.fairness).map_err(|(cell, source)| TrialsError::Fairness { cell, source })?;
    same("another fairness", &fairness, &run.fairness, |summary| summary.cell.to_string())?;
    let connections =
        connection_curves(records.connections).map_err(|(curve, source)| TrialsError::Connections { curve, source })?;
    same("other connections", &connections, &run.connections, |curve| curve.key.to_string())?;
    let of_rates = |curve: &RateCurve| format!("{} ({})", curve.key.axes.cell(0), curve.key.rate);
    same("other rates", &rate_curves(records.rates), &run.rates, of_rates)?;
    let reachability = last_of_each(records.reachability);
    same("another reachability", &reachability, &run.reachability, |record| record.cell.to_string())?;
    let loaded = loaded_latencies(records.rates).map_err(|(cell, source)| TrialsError::Loaded { cell, source })?;
    same("other latencies under load", &loaded, &run.loaded, |entry| entry.cell.to_string())
}

/// The trials make what the run has; else the first that only one of them has is named.
fn same<T: PartialEq>(what: &str, found: &[T], has: &[T], of: impl Fn(&T) -> String) -> Result<(), TrialsError> {
    if found == has {
        return Ok(());
    }
    let first = found.iter().find(|one| !has.contains(one)).or_else(|| has.iter().find(|one| !found.contains(one)));
    let of = first.map_or_else(String::new, |one| format!(" of {}", of(one)));
    Err(foreign(format!("run.json has {what}{of} than the file")))
}

/// What the trials of a curve time; `added` has none of its own.
fn kind(curve: &Curve) -> Option<TrialKind> {
    match curve.key.metric {
        Metric::Traversal => Some(TrialKind::Traversal),
        Metric::Floor => Some(TrialKind::Floor),
        Metric::Added => None,
    }
}

/// Records that the run holds as they are, by their place in the plan.
struct Others(HashMap<Slot, Record>);

impl Others {
    fn of(run: &RunFile) -> Self {
        let programming = run.programming.iter().cloned().map(Record::Programming);
        let throughput = run.throughput.iter().cloned().map(Record::Throughput);
        Self(programming.chain(throughput).map(|record| (record.slot(), record)).collect())
    }

    fn take(&mut self, record: &Record) -> Result<(), TrialsError> {
        let expected = self.0.remove(&record.slot());
        if expected.as_ref() == Some(record) {
            Ok(())
        } else {
            Err(foreign(format!("{} is not in run.json", of(record))))
        }
    }

    fn none_left(&self) -> Result<(), TrialsError> {
        self.0.values().next().map_or(Ok(()), |record| Err(foreign(format!("{} is missing", of(record)))))
    }
}

/// What a record is about.
fn of(record: &Record) -> String {
    match record {
        Record::Trial(TrialRecord { cell, trial, .. }) => format!("trial {trial} of {cell}"),
        Record::Throughput(ThroughputRecord { cell, trial, .. }) => format!("saturation trial {trial} of {cell}"),
        Record::Decisions(DecisionRecord { cell, trial, .. }) => format!("decisions of trial {trial} of {cell}"),
        Record::Fairness(record) => format!("{} of {}", record.spreading, record.cell),
        Record::Connections(record) => {
            let ConnectionRecord { cell, load, trial, .. } = &**record;
            format!("trial {trial} of connections at {load} of {cell}")
        }
        Record::Rates(record) => format!("search {} of {}", record.trial, record.cell),
        Record::Reachability(record) => format!("the reachability of {}", record.cell),
        Record::Programming(ProgrammingRecord { backend, services, trial, .. }) => {
            format!("programming trial {trial} of {} at N={services}", crate::result::name(backend))
        }
    }
}

fn foreign(what: String) -> TrialsError {
    TrialsError::Foreign { what }
}
