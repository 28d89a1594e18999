//! `run.json`: everything that the report and the gate read beside the trials.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seal::sealed_text;
use super::{
    Cell, Curve, CurveKey, Distribution, Environment, Plan, ProgrammingRecord, SkippedCell, ThroughputRecord,
    TrialKind, name,
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
    /// Cells of the plan have neither a trial nor a reason: the run is not complete.
    Unmeasured {
        /// How many.
        cells: u64,
        /// The first of them.
        first: Cell,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suspect { cell, reason, .. } => write!(f, "suspect: {cell}: {reason}"),
            Self::NoBaseline { curve, services } => {
                let (venue, backend, flow, position) =
                    (name(&curve.venue), name(&curve.backend), name(&curve.flow), name(&curve.position));
                write!(f, "no added for {venue} {} {backend} {flow} {position} at N = ", curve.kernel)?;
                let listed: Vec<_> = services.iter().map(u32::to_string).collect();
                write!(f, "{}: direct-conntrack was not measured there", listed.join(", "))
            }
            Self::DuplicateTrial { cell, trial } => {
                write!(f, "trial {trial} of {cell} was recorded more than once; the last record counts")
            }
            Self::Unmeasured { cells, first } => {
                write!(f, "run not complete: {cells} planned cells have no trial, the first is {first}")
            }
        }
    }
}

/// Why `run.json` cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RunFileError {
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A run cannot be written as JSON.
    #[error("cannot encode a run for {}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Not a run file.
    #[error("{} is not a run file", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// A run file of another version of lbcurve.
    #[error("{} has schema version {found}, this lbcurve reads {RUN_SCHEMA_VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

/// Only the version, so that a file of another layout is told apart from a broken one.
#[derive(Deserialize)]
struct VersionOnly {
    schema_version: u32,
}

/// Reads a `run.json`.
///
/// # Errors
/// The file cannot be read, is not a run file, or has another schema version.
pub fn read_run_file(path: &Path) -> Result<RunFile, RunFileError> {
    let parse_error = |source| RunFileError::Parse { path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(|source| RunFileError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    let found = serde_json::from_str::<VersionOnly>(&text).map_err(parse_error)?.schema_version;
    if found != RUN_SCHEMA_VERSION {
        return Err(RunFileError::Version { path: path.to_owned(), found });
    }
    serde_json::from_str(&text).map_err(parse_error)
}

/// Seals a run and writes its `run.json`, whole or not at all: a full disk leaves an earlier file as it was.
///
/// # Errors
/// The file cannot be written.
pub fn write_run_file(path: &Path, run: &RunFile) -> Result<(), RunFileError> {
    let text = sealed_text(run).map_err(|source| RunFileError::Encode { path: path.to_owned(), source })?;
    let partial = path.with_extension("json.partial");
    let written = fs::write(&partial, text).and_then(|()| fs::rename(&partial, path));
    written.map_err(|source| {
        // A partial file that cannot even be removed changes nothing about the error to tell.
        drop(fs::remove_file(&partial));
        RunFileError::Io { action: "write", path: path.to_owned(), source }
    })
}
