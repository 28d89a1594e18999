//! From trials to a [`RunFile`]: curves, their fits, and what to be warned of. Pure.

use std::collections::{BTreeMap, BTreeSet};

use curve_stats::{NoiseFloor, StatsError, fit};

use super::connections::connection_curves;
use super::decisions::summarise;
use super::distribution::distributions;
use super::expected::expected;
use super::fairness::summarise_fairness;
use super::loaded::loaded_latencies;
use super::rate_curve::rate_curves;
use super::reachability::last_of_each;
use super::sample::{Sample, point, suspect};
use super::screen::screened;
use super::seal::seal;
use super::{
    Axes, BackendKind, Bracket, Cell, ConnectionCurve, ConnectionKey, ConnectionPoint, ConnectionRecord, Curve,
    CurveKey, DecisionRecord, DecisionSummary, Environment, ExpectedKey, FairnessRecord, Flow, Integrity, Manifest,
    MergeError, Metric, NoiseVerdict, Origin, PlannedCell, Preflight, ProgrammingRecord, RUN_SCHEMA_VERSION, RateCurve,
    RatePoint, RateRecord, ReachabilityRecord, ReachedError, RunFile, SkippedCell, ThroughputRecord, TrialKind,
    TrialRecord, Unit, VenueKind, Warning, name,
};
use crate::workload::{Protocol, VipLayout};

/// Trials that no run file can be made of.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// A curve whose trials no statistic can be computed from.
    #[error("cannot fit {curve}")]
    Fit {
        /// The curve.
        curve: Box<CurveKey>,
        /// Why.
        #[source]
        source: StatsError,
    },
    /// A cell whose histograms do not add up.
    #[error("cannot merge the trials of {cell}")]
    Distribution {
        /// The cell.
        cell: Box<Cell>,
        /// Why.
        #[source]
        source: MergeError,
    },
    /// An expected cost whose trials no statistic can be computed from.
    #[error("cannot tell the expected cost of {} at N = {} on {}", name(&.key.backend), .key.services, .key.kernel)]
    Expected {
        /// Which.
        key: Box<ExpectedKey>,
        /// Why.
        #[source]
        source: StatsError,
    },
    /// Connections whose trials no statistic can be computed from.
    #[error("cannot estimate the connections of {curve}")]
    Connections {
        /// The curve.
        curve: Box<ConnectionKey>,
        /// Why.
        #[source]
        source: StatsError,
    },
    /// A cell whose latencies under load do not add up.
    #[error("cannot merge the latencies under load of {cell}")]
    Loaded {
        /// The cell.
        cell: Box<Cell>,
        /// Why.
        #[source]
        source: MergeError,
    },
    /// A cell whose decisions cannot be read.
    #[error("cannot read the decisions of {cell}")]
    Decisions {
        /// The cell.
        cell: Box<Cell>,
        /// Why.
        #[source]
        source: ReachedError,
    },
    /// A cell whose fairness cannot be read.
    #[error("cannot read the fairness of {cell}")]
    Fairness {
        /// The cell.
        cell: Box<Cell>,
        /// Why.
        #[source]
        source: ReachedError,
    },
    /// The run cannot be written as JSON.
    #[error("cannot seal the run")]
    Seal(#[source] serde_json::Error),
}

/// Samples of every curve, by N.
type Samples = BTreeMap<CurveKey, BTreeMap<u32, Vec<Sample>>>;

/// What a run recorded, in any order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Recorded<'a> {
    /// Packets timed.
    pub trials: &'a [TrialRecord],
    /// Costs of programming.
    pub programming: &'a [ProgrammingRecord],
    /// Saturation trials.
    pub throughput: &'a [ThroughputRecord],
    /// Which endpoint each flow reached.
    pub decisions: &'a [DecisionRecord],
    /// Which endpoint flows reached before and after a change.
    pub fairness: &'a [FairnessRecord],
    /// Trials of real connections.
    pub connections: &'a [ConnectionRecord],
    /// Searches for rates.
    pub rates: &'a [RateRecord],
    /// What came back from ClusterIPs and a load balancer's address.
    pub reachability: &'a [ReachabilityRecord],
}

/// [`assemble_records`] of a run that asked for nothing else.
///
/// # Errors
/// As there.
pub fn assemble(
    manifest: Manifest,
    trials: &[TrialRecord],
    programming: &[ProgrammingRecord],
    throughput: &[ThroughputRecord],
    skipped: &[SkippedCell],
) -> Result<RunFile, AssembleError> {
    assemble_records(manifest, Recorded { trials, programming, throughput, ..Recorded::default() }, skipped)
}

/// Builds the run file from what was recorded.
///
/// `traversal` and `floor` curves come straight from the trials. `added` pairs each traversal trial with the
/// `direct-conntrack` trial of the same venue, kernel, unit, bracket, protocol, N, flow and trial index, and subtracts quantile from
/// quantile; of several (they differ in layout or M, which plain routing does not see) the one with the cell's own layout and M
/// is taken, else the first. A trial without a partner gives no `added`, and a warning. Each histogram is decoded once, into the
/// distribution of its cell.
///
/// # Errors
/// A curve's sums overflow, or a trial's histogram is none or holds another number of packets than the trial.
pub fn assemble_records(
    manifest: Manifest,
    records: Recorded<'_>,
    skipped: &[SkippedCell],
) -> Result<RunFile, AssembleError> {
    let Recorded { trials, programming, throughput, decisions, fairness, connections, rates, reachability } = records;
    let mut warnings = Vec::from_iter(self_test(&manifest));
    warnings.extend(manifest.plan.self_test_bias.map(|times| Warning::Biased { times: times.get() }));
    warnings.extend(emulated(&manifest.environment));
    let trials = distinct(trials, &mut warnings);
    warnings.extend(manifest.environment.preflight.as_ref().and_then(too_noisy));
    warnings.extend(unmeasured(&manifest.plan.cells, &trials, skipped));
    let mut samples = as_measured(&trials);
    warnings.extend(samples.iter().flat_map(suspects));
    warnings.extend(throughput.iter().filter_map(misdirected));
    let decisions = summarise(decisions).map_err(|(cell, source)| AssembleError::Decisions { cell, source })?;
    warnings.extend(decisions.iter().filter_map(astray));
    let fairness = summarise_fairness(fairness).map_err(|(cell, source)| AssembleError::Fairness { cell, source })?;
    let connections =
        connection_curves(connections).map_err(|(curve, source)| AssembleError::Connections { curve, source })?;
    warnings.extend(connections.iter().flat_map(troubled));
    let loaded = loaded_latencies(rates).map_err(|(cell, source)| AssembleError::Loaded { cell, source })?;
    let rates = rate_curves(rates);
    warnings.extend(rates.iter().flat_map(irregular));
    warnings.extend(queues_counted(&rates));
    let reachability = last_of_each(reachability);
    warnings.extend(reachability.iter().flat_map(uncontrolled));
    let (added, missing) = added(&trials);
    samples.extend(added);
    warnings.extend(missing);
    let curves =
        samples.into_iter().map(|(key, by_services)| curve(key, &by_services)).collect::<Result<Vec<_>, _>>()?;
    warnings.extend(screened(&curves));
    let expected = manifest.plan.cluster.as_ref().map(|cluster| expected(cluster, &trials)).transpose()?;
    let mut run = RunFile {
        schema_version: RUN_SCHEMA_VERSION,
        environment: manifest.environment,
        plan: manifest.plan,
        programming: sorted(programming, |r| {
            (r.venue, r.kernel.clone(), r.backend, r.layout, r.op, r.services, r.trial)
        }),
        throughput: sorted(throughput, |r| (r.cell.clone(), r.trial)),
        decisions,
        fairness,
        connections,
        rates,
        reachability,
        loaded,
        expected: expected.unwrap_or_default(),
        curves,
        distributions: distributions(&trials)?,
        skipped: sorted(skipped, Clone::clone),
        warnings,
        seal: String::new(),
    };
    run.seal = seal(&run).map_err(AssembleError::Seal)?;
    Ok(run)
}

fn too_noisy(preflight: &Preflight) -> Option<Warning> {
    let advice = preflight.findings.iter().map(|finding| finding.advice.clone()).collect();
    (preflight.verdict == NoiseVerdict::TooNoisy).then_some(Warning::TooNoisy { score: preflight.score, advice })
}

fn self_test(manifest: &Manifest) -> Option<Warning> {
    let services_a_rule = manifest.plan.self_test_ballast?.get();
    Some(Warning::SelfTest { services_a_rule })
}

fn sorted<T: Clone, K: Ord>(records: &[T], key: impl Fn(&T) -> K) -> Vec<T> {
    let mut records = records.to_vec();
    records.sort_by_key(key);
    records
}

/// Every trial once, in order of cell, kind and index.
fn distinct<'a>(trials: &'a [TrialRecord], warnings: &mut Vec<Warning>) -> Vec<&'a TrialRecord> {
    let mut by_identity = BTreeMap::new();
    for trial in trials {
        let identity = (&trial.cell, trial.kind, trial.unit, trial.trial);
        if by_identity.insert(identity, trial).is_some() {
            warnings.push(Warning::DuplicateTrial { cell: trial.cell.clone(), trial: trial.trial });
        }
    }
    by_identity.into_values().collect()
}

fn unmeasured(planned: &[PlannedCell], trials: &[&TrialRecord], skipped: &[SkippedCell]) -> Option<Warning> {
    let known: BTreeSet<&Cell> = trials.iter().map(|t| &t.cell).chain(skipped.iter().map(|s| &s.cell)).collect();
    let mut missing = planned.iter().map(|planned| &planned.cell).filter(|cell| !known.contains(cell));
    let first = missing.next()?.clone();
    Some(Warning::Unmeasured { cells: 1 + missing.count() as u64, first })
}

fn key(trial: &TrialRecord, metric: Metric) -> CurveKey {
    CurveKey { axes: Axes::from(&trial.cell), metric, unit: trial.unit }
}

fn as_measured(trials: &[&TrialRecord]) -> Samples {
    let mut samples = Samples::new();
    for trial in trials {
        let metric = match trial.kind {
            TrialKind::Traversal => Metric::Traversal,
            TrialKind::Floor => Metric::Floor,
        };
        let by_services = samples.entry(key(trial, metric)).or_default();
        by_services.entry(trial.cell.services).or_default().push(Sample::traversal(trial));
    }
    samples
}

fn suspects((key, by_services): (&CurveKey, &BTreeMap<u32, Vec<Sample>>)) -> Vec<Warning> {
    let trial_kind = if key.metric == Metric::Floor { TrialKind::Floor } else { TrialKind::Traversal };
    let flagged = by_services.iter().filter_map(|(&services, samples)| Some((services, suspect(samples)?)));
    flagged.map(|(services, reason)| Warning::Suspect { cell: key.axes.cell(services), trial_kind, reason }).collect()
}

/// Forwarded packets that missed the service are no throughput.
fn misdirected(trial: &ThroughputRecord) -> Option<Warning> {
    let ThroughputRecord { cell, misdirected, forwarded, .. } = trial;
    let reason = format!("at saturation {misdirected} of {forwarded} forwarded packets were misdirected");
    (*misdirected > 0).then(|| Warning::Suspect { cell: cell.clone(), trial_kind: TrialKind::Traversal, reason })
}

/// Flows that were lost or went elsewhere reached nothing that can be counted.
fn astray(summary: &DecisionSummary) -> Option<Warning> {
    let DecisionSummary { cell, flows, lost, elsewhere, .. } = summary;
    let reason =
        format!("of {flows} flows whose endpoint was asked for {lost} were lost and {elsewhere} went elsewhere");
    (lost + elsewhere > 0).then(|| Warning::Suspect { cell: cell.clone(), trial_kind: TrialKind::Traversal, reason })
}

/// Connections that failed, and trials that are none.
fn troubled(curve: &ConnectionCurve) -> Vec<Warning> {
    let of_point = |point: &ConnectionPoint| {
        let reason = point.trouble()?;
        Some(Warning::Connections { cell: curve.key.axes.cell(point.services), load: curve.key.load, reason })
    };
    curve.points.iter().filter_map(of_point).collect()
}

/// Kernels whose times are no hardware's.
fn emulated(environment: &Environment) -> impl Iterator<Item = Warning> {
    let kernels = environment.kernels.iter().filter(|kernel| kernel.emulated);
    kernels.map(|kernel| Warning::Emulated { venue: kernel.venue, kernel: kernel.release.clone() })
}

/// Results that are not what was searched for.
fn irregular(curve: &RateCurve) -> Vec<Warning> {
    let of_point = |point: &RatePoint| {
        let (irregular, searches) = (point.irregular, point.trials);
        let mix = curve.key.new_share.map_or_else(String::new, |share| format!("with {share} new flows "));
        let reason = format!("{mix}{irregular} of {searches} searches: {}", point.reasons.join("; "));
        let (cell, rate) = (curve.key.axes.cell(point.services), curve.key.rate);
        (irregular > 0).then_some(Warning::Rates { cell, rate, reason })
    };
    curve.points.iter().filter_map(of_point).collect()
}

/// Searches whose rates hold what came out of a queue in the end.
fn queues_counted(curves: &[RateCurve]) -> Option<Warning> {
    let mut points = curves.iter().flat_map(|curve| &curve.points);
    points.any(RatePoint::counts_queues).then_some(Warning::QueuesCounted)
}

/// Experiments whose control failed.
fn uncontrolled(record: &ReachabilityRecord) -> Vec<Warning> {
    let from =
        |from: Origin| Some(Warning::Reachability { cell: record.cell.clone(), from, reason: record.invalid(from)? });
    Origin::ALL.into_iter().filter_map(from).collect()
}

/// What a trial and its `direct-conntrack` partner must share.
type Pairing<'a> = (VenueKind, &'a str, Unit, Bracket, Protocol, u32, Flow, u32);

fn pairing(trial: &TrialRecord) -> Pairing<'_> {
    let cell = &trial.cell;
    (cell.venue, &cell.kernel, trial.unit, cell.bracket, cell.protocol, cell.services, cell.flow, trial.trial)
}

/// `direct-conntrack` trials by what they pair on, then by layout and M.
pub(super) struct Baselines<'a>(BTreeMap<Pairing<'a>, BTreeMap<(VipLayout, u32), &'a TrialRecord>>);

impl<'a> Baselines<'a> {
    pub(super) fn of(trials: &[&'a TrialRecord]) -> Self {
        let mut baselines = Self(BTreeMap::new());
        for trial in trials.iter().filter(|trial| trial.cell.backend == BackendKind::DirectConntrack) {
            baselines.0.entry(pairing(trial)).or_default().insert((trial.cell.layout, trial.cell.endpoints), trial);
        }
        baselines
    }

    pub(super) fn partner(&self, trial: &'a TrialRecord) -> Option<&'a TrialRecord> {
        let candidates = self.0.get(&pairing(trial))?;
        candidates.get(&(trial.cell.layout, trial.cell.endpoints)).or_else(|| candidates.values().next()).copied()
    }
}

/// `added` samples, and a warning for each curve that has trials without a partner.
fn added(trials: &[&TrialRecord]) -> (Samples, Vec<Warning>) {
    let traversals: Vec<_> = trials.iter().copied().filter(|trial| trial.kind == TrialKind::Traversal).collect();
    let baselines = Baselines::of(&traversals);
    let (mut samples, mut alone) = (Samples::new(), BTreeMap::<CurveKey, BTreeSet<u32>>::new());
    for trial in traversals.into_iter().filter(|trial| trial.cell.backend != BackendKind::DirectConntrack) {
        let (curve, services) = (key(trial, Metric::Added), trial.cell.services);
        match baselines.partner(trial) {
            Some(partner) => {
                samples.entry(curve).or_default().entry(services).or_default().push(Sample::added(trial, partner));
            }
            None => {
                alone.entry(curve).or_default().insert(services);
            }
        }
    }
    let warn =
        |(curve, services): (_, BTreeSet<_>)| Warning::NoBaseline { curve, services: services.into_iter().collect() };
    (samples, alone.into_iter().map(warn).collect())
}

/// What trials of a unit do not show of a traversal's error. Identical trials of the deterministic vm hide that another seed, memory size or
/// kernel command line moves it, and those of a model that another key of its hash tables does. Of what is `added` it is a share of the two traversals, not of their difference.
pub fn noise_floor(unit: Unit) -> NoiseFloor {
    match unit {
        Unit::Instructions | Unit::Steps => NoiseFloor(0.005),
        Unit::Ns => NoiseFloor::NONE,
    }
}

fn curve(key: CurveKey, by_services: &BTreeMap<u32, Vec<Sample>>) -> Result<Curve, AssembleError> {
    let mut integrity = Integrity::default();
    let mut observations = Vec::new();
    let mut points = Vec::with_capacity(by_services.len());
    let failed = |source| AssembleError::Fit { curve: Box::new(key.clone()), source };
    for (&services, samples) in by_services {
        samples.iter().for_each(|sample| integrity.add(sample.integrity));
        observations.extend(samples.iter().map(|sample| sample.observation(services)));
        points.push(point(services, key.axes.endpoints, samples).map_err(failed)?);
    }
    let fit = fit(&observations, noise_floor(key.unit)).map_err(failed)?;
    Ok(Curve { key, points, integrity, fit })
}
