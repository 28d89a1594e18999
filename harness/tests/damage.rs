//! Files of a run that are damaged in any way: one line that says which, an exit code of its own kind, and never a panic.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "damage/seeds.rs"]
mod seeds;
mod synthetic;

use std::path::Path;

use assert_cmd::Command;
use lbcurve::result::{Contradiction, RunFault, RunFile, RunFileError, parse_run_file, read_run_file, write_run_file};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The synthetic run as it is written.
fn text() -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.json");
    write_run_file(&path, &small()).unwrap();
    std::fs::read_to_string(path).unwrap()
}

/// The synthetic run with three of its curves.
fn small() -> RunFile {
    let mut run = synthetic::run();
    run.curves.truncate(3);
    let kept = |d: &lbcurve::result::Distribution| {
        run.curves
            .iter()
            .any(|c| c.key.metric != lbcurve::result::Metric::Added && c.key.axes.cell(d.cell.services) == d.cell)
    };
    let distributions = run.distributions.iter().filter(|d| kept(d)).cloned().collect();
    run.distributions = distributions;
    run
}

/// Runs `lbcurve report` on a directory whose run.json is `bytes`; expects `code` and one line with every word.
fn refused(bytes: &[u8], code: i32, words: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("run.json"), bytes).unwrap();
    for [name, format] in [["report", "html"], ["report", "table"], ["claims", "json"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
        let assert = command.arg(name).arg(directory.path()).args(["--format", format]).assert().code(code);
        let output = assert.get_output();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said.lines().count(), 1, "one line, not {said:?}");
        assert!(said.starts_with("lbcurve: ") && said.contains("run.json"), "{said:?}");
        assert!(words.iter().all(|word| said.contains(word)), "{words:?} in {said:?}");
        assert!(output.stdout.is_empty());
    }
    assert!(!directory.path().join("report.html").exists(), "a refused run has no report");
}

#[test]
fn a_run_that_is_not_there() {
    for place in ["/nowhere", "/nowhere/run.json"] {
        let assert = Command::new(env!("CARGO_BIN_EXE_lbcurve")).args(["report", place]).assert().code(12);
        let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
        assert!(said.contains("/nowhere") && said.contains("No such file") && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn empty_truncated_and_foreign_files() {
    let text = text();
    refused(b"", 16, &["empty"]);
    refused(b" \n", 16, &["empty"]);
    refused(&text.as_bytes()[..text.len() / 2], 16, &["cut short", "line"]);
    refused(&text.as_bytes()[..text.len() - 3], 16, &["cut short"]);
    refused(b"{", 16, &["cut short"]);
    refused(b"[]", 16, &["not a run file"]);
    refused(b"{\"name\": \"package\"}", 16, &["not a run file", "schema_version"]);
    refused(b"\x7fELF\x02\x01\x01\x00\xff\xfe", 16, &["not a run file"]);
    refused(b"{\"schema_version\": 2}", 16, &["not a run file", "environment"]);
    refused("[".repeat(100_000).as_bytes(), 16, &["not a run file"]);
}

#[test]
fn another_schema_version() {
    for found in [1, 3, 999] {
        refused(format!("{{\"schema_version\": {found}}}").as_bytes(), 17, &[&format!("version {found}"), "reads 2"]);
    }
}

#[test]
fn numbers_that_are_none() {
    let text = text();
    let p50 = text.find("\"p50\": ").unwrap() + 7;
    let end = p50 + text[p50..].find(',').unwrap();
    for number in ["NaN", "Infinity", "1e999", "null", "\"fast\""] {
        refused((text[..p50].to_owned() + number + &text[end..]).as_bytes(), 16, &["not a run file", "line"]);
    }
}

#[test]
fn any_edit_breaks_the_seal() {
    let text = text();
    let p50 = text.find("\"p50\": ").unwrap() + 7;
    for edited in [
        text[..p50].to_owned() + "9" + &text[p50..],
        text.replacen("\"Synthetic CPU\"", "\"Faster CPU\"", 1),
        text.replacen("\"curves\": [", "\"comment\": 1, \"curves\": [", 1),
        text.replacen("\"p50\": ", "\"p50_before\": 1.0, \"p50\": ", 1),
        text.replacen("\"seal\": \"", "\"seal\": \"0", 1),
    ] {
        assert_ne!(edited, text);
        refused(edited.as_bytes(), 18, &["changed since the run wrote it"]);
    }
    let white: String = text.lines().map(|line| format!("{line}  \r\n\t")).collect();
    assert_eq!(parse_run_file(white.as_bytes()).unwrap(), parse_run_file(text.as_bytes()).unwrap());
}

/// An edit by JSON pointer, sealed anew, as somebody who knows the format would.
fn resealed(pointer: &str, value: Value) -> Vec<u8> {
    let mut run = serde_json::to_value(small()).unwrap();
    *run.pointer_mut(pointer).expect(pointer) = value;
    let run: RunFile = serde_json::from_value(run).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.json");
    write_run_file(&path, &run).unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn a_resealed_edit_still_contradicts_the_rest() {
    let run = serde_json::to_value(small()).unwrap();
    for (pointer, value, words) in [
        ("/curves/0/points/1/services", json!(1), "N does not ascend"),
        ("/curves/0/points/0/services", json!(0), "N does not ascend"),
        ("/curves/0/points/0/p50", json!(1.0), "p50 is not the median"),
        ("/curves/0/points/0/values", json!([]), "values"),
        ("/curves/0/points/0/trials", json!(4_000_000_000_u32), "values"),
        ("/curves/0/points/0/endpoints", json!(3), "M is not the curve's"),
        ("/curves/0/points/0/spread/low", json!(1e300), "spread does not hold"),
        ("/curves/0/points", json!([]), "no point"),
        ("/curves/1", run["curves"][0].clone(), "two curves"),
        ("/distributions/0/packets", json!(7), "packets differ"),
        ("/distributions/0/quantiles/0/value", json!(u64::MAX), "quantiles descend"),
        ("/distributions/0/mean", json!(-1.0), "mean or deviation"),
        ("/distributions/0/services", json!(7), "no curve has its point"),
        ("/distributions", json!([]), "no distribution"),
        ("/throughput/0/forwarded_pps", json!(-1.0), "packets a second"),
    ] {
        refused(&resealed(pointer, value), 18, &["contradicts itself", words]);
    }
}

#[test]
fn a_value_that_is_not_finite_is_found_before_it_is_written() {
    // JSON has no NaN: it becomes null, which no reader takes for a number.
    let mut run = small();
    run.curves[0].points[0].values[0] = f64::NAN;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.json");
    write_run_file(&path, &run).unwrap();
    let error = read_run_file(&path).unwrap_err();
    assert!(matches!(error, RunFileError::Refused { source: RunFault::Foreign(_), .. }), "{error}");
}

#[test]
fn a_trials_file_that_is_damaged_or_cut() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("run");
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
        command.args(["run", "--venue", "host", "--backends", "direct", "--services", "1", "--trials", "1"]);
        command.args(["--packets", "50", "--out"]).arg(&out);
        command
    };
    run().assert().success();
    let (trials, run_file) = (out.join("trials.jsonl"), out.join("run.json"));
    let (whole, before) = (std::fs::read(&trials).unwrap(), std::fs::read(&run_file).unwrap());
    parse_run_file(&before).expect("what a run writes is read again");
    let line = whole.iter().position(|&byte| byte == b'\n').unwrap();
    let damaged = [&whole[..line / 2], &whole[line..]].concat();
    std::fs::write(&trials, &damaged).unwrap();
    let assert = run().assert().code(19);
    let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(said.lines().any(|line| line.contains("trials.jsonl:1: not a record")), "{said}");
    assert_eq!(std::fs::read(&trials).unwrap(), damaged, "what is damaged is left to be looked at");
    // A run that is resumed measures what a cut line has lost.
    std::fs::write(&trials, &whole[..whole.len() - 9]).unwrap();
    run().assert().success();
    read_run_file(Path::new(&run_file)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_changed_byte_is_refused_or_white(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        static TEXT: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let mut bytes = TEXT.get_or_init(|| text().into_bytes()).clone();
        let at = at.index(bytes.len());
        let same = bytes[at] == byte || (bytes[at].is_ascii_whitespace() && byte.is_ascii_whitespace());
        bytes[at] = byte;
        match parse_run_file(&bytes) {
            // White space inside a string is a change; outside, it is none.
            Ok(_) => prop_assert!(same),
            Err(RunFault::Contradiction(Contradiction::CurveTwice(_))) => prop_assert!(false, "the seal comes first"),
            Err(_) => {}
        }
    }
}
