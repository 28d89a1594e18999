//! `lbcurve model`: what a counted step of the models costs in a run's instructions.

use std::process::ExitCode;

use super::CliError;
use super::args::ModelArgs;
use super::report::RUN_FILE;
use crate::report;
use crate::result::read_run_file;
use crate::stdout::say;

pub(super) fn model(args: &ModelArgs) -> Result<ExitCode, CliError> {
    let file = if args.run.is_dir() { args.run.join(RUN_FILE) } else { args.run.clone() };
    let text = report::model(&read_run_file(&file)?);
    say(&text).map_err(|source| CliError::File { action: "write", path: "standard output".into(), source })?;
    Ok(ExitCode::SUCCESS)
}
