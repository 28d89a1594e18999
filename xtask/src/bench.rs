//! `cargo xtask bench`: everything the main job needs, then the main job.

use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::{packages, steps};

/// Sets up, builds and runs `lbcurve run` with `options`; its exit code is this command's.
///
/// # Errors
/// Set-up failed.
pub(crate) fn bench(options: &[String]) -> anyhow::Result<ExitCode> {
    packages::ensure(&[packages::FOR_RUNS])?;
    let lbcurve = steps::build_lbcurve()?;
    let status = Command::new(&lbcurve)
        .arg("run")
        .args(options)
        .status()
        .with_context(|| format!("cannot start {}", lbcurve.display()))?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
