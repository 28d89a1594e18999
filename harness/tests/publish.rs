//! `lbcurve publish`: a folder that is whole, an index that is generated, and nothing overwritten.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod synthetic;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use lbcurve::report::number::{self, Medium};
use lbcurve::result::{
    BackendKind, Curve, Flow, JsonlWriter, Metric, Position, RunFile, name, read_run_file, write_run_file,
};

const EMPTY: &str = "# Results\n<!-- runs -->\n<!-- /runs -->\n";

fn publish(dir: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    command.args(["publish", "run", "--results", "results", "--readme", "README.md"]).current_dir(dir);
    command.output().unwrap()
}

/// A finished run beside an empty directory of results.
fn prepare(dir: &Path, run: &RunFile) {
    fs::create_dir_all(dir.join("run")).unwrap();
    fs::create_dir_all(dir.join("results")).unwrap();
    write_run_file(&dir.join("run/run.json"), run).unwrap();
    JsonlWriter::append_to(&dir.join("run/trials.jsonl")).unwrap().append(&1).unwrap();
    fs::write(dir.join("results/README.md"), EMPTY).unwrap();
    fs::write(dir.join("README.md"), "a\n<!-- plot -->\nold\n<!-- /plot -->\nb\n").unwrap();
}

#[test]
fn a_run_is_published_once_with_its_reading_and_its_row() {
    let dir = tempfile::tempdir().unwrap();
    let run = synthetic::run();
    prepare(dir.path(), &run);
    let output = publish(dir.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let name = String::from_utf8(output.stdout).unwrap().trim().trim_start_matches("results/").to_owned();
    assert!(name.starts_with(&run.environment.date[..10]), "{name}");
    let folder = dir.path().join("results").join(&name);
    let mut files: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let expected = ["README.md", "added.svg", "manifest.json", "report.html", "run.json", "trials.jsonl"];
    assert_eq!(files, expected);
    assert_eq!(read_run_file(&folder.join("run.json")).unwrap(), run);

    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    assert_reading(&readme, &run);
    let index = fs::read_to_string(dir.path().join("results/README.md")).unwrap();
    assert!(index.contains(&format!("| [{name}]({name}/README.md) | ")), "{index}");
    let front = fs::read_to_string(dir.path().join("README.md")).unwrap();
    assert!(front.contains(&format!("(results/{name}/added.svg)")) && !front.contains("old"), "{front}");

    let again = publish(dir.path());
    assert_eq!(again.status.code(), Some(11));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is there already"));
    assert_eq!(fs::read_to_string(dir.path().join("results/README.md")).unwrap(), index);
}

/// Every curve of the reading is there, with its slope and its last median as the run has them.
fn assert_reading(readme: &str, run: &RunFile) {
    let is_read = |curve: &&Curve| {
        let key = &curve.key;
        let worst = if key.backend == BackendKind::Ipvs { Position::First } else { Position::Last };
        let balances = !matches!(key.backend, BackendKind::Direct | BackendKind::DirectConntrack);
        (key.metric, key.flow, key.position) == (Metric::Added, Flow::New, worst) && balances
    };
    let read: Vec<_> = run.curves.iter().filter(is_read).collect();
    assert!(read.len() >= 4);
    for curve in read {
        let last = curve.points.last().unwrap();
        let median = number::value(last.p50, curve.key.unit, Medium::Terminal);
        let slope = number::slope(&curve.fit, Medium::Terminal);
        let rows = readme.lines().filter(|line| line.starts_with(&format!("| {}", name(&curve.key.backend))));
        let found = rows.filter(|row| row.contains(&slope)).any(|row| row.contains(&format!("| {median} |")));
        assert!(found, "{}: {slope}, {median} in {readme}", curve.key);
    }
    for part in ["## Verdicts", "## Claims", "## Figures", "## Environment", "## Files"] {
        assert!(readme.contains(part), "{part}");
    }
    assert!(readme.contains(&run.environment.command) && readme.contains(&run.environment.date));
}

#[test]
fn without_markers_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path(), &synthetic::run());
    fs::write(dir.path().join("README.md"), "no markers\n").unwrap();
    let output = publish(dir.path());
    assert_eq!(output.status.code(), Some(11));
    assert!(String::from_utf8_lossy(&output.stderr).contains("<!-- plot -->"));
    assert_eq!(fs::read_dir(dir.path().join("results")).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(dir.path().join("results/README.md")).unwrap(), EMPTY);
}
