//! Gates the project itself on its committed baseline, where the distribution's kernel is still the baseline's.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::steps;

/// The package whose dependency names the distribution's kernel.
const METAPACKAGE: &str = "linux-image-amd64";
/// `lbcurve gate` found something to be faster.
const IMPROVEMENT: i32 = 21;

/// Measures the plan of each committed baseline of the kernel that apt offers, and fails where something became slower or cannot
/// be told. Without a baseline of that kernel it says so and lets the tests pass.
///
/// # Errors
/// The gate failed.
pub(crate) fn gate(lbcurve: &Path) -> anyhow::Result<()> {
    let dir = steps::root().join("results/baselines");
    let baselines = files(&dir)?;
    let Some(release) = offered_release()? else {
        not_run("GATE", "apt offers no kernel package here");
        return Ok(());
    };
    let own: Vec<_> = baselines.iter().filter(|path| is_of(path, &release)).collect();
    if own.is_empty() {
        let names: Vec<_> = baselines.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        let reason = format!(
            "apt offers kernel {release}, and results/baselines has {}; `lbcurve baseline update` measures this kernel",
            if names.is_empty() { "no baseline".to_owned() } else { format!("only {}", names.join(", ")) }
        );
        not_run("GATE", &reason);
        return Ok(());
    }
    own.into_iter().try_for_each(|baseline| run(lbcurve, baseline))
}

fn run(lbcurve: &Path, baseline: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(lbcurve);
    command.args(["gate", "--baseline"]).arg(baseline);
    eprintln!("+ lbcurve gate --baseline {}", baseline.display());
    let status = command.status().with_context(|| format!("cannot start {}", lbcurve.display()))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(IMPROVEMENT) => {
            eprintln!("GATE: faster than the committed baseline: commit a new one (`lbcurve baseline update`)");
            Ok(())
        }
        _ => bail!("the gate on {} did not pass ({status}); CONTRIBUTING.md says what to do", baseline.display()),
    }
}

/// Says, so that it is seen, that a gate has judged nothing.
pub(crate) fn not_run(gate: &str, reason: &str) {
    eprintln!("==================================================================");
    eprintln!("{gate} NOT RUN: {reason}");
    eprintln!("==================================================================");
}

fn files(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}

/// `RELEASE-PLAN.json`, where a plan's key has no hyphen.
fn is_of(path: &Path, release: &str) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    stem.and_then(|stem| stem.rsplit_once('-')).is_some_and(|(found, _)| found == release)
}

/// Release of the kernel that apt would install; none where apt or the package is not here.
fn offered_release() -> anyhow::Result<Option<String>> {
    // The words are read, so they must not be translated.
    let output = match Command::new("apt-cache").args(["depends", METAPACKAGE]).env("LC_ALL", "C").output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("cannot start apt-cache"),
    };
    let complaint = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && !complaint.contains("No packages found") {
        bail!("`apt-cache depends {METAPACKAGE}` failed ({}): {}", output.status, complaint.trim());
    }
    Ok(release_of(&String::from_utf8_lossy(&output.stdout)))
}

fn release_of(depends: &str) -> Option<String> {
    let packages = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    packages.filter_map(|package| package.strip_prefix("linux-image-")).next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_what_the_metapackage_depends_on() {
        let said = "linux-image-amd64\n  Depends: linux-image-6.1.0-50-amd64\n  Recommends: firmware\n";
        assert_eq!(release_of(said).as_deref(), Some("6.1.0-50-amd64"));
        assert_eq!(release_of(""), None);
    }

    #[test]
    fn a_baseline_belongs_to_its_release_only() {
        assert!(is_of(Path::new("a/6.1.0-50-amd64-0123456789ab.json"), "6.1.0-50-amd64"));
        assert!(!is_of(Path::new("a/6.1.0-50-amd64-0123456789ab.json"), "6.1.0-5"));
    }
}
