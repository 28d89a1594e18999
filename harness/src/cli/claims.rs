//! `lbcurve claims`: hold the claims to a run.

use std::process::ExitCode;

use super::CliError;
use super::args::{ClaimsArgs, ClaimsFormat};
use super::report::RUN_FILE;
use crate::claims;
use crate::result::read_run_file;
use crate::stdout::say;

pub(super) fn claims(args: &ClaimsArgs) -> Result<ExitCode, CliError> {
    let file = if args.run.is_dir() { args.run.join(RUN_FILE) } else { args.run.clone() };
    let judgements = claims::judge(&read_run_file(&file)?);
    let text = match args.format {
        ClaimsFormat::Table => claims::table(&judgements),
        ClaimsFormat::Md => claims::markdown(&judgements),
        ClaimsFormat::Json => claims::json(&judgements).map_err(CliError::Json)?,
    };
    say(&text).map_err(|source| CliError::File { action: "write", path: "standard output".into(), source })?;
    Ok(ExitCode::SUCCESS)
}
