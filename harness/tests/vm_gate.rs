//! The deterministic gate end to end: a baseline of a tiny plan, the same again, and the same with ballast.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use lbcurve::gate::Baseline;

const SCENARIO: &str = "backends = ['iptables-legacy']\nservices = [64]\nflows = ['new']\npositions = ['last']\n\
                        layout = ['sequential']\ntrials = 1\npackets = 50\n";

fn lbcurve(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    command.args(args).env_remove("GITHUB_ACTIONS").env_remove("GITHUB_STEP_SUMMARY");
    command
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn baseline(dir: &Path) -> PathBuf {
    let scenario = dir.join("tiny.toml");
    std::fs::write(&scenario, SCENARIO).unwrap();
    let dir = dir.join("baselines");
    let args = ["baseline", "update", text(&scenario), "--seeds", "1,2,3", "--dir", text(&dir)];
    lbcurve(&args).assert().success();
    let files: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn equals_pass_and_ballast_is_a_regression() {
    let dir = tempfile::tempdir().unwrap();
    let file = baseline(dir.path());
    let held = Baseline::read(&file).unwrap();
    assert_eq!(file.file_name().unwrap().to_str().unwrap(), format!("{}-{}.json", held.kernel, held.plan));
    // Traversal of direct, direct-conntrack and iptables-legacy, and what the last adds.
    assert_eq!((held.seeds.as_slice(), held.cells.len()), ([1, 2, 3].as_slice(), 4));

    // Other seeds, so that nothing is equal by construction. Neither gate waits for the other.
    std::thread::scope(|scope| {
        scope.spawn(|| equals_pass(&file));
        ballast_is_a_regression(&file, dir.path());
    });
}

fn equals_pass(file: &Path) {
    let passed = lbcurve(&["gate", "--baseline", text(file), "--seeds", "4,5,6"]).assert().code(0);
    let said = String::from_utf8_lossy(&passed.get_output().stdout).into_owned();
    assert!(said.contains("gate: pass: 4 pass of 4"), "{said}");
    assert!(!said.contains("self-test"), "{said}");
}

/// Sixteen rules more for a packet to the last service, 3% of its traversal.
fn ballast_is_a_regression(file: &Path, dir: &Path) {
    let (summary, step) = (dir.join("summary.md"), dir.join("step.md"));
    let args = ["gate", "--baseline", text(file), "--seeds", "4,5,6", "--self-test-ballast", "4", "--summary"];
    let mut command = lbcurve(&args);
    command.arg(&summary).env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &step);
    let failed = command.assert().code(20);
    let said = String::from_utf8_lossy(&failed.get_output().stdout).into_owned();
    assert!(said.contains("gate: regression: 2 regression, 2 pass of 4"), "{said}");
    assert!(said.contains("one rule that matches nothing per 4 services: not a normal measurement"), "{said}");
    assert!(said.contains("::error title=lbcurve regression%3A iptables-legacy sequential tcp N=64"), "{said}");
    let markdown = std::fs::read_to_string(&summary).unwrap();
    assert!(markdown.starts_with("## lbcurve gate: regression"), "{markdown}");
    assert_eq!(std::fs::read_to_string(&step).unwrap(), markdown);
}
