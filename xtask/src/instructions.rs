//! `cargo xtask bench-instructions`: counts the instructions of the pure code under callgrind and holds them to the committed baseline.

mod baseline;
mod judge;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::{gate, packages, steps};
use baseline::{Baseline, Build};
use judge::Verdict;

/// That of the library in Cargo.toml. Installed under `target/tools`, so that nothing of the user's changes.
const VERSION: &str = "0.20.0";
const BASELINE: &str = "benches/instructions.json";

/// Options of `cargo xtask bench-instructions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write the counts as the new baseline instead of judging them.
    #[arg(long)]
    update: bool,
}

/// Instructions of each benchmark, in order of name.
type Counts = std::collections::BTreeMap<String, u64>;

/// Sets up, counts, and judges or writes the baseline.
///
/// # Errors
/// Set-up failed, or something takes more instructions than before.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    packages::ensure(&[packages::FOR_INSTRUCTIONS])?;
    let build = Build::of(&steps::root())?;
    let counts = count()?;
    let path = steps::root().join(BASELINE);
    if args.update {
        Baseline { build, instructions: counts }.write(&path)?;
        eprintln!("wrote {BASELINE}");
        return Ok(());
    }
    hold(Baseline::read(&path)?.as_ref(), &build, &counts)
}

/// As [`run`] of the tests, which have the packages already: counts nothing where there is nothing to compare with.
///
/// # Errors
/// As [`run`].
pub(crate) fn gate() -> anyhow::Result<()> {
    let (path, build) = (steps::root().join(BASELINE), Build::of(&steps::root())?);
    let baseline = Baseline::read(&path)?;
    let comparable = baseline.as_ref().is_some_and(|baseline| baseline.build.differs_from(&build).is_none());
    let counts = if comparable { count()? } else { Counts::new() };
    hold(baseline.as_ref(), &build, &counts)
}

/// Prints counts and verdict.
fn hold(baseline: Option<&Baseline>, build: &Build, counts: &Counts) -> anyhow::Result<()> {
    let verdict = judge::verdict(baseline, build, counts);
    let beside = baseline.filter(|_| !matches!(verdict, Verdict::NotRun(_)));
    judge::print(counts, beside.map(|baseline| &baseline.instructions));
    match verdict {
        Verdict::Passed => Ok(()),
        Verdict::NotRun(reason) => {
            gate::not_run("INSTRUCTIONS", &reason);
            Ok(())
        }
        Verdict::Failed(rows) => {
            bail!("more instructions than {BASELINE} has: {}; CONTRIBUTING.md says what to do", rows.join(", "))
        }
    }
}

/// Runs the benches and reads what the runner says of each.
fn count() -> anyhow::Result<Counts> {
    let runner = ensure_runner()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path =
        std::env::join_paths(runner.parent().map(Path::to_owned).into_iter().chain(std::env::split_paths(&path)))?;
    let mut bench = steps::cargo(["bench", "--package", "lbcurve-benches", "--bench", "instructions"]);
    bench.args(["--", "--output-format=json"]).env("PATH", path);
    // Flags of the user's make other code than the baseline's.
    bench.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    eprintln!("+ cargo bench --package lbcurve-benches --bench instructions");
    let output = bench.current_dir(steps::root()).stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("the benches failed ({}): {}", output.status, said.trim());
    }
    let counts = serde_json::Deserializer::from_str(&said)
        .into_iter::<Value>()
        .map(|summary| read(&summary.context("the runner's output is not JSON")?))
        .collect::<anyhow::Result<Counts>>()?;
    if counts.is_empty() {
        bail!("no benchmark was counted: {}", said.trim());
    }
    Ok(counts)
}

/// Name and instructions of a benchmark (gungraun's summary, schema 7).
fn read(summary: &Value) -> anyhow::Result<(String, u64)> {
    let word = |key: &str| summary.get(key).and_then(Value::as_str).unwrap_or_default();
    let name = format!("{} {}", word("function_name"), word("id")).trim().to_owned();
    let counted = summary.pointer("/profiles/0/data/total/metrics/Ir/values/new");
    let counted = counted.and_then(|value| value.as_u64().or_else(|| value.get("Int")?.as_u64()));
    Ok((name, counted.with_context(|| format!("no instructions in the runner's summary: {summary}"))?))
}

/// gungraun-runner, built first where it is not there yet.
fn ensure_runner() -> anyhow::Result<PathBuf> {
    let tools = steps::root().join("target/tools").join(format!("gungraun-runner-{VERSION}"));
    let program = tools.join("bin/gungraun-runner");
    if !program.exists() {
        let mut install = steps::cargo(["install", "gungraun-runner", "--version", VERSION, "--locked", "--root"]);
        steps::run(install.arg(&tools))?;
    }
    Ok(program)
}

/// What a program printed, its first line.
fn first_line(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read() {
        let ir = |value: Value| {
            let metrics = serde_json::json!({"Ir": {"values": {"new": value}}});
            let profile = serde_json::json!({"data": {"total": {"metrics": metrics}}});
            serde_json::json!({"function_name": "render", "id": "ipvs", "profiles": [profile]})
        };
        let expected = ("render ipvs".to_owned(), 7);
        assert_eq!(read(&ir(7.into())).unwrap(), expected);
        assert_eq!(read(&ir(serde_json::json!({"Int": 7}))).unwrap(), expected);
        assert!(read(&serde_json::json!({"function_name": "render"})).is_err());
    }
}
