//! Needs root: a run that is killed at any moment, and then cleaned, leaves the machine as it was.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aya::programs::loaded_programs;
use rand::{RngExt, SeedableRng};

/// The machine is compared as a whole: one test at a time.
static MACHINE: Mutex<()> = Mutex::new(());

/// What a run could leave behind or alter.
#[derive(Debug, PartialEq, Eq)]
struct Machine {
    /// Network namespaces that a process or a mount holds.
    namespaces: BTreeSet<u64>,
    /// Ids of the loaded BPF programs.
    programs: BTreeSet<u32>,
    mounts: String,
    /// Guests, and kernel threads that poll a device.
    processes: BTreeSet<String>,
    /// Of the root namespace, without counters.
    links: String,
    rules: String,
    tables: String,
}

impl Machine {
    fn now() -> Self {
        Self {
            namespaces: processes().filter_map(|dir| Some(dir.join("ns/net").metadata().ok()?.ino())).collect(),
            programs: loaded_programs().map(|program| program.unwrap().id()).collect(),
            mounts: std::fs::read_to_string("/proc/self/mounts").unwrap(),
            processes: processes().filter_map(|dir| ours(&dir)).collect(),
            links: output("ip", &["-d", "link"]),
            rules: without_counters(&output("iptables-legacy-save", &[])),
            tables: output("nft", &["list", "ruleset"]),
        }
    }
}

fn processes() -> impl Iterator<Item = std::path::PathBuf> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.join("comm").exists())
}

fn ours(process: &Path) -> Option<String> {
    let name = std::fs::read_to_string(process.join("comm")).ok()?;
    let words = std::fs::read_to_string(process.join("cmdline")).ok()?;
    (name.starts_with("napi/") || words.contains("lbcurve-vm-")).then(|| format!("{name} {words}"))
}

fn output(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).output().unwrap();
    assert!(output.status.success(), "{tool}");
    String::from_utf8(output.stdout).unwrap()
}

fn without_counters(rules: &str) -> String {
    let lines = rules.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(" [").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

fn lbcurve(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn kill_after(venue: &str, out: &Path, delay: Duration) {
    let out = out.to_str().unwrap();
    let mut child = lbcurve(&["run", "--venue", venue, "--services", "1,100", "--layout", "sequential", "--out", out])
        .spawn()
        .unwrap();
    std::thread::sleep(delay);
    // A run that is already over would prove nothing about kills.
    assert!(child.try_wait().unwrap().is_none(), "the run ended before it was killed");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The kernel frees namespaces and programs after their last user is gone, not at that moment.
fn settles_to(before: &Machine) -> Machine {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let now = Machine::now();
        if now == *before || Instant::now() > deadline {
            return now;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn twenty_kills_leave_nothing() {
    let _alone = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    // What an earlier test run left is none of this one's doing.
    lbcurve(&["clean"]).status().unwrap();
    let before = Machine::now();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(20);
    for kill in 0..20_u64 {
        let venue = if kill % 3 == 2 { "vm" } else { "host" };
        let delay = Duration::from_millis(rng.random_range(20..3_000));
        kill_after(venue, &dir.path().join(kill.to_string()), delay);
        assert!(lbcurve(&["clean"]).status().unwrap().success());
        assert_eq!(settles_to(&before), before, "after kill {kill} ({venue}) at {delay:?}");
    }
}

fn wait_for_the_first_batch(trials: &Path) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !std::fs::read_to_string(trials).is_ok_and(|text| text.ends_with('\n')) {
        assert!(Instant::now() < deadline, "no batch of trials has ended");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_interrupt_ends_in_order_and_the_run_resumes() {
    let _alone = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let words = ["run", "--venue", "host", "--backends", "iptables-legacy", "--services", "1,10", "--trials", "8"];
    let arguments = [&words[..], &["--packets", "500", "--out", out.to_str().unwrap()]].concat();
    let mut child = lbcurve(&arguments).spawn().unwrap();
    // A moment by the clock could fall before the first batch, or after the last, on another machine.
    wait_for_the_first_batch(&out.join("trials.jsonl"));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let kept = std::fs::read_to_string(out.join("trials.jsonl")).unwrap();
    assert!(kept.ends_with('\n'), "only whole lines are kept");
    assert!(lbcurve(&arguments).status().unwrap().success());
    let whole = std::fs::read_to_string(out.join("trials.jsonl")).unwrap();
    assert!(whole.starts_with(&kept), "finished trials are not measured again");
    assert!(whole.len() > kept.len(), "the interrupt came before the end");
}
