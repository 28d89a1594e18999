//! Needs root, in part: gates this lbcurve against itself. Structure only: whether a machine shows a change is the bench's business.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use assert_cmd::Command;
use serde_json::Value;

const OWN: &str = env!("CARGO_BIN_EXE_lbcurve");

/// Held by tests that make namespaces: one of them counts those of the whole machine.
static MACHINE: Mutex<()> = Mutex::new(());

fn gate(against: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(OWN);
    command.args(["gate", "--against"]).arg(against).args(more);
    command
}

/// Expects exit code 27 and one line that holds every one of `words`.
fn refused(against: &Path, words: &[&str]) {
    let assert = gate(against, &[]).assert().code(27);
    let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    let errors: Vec<_> = said.lines().filter(|line| line.starts_with("lbcurve: ")).collect();
    assert_eq!(errors.len(), 1, "{said}");
    words.iter().for_each(|word| assert!(errors[0].contains(word), "{word:?} is missing in {said:?}"));
}

#[test]
fn another_side_that_is_none_is_named_with_the_reason() {
    refused(Path::new("/nowhere/lbcurve"), &["/nowhere/lbcurve", "No such file"]);
    let file = tempfile::NamedTempFile::new().unwrap();
    refused(file.path(), &[file.path().to_str().unwrap(), "Permission denied"]);
    refused(Path::new("/bin/true"), &["/bin/true", "does not answer as an lbcurve"]);
    refused(Path::new("/bin/cat"), &["/bin/cat", "does not answer as an lbcurve", "visit"]);
}

#[test]
fn a_kernel_that_is_none_is_named_too() {
    // A word that is no path is a kernel.
    refused(Path::new("Not/A/Kernel"), &["Not/A/Kernel", "--against-modules"]);
}

#[test]
fn without_root_it_says_so() {
    // Nobody may not read this build's directory everywhere: what it runs is a copy.
    let dir =
        tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    let copy = dir.path().join("lbcurve");
    std::fs::copy(OWN, &copy).unwrap();
    let words = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let mut command = Command::new("setpriv");
    let assert = command.args(words).arg(&copy).args(["gate", "--against"]).arg(&copy).assert().code(5);
    assert!(String::from_utf8_lossy(&assert.get_output().stderr).contains("root"));
}

/// Network namespaces that a process holds.
fn namespaces() -> BTreeSet<u64> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|entry| Some(entry.path().join("ns/net").metadata().ok()?.ino())).collect()
}

fn trials(out: &Path, side: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(out.join(side).join("trials.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_round_has_both_sides_and_nothing_is_left() {
    let _alone = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = namespaces();
    let dir = tempfile::tempdir().unwrap();
    let (out, summary) = (dir.path().join("gate"), dir.path().join("summary.md"));
    let more =
        ["--rounds", "7", "--services", "20", "--backends", "iptables-legacy", "--packets", "300", "--despite-noise"];
    let paths = ["--out", out.to_str().unwrap(), "--summary", summary.to_str().unwrap()];
    let run = || {
        let output = gate(Path::new(OWN), &[&more[..], &paths].concat()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned(), said)
    };
    let (code, table, said) = run();
    assert!([0, 20, 21, 22].contains(&code), "{code}: {said}");
    assert!(table.contains("7 rounds are fewer than 40"), "{table}");
    assert!(std::fs::read_to_string(&summary).unwrap().starts_with("## lbcurve gate: "));

    let report: Value = serde_json::from_str(&std::fs::read_to_string(out.join("gate.json")).unwrap()).unwrap();
    let row = &report["cells"][0]["statistics"][0];
    assert_eq!((row["baseline"].as_array().unwrap().len(), row["candidate"].as_array().unwrap().len()), (7, 7));
    let [baseline, candidate] = ["baseline", "candidate"].map(|side| trials(&out, side));
    // Two setups, seven rounds; a trial is one of the plan's, with flow numbers of its own side.
    assert_eq!((baseline.len(), candidate.len()), (14, 14));
    let rounds = |side: &[Value]| side.iter().map(|trial| trial["trial"].as_u64().unwrap()).collect::<BTreeSet<_>>();
    assert_eq!((rounds(&baseline), rounds(&candidate)), ((0..7).collect(), (0..7).collect()));
    // Others may end meanwhile; none may be new.
    assert!(namespaces().is_subset(&before), "{before:?}, then {:?}", namespaces());

    // The same command again measures nothing, and comes to the same.
    let (again, table_again, said) = run();
    assert!(said.contains("every round is there already"), "{said}");
    let verdict = |table: &str| table.lines().last().unwrap().to_owned();
    assert_eq!((again, verdict(&table_again)), (code, verdict(&table)));
}

#[test]
fn an_interrupted_gate_resumes() {
    let _alone = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("gate");
    let words =
        ["--rounds", "12", "--services", "20", "--backends", "iptables-legacy", "--packets", "300", "--despite-noise"];
    let arguments = [&words[..], &["--out", out.to_str().unwrap()]].concat();
    let mut child = std::process::Command::new(OWN).args(["gate", "--against", OWN]).args(&arguments).spawn().unwrap();
    let started = std::time::Instant::now();
    let lines = |side: &str| std::fs::read_to_string(out.join(side).join("trials.jsonl")).unwrap_or_default();
    while lines("candidate").lines().count() < 3 {
        assert!(started.elapsed().as_secs() < 120, "no trial after two minutes");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let kept = lines("candidate");
    let code = gate(Path::new(OWN), &arguments).output().unwrap().status.code().unwrap();
    assert!([0, 20, 21, 22].contains(&code), "{code}");
    let whole = lines("candidate");
    assert_eq!(whole.lines().count(), 24);
    assert!(kept.lines().all(|line| whole.contains(line)), "finished trials are not measured again");
}

#[test]
fn a_visit_that_is_asked_in_other_words_says_so() {
    let assert = Command::new(OWN).arg("visit").write_stdin("{\"speed\": 1}").assert().code(27);
    assert!(String::from_utf8_lossy(&assert.get_output().stderr).contains("not a job that this lbcurve understands"));
    let assert = Command::new(OWN).arg("visit").write_stdin("").assert().success();
    let hello: Value = serde_json::from_slice(&assert.get_output().stdout).unwrap();
    assert_eq!(hello["lbcurve_visit"], 1);
}
