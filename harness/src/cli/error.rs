//! Errors of the command: one line with cause and remedy, and an exit code of its own kind.

use std::process::ExitCode;

use curve_stats::StatsError;

use super::against::duel_code;
use super::publish::PublicationError;
use crate::backend::dump::{DumpError, ProgramError};
use crate::chain::one_line;
use crate::compare::CompareError;
use crate::gate::host::{DuelError, JobError};
use crate::gate::{BaselineError, PublishError};
use crate::net::NetError;
use crate::report::HlogError;
use crate::result::{AssembleError, JsonlError, RunFault, RunFileError};
use crate::run::execute::ExecuteError;
use crate::run::measure::MeasureError;
use crate::run::noise::NoiseError;
use crate::run::offer::OfferError;
use crate::run::scenario::ScenarioError;
use crate::run::store::StoreError;
use crate::venue::sim::SimError;
use crate::venue::vm::{VmError, VmOpenError};
use crate::workload::WorkloadError;

/// Why the command ends without doing what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The scenario cannot be used.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The workload does not fit.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The host venue needs root.
    #[error("the host venue programs this kernel, which needs root; run with sudo, or use --venue vm, which does not")]
    NeedsRoot,
    /// Namespaces of this kernel cannot be used.
    #[error(transparent)]
    Host(NetError),
    /// An asked backend cannot run anywhere that was asked for.
    #[error("nothing to measure: {}", .0.join("; "))]
    NothingReady(Vec<String>),
    /// What was measured is no ground for a baseline.
    #[error("packets of {cell} cannot be trusted: {reason}; measure again, and report it if it comes back")]
    Suspect {
        /// The cell.
        cell: String,
        /// What happened to its packets.
        reason: String,
    },
    /// The vm cannot be had.
    #[error(transparent)]
    VmOpen(#[from] VmOpenError),
    /// The run ended early.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// The run's directory failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The curves cannot be assembled.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// run.json cannot be read or written.
    #[error(transparent)]
    RunFile(#[from] RunFileError),
    /// The trials of a finished run cannot be read.
    #[error(transparent)]
    Trials(#[from] JsonlError),
    /// The trials cannot become a log.
    #[error("cannot write trials as a log")]
    Hlog(#[from] HlogError),
    /// There is nothing to draw.
    #[error("the run has no curve of what a backend adds, so there is no plot of it")]
    NoPlot,
    /// A run does not have what was to be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// An answer cannot be written as JSON.
    #[error("cannot write the answer as JSON")]
    Json(#[source] serde_json::Error),
    /// A file is no dump of kube-proxy's.
    #[error(transparent)]
    NotADump(#[from] DumpError),
    /// A dump's services cannot be programmed.
    #[error("{name}")]
    Dump {
        /// The dump.
        name: String,
        /// Why.
        #[source]
        source: ProgramError,
    },
    /// A guest failed.
    #[error(transparent)]
    Vm(#[from] VmError),
    /// The other side of a gate cannot be used.
    #[error("cannot gate against {}: {reason}", path.display())]
    OtherSide {
        /// Binary or kernel.
        path: std::path::PathBuf,
        /// Why, and the remedy.
        reason: String,
    },
    /// A baseline cannot be used.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// Too few or too many seeds.
    #[error("{asked} different seeds were asked for: name {wanted}")]
    Seeds {
        /// How many.
        asked: usize,
        /// How many there must be.
        wanted: &'static str,
    },
    /// A gate's summary cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A run is not published.
    #[error(transparent)]
    Publication(#[from] PublicationError),
    /// A file cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// Verb.
        action: &'static str,
        /// File.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The turns of a gate ended early.
    #[error(transparent)]
    Duel(#[from] DuelError),
    /// A visit was asked for in words that are not understood.
    #[error(transparent)]
    Job(JobError),
    /// Pairs that no statistic can be computed from.
    #[error("cannot judge what was measured")]
    Judge(#[source] StatsError),
    /// Something that a killed run left cannot be removed.
    #[error("{0} leftovers cannot be removed (listed above)")]
    Leftovers(usize),
    /// The signal handler cannot be installed.
    #[error("cannot handle signals")]
    Signals(#[source] std::io::Error),
}

impl From<OfferError> for CliError {
    fn from(error: OfferError) -> Self {
        match error {
            OfferError::NeedsRoot => Self::NeedsRoot,
            OfferError::Host(source) => Self::Host(source),
            OfferError::Vm(source) => Self::VmOpen(source),
        }
    }
}

impl From<NetError> for CliError {
    fn from(error: NetError) -> Self {
        if error.is_permission() { Self::NeedsRoot } else { Self::Host(error) }
    }
}

/// Exit codes: documented in README.md, told apart by scripts.
impl CliError {
    /// The code of this kind of error.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Scenario(_) | Self::Seeds { .. } => 3,
            Self::Workload(_)
            | Self::Execute(
                ExecuteError::Measure(MeasureError::Workload(_)) | ExecuteError::Sim(SimError::Workload(_)),
            ) => 4,
            Self::NeedsRoot => 5,
            Self::NothingReady(_) => 6,
            Self::VmOpen(_) => 7,
            Self::Execute(ExecuteError::Interrupted | ExecuteError::Vm(VmError::Cancelled))
            | Self::Vm(VmError::Cancelled) => 130,
            Self::Execute(ExecuteError::Vm(_)) | Self::Vm(_) => 8,
            Self::Execute(ExecuteError::Measure(MeasureError::Backend { .. })) | Self::Dump { .. } => 9,
            Self::NotADump(_) => 15,
            Self::Execute(ExecuteError::Measure(_) | ExecuteError::Sim(_) | ExecuteError::NoVenue { .. })
            | Self::Suspect { .. }
            | Self::Signals(_)
            | Self::Host(_)
            | Self::Execute(ExecuteError::Noise(NoiseError::Probe(_))) => 10,
            Self::Trials(error) | Self::Store(StoreError::Records(error)) => trials_code(error),
            Self::Publication(PublicationError::Trials { .. }) => 19,
            Self::Store(_)
            | Self::Execute(ExecuteError::Store(_) | ExecuteError::Noise(NoiseError::Store(_)))
            | Self::File { .. }
            | Self::Publish(_)
            | Self::Publication(_)
            | Self::Hlog(HlogError::Io(_))
            | Self::NoPlot
            | Self::Json(_) => 11,
            Self::Assemble(_) | Self::Judge(_) => 12,
            Self::RunFile(error) => run_file_code(error),
            Self::Hlog(_) => 19,
            Self::Leftovers(_) => 14,
            Self::Baseline(error) => error.exit_code(),
            Self::OtherSide { .. } | Self::Job(_) => 27,
            Self::Duel(error) => duel_code(error),
            Self::Compare(_) => 28,
        })
    }

    /// The whole chain of causes in one line.
    pub fn line(&self) -> String {
        one_line(self)
    }
}

fn run_file_code(error: &RunFileError) -> u8 {
    match error {
        RunFileError::Io { .. } | RunFileError::Encode { .. } => 12,
        RunFileError::Refused { source, .. } => match source {
            RunFault::Empty | RunFault::Truncated(_) | RunFault::Foreign(_) => 16,
            RunFault::Version { .. } => 17,
            RunFault::Edited | RunFault::Contradiction(_) => 18,
        },
    }
}

fn trials_code(error: &JsonlError) -> u8 {
    match error {
        JsonlError::Io { .. } | JsonlError::Encode { .. } => 11,
        JsonlError::Parse { .. } | JsonlError::Cut { .. } | JsonlError::TooLong { .. } => 19,
    }
}
