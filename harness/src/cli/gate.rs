//! `lbcurve gate`: measure, judge, say so, and end with the verdict's exit code.

use std::path::PathBuf;
use std::process::ExitCode;

use super::CliError;
use super::gate_args::GateArgs;
use crate::gate::{Destinations, GateReport, publish};

pub(super) fn gate(args: &GateArgs) -> Result<ExitCode, CliError> {
    let report = measure(args)?;
    publish(&report, &Destinations::from_environment(args.summary.clone()))?;
    Ok(ExitCode::from(report.verdict.exit_code()))
}

fn measure(args: &GateArgs) -> Result<GateReport, CliError> {
    let path: PathBuf = args.against.clone().or_else(|| args.baseline.clone()).unwrap_or_default();
    Err(CliError::OtherSide { path, reason: "this lbcurve only knows the outputs of a gate".into() })
}
