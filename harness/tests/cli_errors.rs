//! Bad input: one clear line with the remedy, an exit code of its own, nothing left behind.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use assert_cmd::Command;

fn lbcurve(out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    command.args(["run", "--out"]).arg(out);
    command
}

/// Runs with `args`, expects `code` and one line on standard error that holds every one of `words`.
fn refused(args: &[&str], code: i32, words: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let assert = lbcurve(&out).args(args).assert().code(code);
    let output = assert.get_output();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in {said:?}");
    }
    let errors = said.lines().filter(|line| line.starts_with("lbcurve: ")).count();
    assert!(code == 2 || errors == 1, "one line, not {said:?}");
    assert!(!out.exists(), "a refused run makes no directory");
}

#[test]
fn an_unknown_backend_is_a_usage_error_that_lists_the_known_ones() {
    refused(&["--backends", "haproxy"], 2, &["haproxy", "iptables-legacy", "ipvs"]);
}

#[test]
fn no_services_no_trials_no_packets() {
    for axis in ["--services", "--endpoints", "--trials", "--packets"] {
        refused(&[axis, "0"], 3, &[axis.trim_start_matches('-'), "at least 1"]);
    }
}

#[test]
fn more_trials_or_packets_than_can_be_planned() {
    refused(&["--trials", "4294967295"], 3, &["trials", "at most 10000"]);
    refused(&["--packets", "4294967295"], 3, &["packets", "at most 100000"]);
}

#[test]
fn a_mix_of_flows_is_one_of_rates_and_of_both() {
    refused(&["--new-share", "10%"], 3, &["--new-share", "--rates"]);
    refused(&["--rates", "mrr", "--new-share", "10%,100%"], 2, &["100%", "1% to 99%", "--flows"]);
}

#[test]
fn a_scenario_with_a_typo_names_file_line_and_field() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("scenario.toml");
    std::fs::write(&file, "seed = 1\nservcies = [1]\n").unwrap();
    refused(&[file.to_str().unwrap()], 3, &["scenario.toml", "line 2", "servcies"]);
    refused(&["/nowhere/scenario.toml"], 3, &["/nowhere/scenario.toml", "No such file"]);
}

#[test]
fn a_workload_beyond_the_address_ranges_says_how_many_fit() {
    let args = ["--venue", "host", "--backends", "iptables-legacy"];
    refused(&[&args[..], &["--services", "10000", "--endpoints", "1000"]].concat(), 4, &["10000 services", "at most"]);
    let stride = ["--services", "5000", "--layout", "stride-256", "--service-cidr", "10.96.0.0/12"];
    refused(&[&args[..], &stride].concat(), 4, &["stride-256", "10.96.0.0/12", "4096"]);
}

#[test]
fn half_a_kernel_and_a_broken_one() {
    refused(&["--venue", "vm", "--kernel", "/boot/x"], 3, &["--modules"]);
    let dir = tempfile::tempdir().unwrap();
    let kernel = dir.path().join("vmlinuz");
    std::fs::write(&kernel, b"not a kernel").unwrap();
    let args = ["--venue", "vm", "--kernel", kernel.to_str().unwrap(), "--modules", dir.path().to_str().unwrap()];
    refused(&args, 7, &["vmlinuz"]);
}

#[test]
fn a_backend_that_this_kernel_lacks_is_named_with_the_remedy() {
    // This test's own kernel decides: it asks doctor, then holds run to the same answer.
    let doctor = Command::new(env!("CARGO_BIN_EXE_lbcurve")).arg("doctor").assert().success();
    let table = String::from_utf8_lossy(&doctor.get_output().stdout).into_owned();
    let row = table.lines().find(|line| line.contains("host") && line.contains("ipvs")).unwrap().to_owned();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let args = ["--venue", "host", "--backends", "ipvs,direct", "--services", "1", "--trials", "1", "--packets", "50"];
    let assert = lbcurve(&out).args(args).assert().success();
    let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    let left_out = said.lines().any(|line| line.starts_with("not measured: host ") && line.contains(" ipvs: "));
    assert_eq!(row.contains("ready"), !left_out, "{row} but {said}");
}

#[test]
fn a_directory_of_another_run_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let args = ["--venue", "host", "--backends", "direct", "--services", "1", "--trials", "1", "--packets", "50"];
    lbcurve(&out).args(args).assert().success();
    let before = std::fs::read(out.join("trials.jsonl")).unwrap();
    let assert = lbcurve(&out).args(args).args(["--seed", "7"]).assert().code(11);
    assert!(String::from_utf8_lossy(&assert.get_output().stderr).contains("--out"));
    assert_eq!(std::fs::read(out.join("trials.jsonl")).unwrap(), before);
}

#[test]
fn a_full_disk_ends_the_run_and_keeps_what_was_finished() {
    // A file system of 192 KiB in a mount namespace of its own: room for the plan and a few trials.
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().to_str().unwrap();
    let run = format!(
        "mount -t tmpfs -o size=192k tmpfs {place} && {} run --venue host --backends direct --services 1,10 --trials 20 \
         --packets 50 --out {place}/run; code=$?; wc -l < {place}/run/trials.jsonl; exit $code",
        env!("CARGO_BIN_EXE_lbcurve")
    );
    let assert = Command::new("unshare").args(["--mount", "sh", "-c", &run]).assert().code(11);
    let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(said.contains("No space left on device"), "{said}");
    let kept = String::from_utf8_lossy(&assert.get_output().stdout).trim().parse::<u32>().unwrap();
    assert!(kept > 0, "finished trials are kept: {said}");
}
