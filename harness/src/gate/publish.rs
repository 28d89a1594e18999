//! Where a gate's report goes: standard output, a file, and what GitHub reads.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::stdout::say;

use super::{GateReport, annotations, markdown, terminal};

/// Where to write beside standard output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destinations {
    /// A file for the Markdown summary.
    pub summary: Option<PathBuf>,
    /// GitHub's summary of the step, which is appended to.
    pub step_summary: Option<PathBuf>,
    /// Whether GitHub reads standard output for annotations.
    pub annotate: bool,
}

/// A summary that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the summary {}", path.display())]
pub struct PublishError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl Destinations {
    /// The file that was asked for, and what the environment of a GitHub Actions step asks for.
    pub fn from_environment(summary: Option<PathBuf>) -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            summary,
            step_summary: set("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            annotate: set("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
        }
    }
}

/// Prints the table and the annotations, and writes the summaries.
///
/// # Errors
/// [`PublishError`]; the table is printed in any case.
pub fn publish(report: &GateReport, destinations: &Destinations) -> Result<(), PublishError> {
    let mut shown = terminal(report);
    if destinations.annotate {
        shown.extend(annotations(report).into_iter().flat_map(|line| [line, "\n".to_owned()]));
    }
    let closed = |source| PublishError { path: "on standard output".into(), source };
    say(&shown).map_err(closed)?;
    let text = markdown(report);
    if let Some(path) = &destinations.summary {
        std::fs::write(path, &text).map_err(|source| PublishError { path: path.clone(), source })?;
    }
    if let Some(path) = &destinations.step_summary {
        append(path, &text).map_err(|source| PublishError { path: path.clone(), source })?;
    }
    Ok(())
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).open(path)?.write_all(text.as_bytes())
}
