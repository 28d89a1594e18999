//! `lbcurve report`: render a run again.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::CliError;
use super::args::{ReportArgs, ReportFormat};
use crate::report;
use crate::result::{JsonlError, RunFile, TrialRecord, read_run_file, stream_jsonl};
use crate::run::record::Record;
use crate::run::store::TRIALS;
use crate::whole::write_whole_with;

/// Name of the run file in a run's directory.
pub(super) const RUN_FILE: &str = "run.json";

pub(super) fn report(args: &ReportArgs) -> Result<ExitCode, CliError> {
    let file = if args.run.is_dir() { args.run.join(RUN_FILE) } else { args.run.clone() };
    let target = args.output.clone().or_else(|| default_name(args.format).map(|name| file.with_file_name(name)));
    if args.format == ReportFormat::Hlog {
        let path = file.with_file_name(TRIALS);
        return deliver(target, |out| report::hlog(trials(&path)?, out));
    }
    let run = read_run_file(&file)?;
    let text = render(&run, args.format, &file)?;
    deliver(target, |out| out.write_all(text.as_bytes()).map_err(Undelivered::Output))
}

/// The trials of a finished run, one at a time: its file can be larger than memory.
fn trials(path: &Path) -> Result<impl Iterator<Item = Result<TrialRecord, Undelivered>>, JsonlError> {
    Ok(stream_jsonl::<Record>(path)?.filter_map(|record| match record {
        Ok(Record::Trial(trial)) => Some(Ok(trial)),
        Ok(
            Record::Programming(_)
            | Record::Throughput(_)
            | Record::Decisions(_)
            | Record::Fairness(_)
            | Record::Connections(_)
            | Record::Rates(_)
            | Record::Reachability(_),
        ) => None,
        Err(error) => Some(Err(error.into())),
    }))
}

/// The file beside run.json that a format is written to; the others go to standard output.
fn default_name(format: ReportFormat) -> Option<&'static str> {
    match format {
        ReportFormat::Html => Some("report.html"),
        ReportFormat::Svg => Some("report.svg"),
        ReportFormat::Hlog => Some("trials.hlog"),
        ReportFormat::Table | ReportFormat::Md | ReportFormat::Csv | ReportFormat::FairnessCsv | ReportFormat::Bmf => {
            None
        }
    }
}

fn render(run: &RunFile, format: ReportFormat, file: &Path) -> Result<String, CliError> {
    let failed = |source: io::Error| CliError::File { action: "render", path: file.to_owned(), source };
    Ok(match format {
        ReportFormat::Html => report::html(run).map_err(io::Error::other).map_err(failed)?,
        ReportFormat::Csv => report::csv(run).map_err(io::Error::other).map_err(failed)?,
        ReportFormat::FairnessCsv => report::fairness_csv(run).map_err(io::Error::other).map_err(failed)?,
        ReportFormat::Svg => report::svg(run).ok_or(CliError::NoPlot)?,
        ReportFormat::Md => report::markdown(run),
        ReportFormat::Bmf => report::bmf(run),
        ReportFormat::Table | ReportFormat::Hlog => report::table(run),
    })
}

/// Writes `report.html` beside a run file.
pub(super) fn write_html(run: &RunFile, run_file: &Path) -> Result<PathBuf, CliError> {
    let path = run_file.with_file_name("report.html");
    let text = render(run, ReportFormat::Html, run_file)?;
    write_file(&path, |out| out.write_all(text.as_bytes()).map_err(Undelivered::Output))?;
    Ok(path)
}

/// Why something did not reach its target.
enum Undelivered {
    /// The target cannot be written.
    Output(io::Error),
    /// What was to be written failed.
    Source(CliError),
}

impl From<io::Error> for Undelivered {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<JsonlError> for Undelivered {
    fn from(error: JsonlError) -> Self {
        Self::Source(error.into())
    }
}

impl From<report::HlogError> for Undelivered {
    fn from(error: report::HlogError) -> Self {
        match error {
            report::HlogError::Io(source) => Self::Output(source),
            other => Self::Source(other.into()),
        }
    }
}

/// Writes to a file and prints its name, or to standard output, whose reader may have seen enough.
fn deliver(
    target: Option<PathBuf>,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Undelivered>,
) -> Result<ExitCode, CliError> {
    if let Some(path) = target.filter(|path| path.as_os_str() != "-") {
        write_file(&path, write)?;
        println!("{}", path.display());
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let written = write(&mut out).and_then(|()| out.flush().map_err(Undelivered::Output));
    match written {
        Err(Undelivered::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        other => other.map(|()| ExitCode::SUCCESS).map_err(|error| error.at(Path::new("standard output"))),
    }
}

impl Undelivered {
    fn at(self, path: &Path) -> CliError {
        match self {
            Self::Output(source) => CliError::File { action: "write", path: path.to_owned(), source },
            Self::Source(error) => error,
        }
    }
}

/// Writes a file whole or not at all; what is no ordinary file (`/dev/null`) is written in place.
fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<(), Undelivered>) -> Result<(), CliError> {
    let in_place = fs::metadata(path).is_ok_and(|found| !found.is_file());
    let written = if in_place { write_in_place(path, write) } else { write_whole_with(path, write) };
    written.map_err(|error| error.at(path))
}

fn write_in_place(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Undelivered>,
) -> Result<(), Undelivered> {
    let mut out = BufWriter::new(File::create(path)?);
    write(&mut out)?;
    Ok(out.flush()?)
}
