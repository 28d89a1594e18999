//! Baseline files that are none: one clear line each, an exit code of their own kind, no panic.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use assert_cmd::Command;
use curve_stats::{NoiseFloor, Observation};
use lbcurve::gate::{
    BASELINE_FORMAT, BASELINE_SCHEMA_VERSION, Baseline, BaselineError, SeedValues, gate_wishes, plan_key, portable,
};
use lbcurve::result::{BackendKind, Bracket, Cell, Flow, Metric, Position, Unit, VenueKind, noise_floor};
use lbcurve::run::scenario::Wishes;
use lbcurve::workload::{Protocol, VipLayout};
use proptest::prelude::*;

fn values(services: u32) -> SeedValues {
    let cell = Cell {
        venue: VenueKind::Vm,
        kernel: "6.1.0-50-amd64".into(),
        backend: BackendKind::IptablesLegacy,
        bracket: Bracket::Tc,
        layout: VipLayout::Sequential,
        protocol: Protocol::Tcp,
        services,
        endpoints: 2,
        flow: Flow::New,
        position: Position::Last,
    };
    let list = |by: f64| vec![37_311.5 - by, 37_313.0 - by, 37_319.0 - by];
    let (min, p10, p50) = (list(20.0), list(10.0), list(0.0));
    SeedValues { cell, metric: Metric::Traversal, unit: Unit::Instructions, min, p10, p50 }
}

fn baseline() -> Baseline {
    let scenario = portable(&gate_wishes(Wishes::default()).unwrap().resolve().unwrap());
    Baseline {
        format: BASELINE_FORMAT.into(),
        schema_version: BASELINE_SCHEMA_VERSION,
        kernel: "6.1.0-50-amd64".into(),
        kernel_origin: "linux-image-6.1.0-50-amd64 6.1.170-1".into(),
        plan: plan_key(&scenario).unwrap(),
        scenario,
        lbcurve: "0.1.0".into(),
        ebpf_object_sha256: "0".into(),
        qemu: "7.2".into(),
        seeds: vec![1, 2, 3],
        cells: vec![values(1), values(1000)],
        seal: String::new(),
    }
}

fn written(baseline: &Baseline) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("baseline.json");
    baseline.write(&path).unwrap();
    (dir, path)
}

/// The text of a good file.
static TEXT: LazyLock<String> = LazyLock::new(text);

fn text() -> String {
    let (_dir, path) = written(&baseline());
    std::fs::read_to_string(path).unwrap()
}

/// The gate ends with `code` and one line that names the file and holds every word.
fn refused(path: &Path, code: i32, words: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    let assert = command.args(["gate", "--baseline"]).arg(path).assert().code(code);
    let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert_eq!(said.lines().count(), 1, "one line, not {said:?}");
    for word in words.iter().copied().chain([path.to_str().unwrap()]) {
        assert!(said.contains(word), "{word:?} is missing in {said:?}");
    }
}

fn refused_text(text: &str, code: i32, words: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("baseline.json");
    std::fs::write(&path, text).unwrap();
    refused(&path, code, words);
}

#[test]
fn what_was_written_is_read_back() {
    let (_dir, path) = written(&baseline());
    let read = Baseline::read(&path).unwrap();
    assert_eq!(Baseline { seal: String::new(), ..read }, baseline());
}

/// A change of the scenario's or the baseline's layout makes them useless: `cargo xtask baseline` makes new ones.
#[test]
fn committed_baselines_can_be_used() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/baselines");
    let paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!paths.is_empty());
    for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        let baseline = Baseline::read(path).unwrap();
        assert_eq!(path.file_name().unwrap().to_str().unwrap(), baseline.file_name());
    }
}

#[test]
fn files_that_are_no_baseline() {
    refused(Path::new("/nowhere/baseline.json"), 24, &["No such file"]);
    refused_text("", 24, &["not a baseline file", "EOF"]);
    let text = text();
    refused_text(&text[..text.len() / 2], 24, &["not a baseline file", "EOF"]);
    refused_text("{\"schema_version\": 2, \"environment\": {}}", 24, &["not a baseline file", "format"]);
    refused_text(&text.replace("lbcurve baseline", "lbcurve"), 24, &["its format is \"lbcurve\""]);
    refused_text(&text.replacen("37311.5", "NaN", 1), 24, &["not a baseline file"]);
    refused_text(&text.replacen("37311.5", "1e999", 1), 24, &["not a baseline file", "out of range"]);
}

#[test]
fn another_schema_version() {
    refused_text(&text().replace("\"schema_version\": 1", "\"schema_version\": 7"), 25, &["7", "reads 1", "update"]);
}

#[test]
fn edited_by_hand() {
    let text = text();
    refused_text(&text.replacen("37311.5", "47311.5", 1), 24, &["not as lbcurve wrote it", "seal"]);
    refused_text(&text.replacen("\"seeds\"", "\"more\": 1,\n  \"seeds\"", 1), 24, &["seal"]);
}

#[test]
fn sealed_and_yet_contradicting_itself() {
    type Damage = fn(&mut Baseline);
    let damages: [(Damage, &str); 6] = [
        (|b| b.seeds = vec![1, 1, 2], "2 different seeds of 3"),
        (|b| b.plan = "0123456789ab".into(), "its plan"),
        (|b| b.cells.clear(), "no cell"),
        (|b| b.cells[1].p10.truncate(2), "N=1000"),
        (|b| b.cells[0].cell.kernel = "6.12".into(), "another kernel"),
        (|b| b.cells[0].unit = Unit::Ns, "not in instructions"),
    ];
    for (damage, word) in damages {
        let mut broken = baseline();
        damage(&mut broken);
        let (_dir, path) = written(&broken);
        refused(&path, 24, &[word]);
    }
}

#[test]
fn too_few_seeds_are_refused_before_anything_starts() {
    let (_dir, path) = written(&baseline());
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    let assert = command.args(["gate", "--seeds", "4,4,5", "--baseline"]).arg(&path).assert().code(3);
    let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(said.contains("2 different seeds") && said.contains("at least 3"), "{said}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    command.args(["baseline", "update", "--seeds", "1,2"]).assert().code(3);
}

proptest! {
    /// Bytes cut out, doubled or changed: an error, or the same baseline in another spelling.
    #[test]
    fn damage_is_noticed(at in 0.0..1.0_f64, length in 0_usize..40, put in ".{0,6}") {
        let (dir, path) = (tempfile::tempdir().unwrap(), "baseline.json");
        let path = dir.path().join(path);
        let good = TEXT.as_bytes();
        let from = (at * good.len() as f64) as usize;
        let to = (from + length).min(good.len());
        std::fs::write(&path, [&good[..from], put.as_bytes(), &good[to..]].concat()).unwrap();
        match Baseline::read(&path) {
            Ok(read) => prop_assert_eq!(Baseline { seal: String::new(), ..read }, baseline()),
            Err(BaselineError::Io { .. }) => prop_assert!(false, "the file is there"),
            Err(_) => {}
        }
    }
}

/// Standard deviation.
fn deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt()
}

/// What another seed moves in the committed baselines is no more than the error that fits take a cell to have.
#[test]
fn seeds_move_a_cell_no_more_than_the_noise_floor() {
    let NoiseFloor(floor) = noise_floor(Unit::Instructions);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/baselines");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty(), "a baseline is committed");
    for cells in files
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|p| Baseline::read(p).unwrap().cells)
    {
        for added in cells.iter().filter(|values| values.metric == Metric::Added) {
            let own = cells.iter().find(|v| v.metric == Metric::Traversal && v.cell == added.cell).unwrap();
            let plain = own.p50[0] - added.p50[0];
            let trial = Observation::difference(added.cell.services, own.p50[0], plain);
            let moved = deviation(&added.p50);
            assert!(moved <= floor * trial.scale.unwrap(), "{:?} moves by {moved}", added.cell);
        }
    }
}
