//! `run.json`: everything that the report and the gate read beside the trials.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Axes, Cell, ConnectionCurve, ConnectionLoad, Curve, CurveKey, DecisionSummary, Distribution, Environment,
    ExpectedCost, FairnessSummary, LoadedLatency, Origin, Plan, ProgrammingRecord, RateCurve, RateKind,
    ReachabilityRecord, SkippedCell, ThroughputRecord, TrialKind, VenueKind, name,
};

/// Version of the layout of `run.json`; a reader refuses every other.
pub const RUN_SCHEMA_VERSION: u32 = 2;

/// A finished run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunFile {
    /// Version of this layout.
    pub schema_version: u32,
    /// Machine, tools and command.
    pub environment: Environment,
    /// What was asked for.
    pub plan: Plan,
    /// What it cost to program the kernel.
    pub programming: Vec<ProgrammingRecord>,
    /// Saturation trials (host venue).
    pub throughput: Vec<ThroughputRecord>,
    /// Which endpoints the flows of each cell reached, where that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<DecisionSummary>,
    /// How each way of spreading flows kept its promise, and what a change of endpoints did, where that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fairness: Vec<FairnessSummary>,
    /// What a first packet of an imported cluster is expected to cost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected: Vec<ExpectedCost>,
    /// Real connections over N, where they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<ConnectionCurve>,
    /// Searched rates over N, where they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<RateCurve>,
    /// What came back from ClusterIPs and a load balancer's address, where that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reachability: Vec<ReachabilityRecord>,
    /// Latency under shares of the loss-free rates that were found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loaded: Vec<LoadedLatency>,
    /// Every metric of every backend over N.
    pub curves: Vec<Curve>,
    /// All trials of each cell as one distribution.
    pub distributions: Vec<Distribution>,
    /// Cells of the plan that were not measured, and why.
    pub skipped: Vec<SkippedCell>,
    /// What a reader must know before trusting the curves.
    pub warnings: Vec<Warning>,
    /// SHA-256, in hexadecimal, of the file without white space and up to this member: a file edited by hand is refused.
    pub seal: String,
}

/// Something about the data that weakens a conclusion.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Warning {
    /// Packets of a cell's trials were lost or went elsewhere.
    Suspect {
        /// The cell.
        cell: Cell,
        /// What was timed in it.
        trial_kind: TrialKind,
        /// What happened.
        reason: String,
    },
    /// Real connections of a cell failed, or some of its trials are invalid.
    Connections {
        /// The cell.
        cell: Cell,
        /// The load.
        load: ConnectionLoad,
        /// What happened.
        reason: String,
    },
    /// Times of an emulated machine.
    Emulated {
        /// Where.
        venue: VenueKind,
        /// Kernel release.
        kernel: String,
    },
    /// A control of a reachability experiment failed: it shows nothing.
    Reachability {
        /// The cell.
        cell: Cell,
        /// From where.
        from: Origin,
        /// What happened.
        reason: String,
    },
    /// Searches of a cell have irregular results.
    Rates {
        /// The cell.
        cell: Cell,
        /// The rate.
        rate: RateKind,
        /// Why.
        reason: String,
    },
    /// Searches of an earlier version counted what a queue held when sending ended as carried.
    QueuesCounted,
    /// `added` is missing: no `direct-conntrack` trial of the same N to pair with.
    NoBaseline {
        /// The traversal curve.
        curve: CurveKey,
        /// Every N without a pair.
        services: Vec<u32>,
    },
    /// The same trial was recorded more than once; the last record counts.
    DuplicateTrial {
        /// The cell.
        cell: Cell,
        /// Index of the trial.
        trial: u32,
    },
    /// The rules held ballast: a self-test, not a normal run.
    SelfTest {
        /// Services per rule that matches nothing.
        services_a_rule: u32,
    },
    /// Flows were spread unevenly on purpose: a self-test, not a normal run.
    Biased {
        /// How many times its share the first endpoint of every service got.
        times: u32,
    },
    /// Cells of the plan have neither a trial nor a reason: the run is not complete.
    Unmeasured {
        /// How many.
        cells: u64,
        /// The first of them.
        first: Cell,
    },
    /// The machine was too noisy for its host trials to be concluded from.
    TooNoisy {
        /// Score of the preflight, of 100.
        score: u8,
        /// What disturbed, and what to do.
        advice: Vec<String>,
    },
    /// Trials of a cell lie far from its others (real time only).
    Outlier {
        /// The cell.
        cell: Cell,
        /// Which, in the order of the point's values, from 0.
        trials: Vec<u32>,
        /// Of how many.
        of: u32,
        /// Distance of the furthest from the median, in per cent of it.
        furthest_percent: i64,
    },
    /// The trials of a cell move in one direction while the run goes on (real time only).
    Drift {
        /// The cell.
        cell: Cell,
        /// How many trials.
        trials: u32,
        /// Median of the last third less that of the first, in per cent of the median.
        change_percent: i64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suspect { cell, reason, .. } => write!(f, "suspect: {cell}: {reason}"),
            Self::Connections { cell, load, reason } => write!(f, "connections: {cell} at {load}: {reason}"),
            Self::Emulated { venue, kernel } => {
                write!(f, "times on {} {kernel}: the machine is emulated in software; ", name(venue))?;
                f.write_str("its backends can be compared with each other, and none of it with a host or with hardware")
            }
            Self::Reachability { cell, from, reason } => {
                write!(f, "reachability: {cell} from {}: {reason}", name(from))
            }
            Self::Rates { cell, rate, reason } => write!(f, "irregular: {rate} of {cell}: {reason}"),
            Self::QueuesCounted => f.write_str(
                "rates: some searches are of an earlier version, which counted as carried what the ring of a device still held when sending ended, up to 256 packets: \
                 of trials of 100 ms their rates are too high by up to 2,560 packets a second. That is the larger a share the slower the node, so what a service adds \
                 by these rates is too small, and rates fall too little over N; a share of such a rate may be more than the node carries, and its latency that of a \
                 full queue; CPUs in use are too many",
            ),
            Self::NoBaseline { curve, services } => {
                let Axes { venue, kernel, backend, flow, position, .. } = &curve.axes;
                let (venue, backend, flow, position) = (name(venue), name(backend), name(flow), name(position));
                write!(f, "no added for {venue} {kernel} {backend} {flow} {position} at N = ")?;
                let listed: Vec<_> = services.iter().map(u32::to_string).collect();
                write!(f, "{}: direct-conntrack was not measured there", listed.join(", "))
            }
            Self::DuplicateTrial { cell, trial } => {
                write!(f, "trial {trial} of {cell} was recorded more than once; the last record counts")
            }
            Self::SelfTest { services_a_rule } => {
                write!(f, "self-test: one rule that matches nothing per {services_a_rule} services; not a normal run")
            }
            Self::Biased { times } => {
                write!(
                    f,
                    "self-test: the first endpoint of every service gets {times} times its share; not a normal run"
                )
            }
            Self::Unmeasured { cells, first } => {
                write!(f, "run not complete: {cells} planned cells have no trial, the first is {first}")
            }
            Self::TooNoisy { score, advice } => {
                write!(f, "the machine was too noisy to conclude from host trials (score {score} of 100): ")?;
                f.write_str(&advice.join("; "))
            }
            Self::Outlier { cell, trials, of, furthest_percent } => {
                let listed: Vec<_> = trials.iter().map(u32::to_string).collect();
                let which = if trials.len() == 1 { "trial" } else { "trials" };
                write!(
                    f,
                    "{cell}: {which} {} of {of} (from 0) lie up to {furthest_percent:+}% from the median; ",
                    listed.join(", ")
                )?;
                f.write_str("something else ran then: the median bears it, a mean and p99 do not; read the interval, or measure again")
            }
            Self::Drift { cell, trials, change_percent } => {
                write!(
                    f,
                    "{cell}: the median moves by {change_percent:+}% from the first third of {trials} trials to the last; "
                )?;
                f.write_str("the machine changed during the run (frequency, heat, other load): compare within rounds, or measure again")
            }
        }
    }
}
