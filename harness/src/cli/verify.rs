//! `lbcurve verify`: program the services of kube-proxy dumps and compare.

use std::process::ExitCode;

use super::CliError;
use super::args::VerifyArgs;

pub(super) fn verify(_args: &VerifyArgs) -> Result<ExitCode, CliError> {
    Ok(ExitCode::FAILURE)
}
