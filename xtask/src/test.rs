//! `cargo xtask test`: everything the tests need, then every test.

use std::process::Command;

use anyhow::bail;

use crate::{deny, ebpf, gate, instructions, packages, steps};

/// Runs every check and test; the first failure ends it.
///
/// # Errors
/// A check or test failed, or something that it needs is missing.
pub(crate) fn test() -> anyhow::Result<()> {
    packages::ensure(&[packages::FOR_RUNS, packages::FOR_TESTS, packages::FOR_INSTRUCTIONS])?;
    if !packages::is_root()? {
        bail!(
            "the tests program this kernel inside namespaces of their own, which needs root: run `sudo -E cargo xtask test`"
        );
    }
    steps::run(&mut steps::cargo(["fmt", "--all", "--check"]))?;
    steps::run(&mut steps::cargo(["clippy", "--all-targets", "--", "-D", "warnings"]))?;
    // A workspace of its own, which the line above does not reach.
    steps::run(&mut steps::cargo([
        "check",
        "--locked",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--target-dir",
        "target/fuzz-check",
    ]))?;
    steps::run(steps::cargo(["doc", "--no-deps", "--document-private-items"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    ebpf::run(&ebpf::Args { check: true })?;
    deny::check()?;
    let lbcurve = steps::build_lbcurve()?;
    steps::run(&mut steps::cargo(["test"]))?;
    verify_dumps(&lbcurve)?;
    instructions::gate()?;
    gate::gate(&lbcurve)
}

/// Holds what this repository programs against what kube-proxy programmed, where its dumps are at hand.
fn verify_dumps(lbcurve: &std::path::Path) -> anyhow::Result<()> {
    let dumps = steps::root().join("../shared/kube-proxy");
    let Ok(entries) = std::fs::read_dir(&dumps) else {
        eprintln!("no kube-proxy dumps beside this checkout ({}): not compared with them", dumps.display());
        return Ok(());
    };
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    steps::run(Command::new(lbcurve).args(["verify", "--dump"]).args(files))
}
