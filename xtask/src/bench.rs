//! `cargo xtask bench` and `baseline`: everything that `lbcurve` needs to measure, then `lbcurve`.

use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::{packages, steps};

/// Sets up, builds and runs `command` of `lbcurve` with `options`; its exit code is this one's.
///
/// # Errors
/// Set-up failed.
pub(crate) fn lbcurve(command: &[&str], options: &[String]) -> anyhow::Result<ExitCode> {
    packages::ensure(&[packages::FOR_RUNS])?;
    let lbcurve = steps::build_lbcurve()?;
    let status = Command::new(&lbcurve)
        .args(command)
        .args(options)
        .status()
        .with_context(|| format!("cannot start {}", lbcurve.display()))?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
