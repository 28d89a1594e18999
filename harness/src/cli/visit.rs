//! `lbcurve visit`, which `lbcurve gate` starts: a job on standard input, records on standard output.

use std::io;
use std::process::ExitCode;

use super::{CliError, signals};
use crate::gate::host::{JobError, serve};
use crate::run::execute::ExecuteError;

pub(super) fn visit() -> Result<ExitCode, CliError> {
    let cancel = signals::cancel_flag()?;
    serve(&mut io::stdin().lock(), &mut io::stdout().lock(), &cancel).map_err(|error| match error {
        JobError::Measure(error) => ExecuteError::Measure(error).into(),
        other => CliError::Job(other),
    })?;
    Ok(ExitCode::SUCCESS)
}
