//! `lbcurve report`: render a run again.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::CliError;
use super::args::{ReportArgs, ReportFormat};
use crate::report;
use crate::result::{RunFile, read_run_file};

pub(super) fn report(args: &ReportArgs) -> Result<ExitCode, CliError> {
    let file = if args.run.is_dir() { args.run.join(RUN_FILE) } else { args.run.clone() };
    let run = read_run_file(&file)?;
    match args.format {
        ReportFormat::Table => print!("{}", report::table(&run)),
        ReportFormat::Html => println!("{}", write_html(&run, &file)?.display()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Name of the run file in a run's directory.
pub(super) const RUN_FILE: &str = "run.json";

/// Writes `report.html` beside a run file.
pub(super) fn write_html(run: &RunFile, run_file: &Path) -> Result<PathBuf, CliError> {
    let path = run_file.with_file_name("report.html");
    let failed = |action| {
        let path = path.clone();
        move |source| CliError::File { action, path, source }
    };
    let page = report::html(run).map_err(std::io::Error::other).map_err(failed("render"))?;
    std::fs::write(&path, page).map_err(failed("write"))?;
    Ok(path)
}
