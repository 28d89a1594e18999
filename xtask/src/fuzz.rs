//! `cargo xtask fuzz`: cargo-fuzz with the pinned compiler, every target in turn.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps;

/// Installed under `target/tools`, so that nothing of the user's changes.
const VERSION: &str = "0.13.2";

/// Every target, the longest first, and which part of the time it gets.
const TARGETS: [(&str, u32); 4] = [("run_file", 1), ("jsonl", 5), ("scenario", 5), ("cluster", 5)];

/// Most bytes of an input: the seeds are smaller.
const LONGEST: u32 = 1 << 17;

/// Options of `cargo xtask fuzz`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Seconds for the reader of run.json; the others get a fifth each.
    #[arg(long, default_value_t = 600)]
    seconds: u32,
    /// Only this target.
    #[arg(long)]
    target: Option<String>,
}

/// Sets cargo-fuzz up and runs the targets; a finding is left in `fuzz/artifacts` and ends it.
///
/// # Errors
/// cargo-fuzz could not be built, or a target found something.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let chosen = |name: &str| args.target.as_deref().is_none_or(|target| target == name);
    if !TARGETS.iter().any(|(name, _)| chosen(name)) {
        anyhow::bail!("no such target: {}", args.target.as_deref().unwrap_or_default());
    }
    let program = ensure()?;
    for (name, part) in TARGETS.into_iter().filter(|(name, _)| chosen(name)) {
        fuzz(&program, name, (args.seconds / part).max(1))?;
    }
    Ok(())
}

/// cargo-fuzz, built first where it is not there yet.
fn ensure() -> anyhow::Result<PathBuf> {
    let tools = steps::root().join("target/tools").join(format!("cargo-fuzz-{VERSION}"));
    let program = tools.join("bin/cargo-fuzz");
    if !program.exists() {
        let mut install = steps::cargo(["install", "cargo-fuzz", "--version", VERSION, "--locked", "--root"]);
        steps::run(install.arg(&tools))?;
    }
    Ok(program)
}

fn fuzz(program: &Path, target: &str, seconds: u32) -> anyhow::Result<()> {
    let root = steps::root();
    // What the fuzzer finds goes into the first directory; the seeds are read only.
    let corpus = root.join("target/fuzz-corpus").join(target);
    std::fs::create_dir_all(&corpus)?;
    let mut command = Command::new(program);
    command.args(["fuzz", "run", "--target-dir"]).arg(root.join("target/fuzz")).arg(target);
    command.arg(corpus).arg(root.join("fuzz/seeds").join(target)).arg("--");
    command.args([format!("-max_total_time={seconds}"), format!("-max_len={LONGEST}"), "-timeout=20".to_owned()]);
    // cargo-fuzz asks the compiler for sanitizers, which a stable one has but does not offer.
    steps::run(command.env("RUSTC_BOOTSTRAP", "1"))
}
