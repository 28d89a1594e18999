//! `cargo xtask mutants`: breaks the models one line at a time, and judges each by what kernels decided.

mod list;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::steps;
use list::{BLIND, MUTANTS, Mutant};

/// What the judge needs of the workspace.
const CRATES: [&str; 4] = ["conformance", "curve-stats", "datapath-common", "datapath-sim"];
/// The kernels' answers and instructions, as the suites write them.
const RECORDINGS: [&str; 8] = [
    "iptables-legacy.jsonl",
    "iptables-nft.jsonl",
    "nftables.jsonl",
    "ebpf-tc.jsonl",
    "ebpf-tc-maglev.jsonl",
    "ebpf-xdp.jsonl",
    "ipvs.jsonl",
    "steps.jsonl",
];

/// Options of `cargo xtask mutants`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Record this machine's and the guest's kernel again, though recordings are there (root).
    #[arg(long)]
    record: bool,
    /// Only mutants whose description or file holds this.
    #[arg(long, value_name = "WORDS")]
    only: Option<String>,
}

/// Records where nothing is recorded, breaks a copy of the models in every way of the list, and prints which were caught.
///
/// # Errors
/// The suites fail, the sound models do not pass; a mutant does not apply or build, makes the judge break off, is not caught, or is caught
/// though the list says that it cannot be.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let recordings = record(args.record)?;
    let copy = Copy::make()?;
    if !copy.judge(&recordings, true)? {
        bail!("the sound models are not what was recorded: run the conformance suites");
    }
    let wanted = |mutant: &&Mutant| -> bool {
        args.only.as_deref().is_none_or(|words| mutant.what.contains(words) || mutant.file.contains(words))
    };
    let (mut caught, mut missed) = (0, Vec::new());
    for mutant in MUTANTS.iter().filter(wanted) {
        if copy.is_caught(mutant, &recordings)? {
            caught += 1;
            println!("caught: {}", mutant.what);
        } else {
            missed.push(mutant.what);
            println!("MISSED: {}", mutant.what);
        }
    }
    println!("{caught} of {} mutants caught", caught + missed.len());
    let mut seen = Vec::new();
    for (mutant, why) in BLIND.iter().filter(|(mutant, _)| wanted(&mutant)) {
        if copy.is_caught(mutant, &recordings)? {
            seen.push(mutant.what);
            println!("CAUGHT AFTER ALL: {}", mutant.what);
        } else {
            println!("cannot be told: {}: {why}", mutant.what);
        }
    }
    conclude(&missed, &seen)
}

/// Fails where a mutant was missed, and where one was caught that the list says cannot be.
fn conclude(missed: &[&str], seen: &[&str]) -> anyhow::Result<()> {
    if !missed.is_empty() {
        bail!("not caught: {}", missed.join("; "));
    }
    if !seen.is_empty() {
        bail!("caught although the list says that they cannot be, so move them: {}", seen.join("; "));
    }
    Ok(())
}

/// Whether the judge agreed, by its exit code. A judge that broke off has judged nothing: a model that panics is no model that is wrong.
fn agreed(code: Option<i32>) -> anyhow::Result<bool> {
    match code {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        Some(101) => bail!("the judge panicked"),
        Some(other) => bail!("the judge ended with {other}"),
        None => bail!("the judge was killed"),
    }
}

/// The files of recordings, made first where one is missing.
fn record(again: bool) -> anyhow::Result<Vec<PathBuf>> {
    let dir = steps::root().join("target/conformance");
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let files: Vec<_> = RECORDINGS.iter().map(|name| dir.join(name)).collect();
    if again || !files.iter().all(|file| file.exists()) {
        let suites = ["test", "-p", "lbcurve", "--test", "conformance_host", "--test", "conformance_vm"];
        steps::run(steps::cargo(suites).env("LBCURVE_RECORD", &dir))?;
    }
    Ok(files)
}

/// A copy of the judge's crates, so that a mutant never stands in the sources.
struct Copy {
    dir: PathBuf,
}

impl Copy {
    fn make() -> anyhow::Result<Self> {
        let (root, dir) = (steps::root(), steps::root().join("target/mutants"));
        for name in CRATES {
            let to = dir.join(name);
            if to.exists() {
                fs::remove_dir_all(&to).with_context(|| format!("cannot remove {}", to.display()))?;
            }
            copy(&root.join(name), &to)?;
        }
        let text = fs::read_to_string(root.join("Cargo.toml")).context("cannot read Cargo.toml")?;
        let members = format!("members = {CRATES:?}");
        let with_members = |line: &str| match line {
            line if line.starts_with("members = ") => members.clone(),
            line if line.starts_with("default-members = ") => String::new(),
            line => line.to_owned(),
        };
        let text: Vec<_> = text.lines().map(with_members).collect();
        fs::write(dir.join("Cargo.toml"), text.join("\n")).context("cannot write the copy's Cargo.toml")?;
        fs::copy(root.join("Cargo.lock"), dir.join("Cargo.lock")).context("cannot copy Cargo.lock")?;
        Ok(Self { dir })
    }

    /// Whether the models of the copy are what was recorded. `loud`: what the judge prints is shown.
    fn judge(&self, recordings: &[PathBuf], loud: bool) -> anyhow::Result<bool> {
        let mut build = steps::cargo(["build", "--quiet", "-p", "conformance", "--bin", "replay"]);
        // The copy is a workspace of its own, and keeps its build.
        build.current_dir(&self.dir).env("CARGO_TARGET_DIR", self.dir.join("target")).env("RUSTFLAGS", "-Awarnings");
        if !build.status().context("cannot start cargo")?.success() {
            bail!("the copy does not build");
        }
        let mut replay = Command::new(self.dir.join("target/debug/replay"));
        replay.args(recordings).stdout(if loud { Stdio::inherit() } else { Stdio::null() });
        agreed(replay.status().context("cannot start the judge")?.code())
    }

    fn is_caught(&self, mutant: &Mutant, recordings: &[PathBuf]) -> anyhow::Result<bool> {
        let path = self.dir.join("datapath-sim/src").join(mutant.file);
        let sound = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let found = sound.matches(mutant.from).count();
        if found != 1 {
            bail!(
                "{}: {:?} stands {found} times in {}: mend the list of mutants",
                mutant.what,
                mutant.from,
                mutant.file
            );
        }
        fs::write(&path, sound.replace(mutant.from, mutant.to)).context("cannot write a mutant")?;
        let judged = self.judge(recordings, false).with_context(|| mutant.what);
        fs::write(&path, sound).context("cannot restore the copy")?;
        Ok(!judged?)
    }
}

/// Copies a folder, so that what did not change keeps its time.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (path, place) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&path, &place)?;
        } else {
            fs::copy(&path, &place).with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_disagreement_catches_a_mutant() {
        assert!(agreed(Some(0)).unwrap());
        assert!(!agreed(Some(1)).unwrap());
        for broken in [Some(101), Some(2), None] {
            assert!(agreed(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn what_was_missed_and_what_was_caught_after_all_fail() {
        assert!(conclude(&[], &[]).is_ok());
        assert!(conclude(&["missed"], &[]).unwrap_err().to_string().contains("missed"));
        assert!(conclude(&[], &["seen"]).unwrap_err().to_string().contains("seen"));
    }

    /// A mutant that does not apply would be found only when all before it have been built.
    #[test]
    fn every_mutant_stands_once_in_its_file() {
        for mutant in MUTANTS.iter().chain(BLIND.iter().map(|(mutant, _)| mutant)) {
            let path = steps::root().join("datapath-sim/src").join(mutant.file);
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text.matches(mutant.from).count(), 1, "{}", mutant.what);
        }
    }
}
