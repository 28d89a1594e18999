//! What is published stays readable, and stays what was measured: every run in `results` against its own trials and the index.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

use lbcurve::publication::check_trials;
use lbcurve::result::{read_run_file, stream_jsonl};
use lbcurve::run::record::Record;

fn results() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../results")
}

/// Folders with a `run.json`.
fn published() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(results()).unwrap().map(|entry| entry.unwrap().path());
    folders.filter(|folder| folder.join("run.json").exists()).collect()
}

#[test]
fn every_published_run_is_made_of_its_trials() {
    let folders = published();
    assert!(!folders.is_empty(), "at least one run is published");
    for folder in folders {
        let run =
            read_run_file(&folder.join("run.json")).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let trials = stream_jsonl::<Record>(&folder.join("trials.jsonl")).unwrap();
        check_trials(&run, trials).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    }
}

#[test]
fn the_index_names_every_published_run() {
    let index = std::fs::read_to_string(results().join("README.md")).unwrap();
    for folder in published() {
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(index.contains(&format!("({name}/README.md)")), "{name}");
    }
}
