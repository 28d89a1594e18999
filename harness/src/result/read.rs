//! Reading and writing `run.json`. A file that is not exactly what a run wrote is refused, each kind of damage by its name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::error::Category;

use super::seal::{canonical, is_sealed, sealed_text};
use super::validate::validate;
use super::{Contradiction, RUN_SCHEMA_VERSION, RunFile};
use crate::whole::write_whole;

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
    /// What the file holds is refused.
    #[error("{}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: RunFault,
    },
}

/// What is wrong with the text of a run file.
#[derive(Debug, thiserror::Error)]
pub enum RunFault {
    /// Nothing in it.
    #[error("not a run file: it is empty")]
    Empty,
    /// It ends too early.
    #[error("not a whole run file: it is cut short")]
    Truncated(#[source] serde_json::Error),
    /// Not JSON, or not with a run's members.
    #[error("not a run file")]
    Foreign(#[source] serde_json::Error),
    /// A run file of another version of lbcurve.
    #[error(
        "run file of schema version {found}, this lbcurve reads {RUN_SCHEMA_VERSION}: use the lbcurve that wrote it, or run again"
    )]
    Version {
        /// Its version.
        found: u32,
    },
    /// Its text is not what was sealed.
    #[error(
        "changed since the run wrote it: its seal does not fit; the run's own command with the same --out writes it anew from the trials"
    )]
    Edited,
    /// Its seal fits, and its members do not fit each other.
    #[error("contradicts itself")]
    Contradiction(#[from] Contradiction),
}

/// Only the version, so that a file of another layout is told apart from a broken one.
#[derive(Deserialize)]
struct VersionOnly {
    schema_version: u32,
}

fn not_a_run(source: serde_json::Error) -> RunFault {
    if source.classify() == Category::Eof { RunFault::Truncated(source) } else { RunFault::Foreign(source) }
}

/// Reads the bytes of a `run.json`. Pure.
///
/// # Errors
/// The bytes are not exactly what a run of this version of lbcurve writes.
pub fn parse_run_file(bytes: &[u8]) -> Result<RunFile, RunFault> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(RunFault::Empty);
    }
    let found = serde_json::from_slice::<VersionOnly>(bytes).map_err(not_a_run)?.schema_version;
    if found != RUN_SCHEMA_VERSION {
        return Err(RunFault::Version { found });
    }
    let run: RunFile = serde_json::from_slice(bytes).map_err(not_a_run)?;
    // A member that the types do not know, or a number in another form, is an edit too: the text must be what would be written.
    if !is_sealed(bytes, &canonical(&run).map_err(RunFault::Foreign)?, &run.seal) {
        return Err(RunFault::Edited);
    }
    validate(&run)?;
    Ok(run)
}

/// Reads a `run.json`.
///
/// # Errors
/// The file cannot be read, or [`parse_run_file`] refuses it.
pub fn read_run_file(path: &Path) -> Result<RunFile, RunFileError> {
    let bytes = fs::read(path).map_err(|source| RunFileError::Io { action: "read", path: path.to_owned(), source })?;
    parse_run_file(&bytes).map_err(|source| RunFileError::Refused { path: path.to_owned(), source })
}

/// The text of a run's `run.json`, sealed. Pure.
///
/// # Errors
/// The run cannot be written as JSON.
pub fn run_file_text(run: &RunFile) -> Result<String, serde_json::Error> {
    sealed_text(run)
}

/// Seals a run and writes its `run.json`, whole or not at all: a full disk leaves an earlier file as it was.
///
/// # Errors
/// The file cannot be written.
pub fn write_run_file(path: &Path, run: &RunFile) -> Result<(), RunFileError> {
    let text = sealed_text(run).map_err(|source| RunFileError::Encode { path: path.to_owned(), source })?;
    let written = write_whole(path, text.as_bytes());
    written.map_err(|source| RunFileError::Io { action: "write", path: path.to_owned(), source })
}
