//! The fuzzer's seeds are small files that this lbcurve reads.
//!
//! `LBCURVE_WRITE_SCHEMAS=1 cargo test -p lbcurve --test damage seeds` rewrites them.

use std::path::{Path, PathBuf};

use lbcurve::result::{
    BackendKind, Flow, Position, RunFile, TrialKind, TrialRecord, Unit, assemble, parse_jsonl, parse_run_file,
    run_file_text,
};
use lbcurve::run::record::Record;
use lbcurve::run::scenario::Wishes;

use crate::synthetic::{self, cell, manifest, trial};

fn seeds(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target)
}

fn check_committed(path: &Path, text: &str) {
    if std::env::var_os("LBCURVE_WRITE_SCHEMAS").is_some() {
        std::fs::write(path, text).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap();
    assert_eq!(committed, text, "{} is stale; the head of this file names the command", path.display());
}

/// A few cells with everything that a run file can hold.
fn trials() -> Vec<TrialRecord> {
    let mut trials = Vec::new();
    for (backend, position, slope) in
        [(BackendKind::DirectConntrack, Position::Missing, 0), (BackendKind::IptablesLegacy, Position::Last, 26)]
    {
        for services in [1, 100, 1000] {
            for index in 0..2 {
                let median = u64::from(5000 + slope * services + index);
                let cell = cell(backend, services, Flow::New, position);
                trials.push(trial(cell, TrialKind::Traversal, index, Unit::Instructions, median));
            }
        }
    }
    let floor = cell(BackendKind::Direct, 1, Flow::New, Position::Missing);
    trials.push(trial(floor, TrialKind::Floor, 0, Unit::Instructions, 212));
    trials
}

fn run() -> RunFile {
    let trials = trials();
    let (mut programming, mut throughput) = (synthetic::programming(), synthetic::throughput());
    programming.truncate(6);
    throughput.truncate(4);
    assemble(manifest(&trials), &trials, &programming, &throughput, &synthetic::skipped()).unwrap()
}

#[test]
fn run_files() {
    let mut run = run();
    let small = run_file_text(&run).unwrap();
    check_committed(&seeds("run_file").join("small.json"), &small);
    parse_run_file(small.as_bytes()).unwrap();
    (run.curves, run.distributions, run.programming, run.throughput) = (vec![], vec![], vec![], vec![]);
    let empty = run_file_text(&run).unwrap();
    check_committed(&seeds("run_file").join("empty.json"), &empty);
    parse_run_file(empty.as_bytes()).unwrap();
}

#[test]
fn trials_files() {
    let mut records: Vec<Record> = trials().into_iter().take(2).map(Record::Trial).collect();
    records.extend(synthetic::programming().into_iter().take(1).map(Record::Programming));
    records.extend(synthetic::throughput().into_iter().take(1).map(Record::Throughput));
    let text: String = records.iter().map(|record| serde_json::to_string(record).unwrap() + "\n").collect();
    let path = seeds("jsonl").join("small.jsonl");
    check_committed(&path, &text);
    assert_eq!(parse_jsonl::<Record>(text.as_bytes(), &path).unwrap().records, records);
}

#[test]
fn scenarios() {
    let mut read = 0;
    for entry in std::fs::read_dir(seeds("scenario")).unwrap() {
        let path = entry.unwrap().path();
        let wishes = Wishes::read(&path).unwrap_or_else(|error| panic!("{error}"));
        assert!(wishes.resolve().is_ok(), "{}", path.display());
        read += 1;
    }
    assert!(read >= 2);
}
