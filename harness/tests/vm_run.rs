//! Whole runs in the deterministic vm: no root, one seed, the same bytes, however the run was interrupted.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lbcurve::result::{BackendKind, Flow, Metric, Position, ProgrammingRecord, RunFile, read_run_file};

/// Four boots of a few cells each.
fn command(out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    command.args(["run", "--venue", "vm", "--backends", "iptables-legacy,ipvs", "--services", "1,10,100"]);
    command.args(["--layout", "sequential", "--trials", "2", "--packets", "50", "--deterministic", "--out"]).arg(out);
    command.stdout(Stdio::null());
    command
}

fn trials(out: &Path) -> Vec<u8> {
    std::fs::read(out.join("trials.jsonl")).unwrap()
}

fn run(out: &Path) -> Vec<u8> {
    assert!(command(out).status().unwrap().success());
    trials(out)
}

/// Waits until `lines` trials are there or the run has ended.
fn wait_for_lines(child: &mut Child, out: &Path, lines: usize) {
    let deadline = Instant::now() + Duration::from_secs(300);
    while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(out.join("trials.jsonl")).unwrap_or_default();
        if text.lines().count() >= lines {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn p50s(run: &RunFile, backend: BackendKind, flow: Flow, position: Position) -> Vec<f64> {
    let curve = run.curves.iter().find(|curve| {
        let key = &curve.key;
        (key.axes.backend, key.axes.flow, key.axes.position, key.metric) == (backend, flow, position, Metric::Traversal)
    });
    curve.unwrap().points.iter().map(|point| point.p50).collect()
}

/// Holds a file of a real run to the committed schema.
fn assert_valid(run_json: &Path) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/schema/run.schema.json");
    let read = |path: &Path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&read(&schema)).unwrap();
    let run: serde_json::Value = read(run_json);
    let errors: Vec<_> = validator.iter_errors(&run).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

/// VIPs at stride 256 share one of IPVS's 256 buckets: the walk grows by some 13 instructions a service.
#[test]
fn the_256_bucket_table_shows_itself() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    command.args(["run", "--venue", "vm", "--backends", "ipvs", "--services", "1,100", "--layout", "stride-256"]);
    command.args([
        "--flows",
        "new",
        "--positions",
        "first,last",
        "--trials",
        "2",
        "--packets",
        "50",
        "--deterministic",
    ]);
    assert!(command.arg("--out").arg(&out).stdout(Stdio::null()).status().unwrap().success());
    let run = read_run_file(&out.join("run.json")).unwrap();
    let slope = |position| {
        let p50s = p50s(&run, BackendKind::Ipvs, Flow::New, position);
        (p50s[1] - p50s[0]) / 99.0
    };
    let (first, last) = (slope(Position::First), slope(Position::Last));
    assert!((10.0..=16.0).contains(&first), "first: {first} instructions a service");
    assert!(last < 2.0, "last: {last} instructions a service");
}

/// A hundred services take more of the kernel's memory than one.
fn assert_memory(run: &RunFile) {
    for backend in [BackendKind::IptablesLegacy, BackendKind::Ipvs] {
        let of = |record: &&ProgrammingRecord| record.backend == backend && record.trial == 0;
        let records: Vec<_> = run.programming.iter().filter(of).filter(|record| record.memory.is_some()).collect();
        let bytes = |services| {
            let record = records.iter().find(|record| record.services == services).unwrap();
            record.memory.as_ref().unwrap().bytes()
        };
        println!("{backend:?}: {:?}", records.iter().map(|record| &record.memory).collect::<Vec<_>>());
        assert!(bytes(100) > bytes(1) && bytes(100) > 0, "{backend:?}: {} of 1, {} of 100", bytes(1), bytes(100));
    }
}

#[test]
fn one_seed_gives_the_same_bytes_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let (first, killed) = (dir.path().join("first"), dir.path().join("killed"));
    let expected = run(&first);

    let mut child = command(&killed).spawn().unwrap();
    wait_for_lines(&mut child, &killed, 1);
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = trials(&killed);
    assert!(!kept.is_empty() && kept.len() < expected.len(), "killed half-way: {} bytes", kept.len());
    // No boot of one run is the other's.
    assert_eq!(run(&killed), expected, "a run that was killed and resumed");

    assert_valid(&first.join("run.json"));
    let run = read_run_file(&first.join("run.json")).unwrap();
    assert!(run.warnings.is_empty(), "{:?}", run.warnings);
    assert_memory(&run);
    // The field's own figures: 26 instructions a rule; IPVS does not see N.
    let linear = p50s(&run, BackendKind::IptablesLegacy, Flow::New, Position::Last);
    let slope = (linear[2] - linear[0]) / 99.0;
    assert!((20.0..=32.0).contains(&slope), "{linear:?}");
    let flat = p50s(&run, BackendKind::Ipvs, Flow::New, Position::First);
    assert!(flat[2] / flat[0] < 1.02, "{flat:?}");
}
