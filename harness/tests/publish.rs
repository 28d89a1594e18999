//! `lbcurve publish`: a folder that is whole, an index that is generated, and nothing overwritten.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod synthetic;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use lbcurve::claims::{Judgement, Verdict, judge};
use lbcurve::publication::{Row, TrialsError, check_trials, folder, index, readme};
use lbcurve::report::number::{self, Medium};
use lbcurve::result::{
    BackendKind, Curve, EndpointChange, FairnessRecord, Flow, JsonlWriter, Metric, Position, Reached, Recorded,
    RunFile, Spreading, TrialRecord, assemble, assemble_records, name, parse_run_file, read_run_file, run_file_text,
    write_run_file,
};
use lbcurve::run::record::Record;
use synthetic::experiments::{connection, fairness, rate};

const EMPTY: &str = "# Results\n<!-- runs -->\n<!-- /runs -->\n";

fn publish(dir: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    command.args(["publish", "run", "--results", "results", "--readme", "README.md"]).current_dir(dir);
    command.output().unwrap()
}

/// Every line of the trials file of [`synthetic::run`], but with these trials.
fn records(trials: &[TrialRecord]) -> Vec<Record> {
    let trials = trials.iter().cloned().map(Record::Trial);
    let programming = synthetic::programming().into_iter().map(Record::Programming);
    trials.chain(programming).chain(synthetic::throughput().into_iter().map(Record::Throughput)).collect()
}

fn write_trials(dir: &Path, records: &[Record]) {
    let path = dir.join("run/trials.jsonl");
    fs::write(&path, "").unwrap();
    let mut writer = JsonlWriter::append_to(&path).unwrap();
    records.iter().for_each(|record| writer.append(record).unwrap());
}

/// A finished run beside an empty directory of results.
fn prepare(dir: &Path, run: &RunFile) {
    fs::create_dir_all(dir.join("run")).unwrap();
    fs::create_dir_all(dir.join("results")).unwrap();
    write_run_file(&dir.join("run/run.json"), run).unwrap();
    write_trials(dir, &records(&synthetic::trials()));
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
        let worst = if key.axes.backend == BackendKind::Ipvs { Position::First } else { Position::Last };
        let balances = !matches!(key.axes.backend, BackendKind::Direct | BackendKind::DirectConntrack);
        (key.metric, key.axes.flow, key.axes.position) == (Metric::Added, Flow::New, worst) && balances
    };
    let read: Vec<_> = run.curves.iter().filter(is_read).collect();
    assert!(read.len() >= 4);
    for curve in read {
        let last = curve.points.last().unwrap();
        let median = number::value(last.p50, curve.key.unit, Medium::Terminal);
        let slope = number::slope(&curve.fit, Medium::Terminal);
        let rows = readme.lines().filter(|line| line.starts_with(&format!("| {}", name(&curve.key.axes.backend))));
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

/// Publishing fails with `code`, says `words`, and leaves nothing.
fn refused(dir: &Path, code: i32, words: &str) {
    let output = publish(dir);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words}: {said}");
    assert!(said.contains(words), "{words}: {said}");
    assert_eq!(fs::read_dir(dir.join("results")).unwrap().count(), 1, "{words}");
}

#[test]
fn trials_that_are_damaged_cut_or_another_runs_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path(), &synthetic::run());
    let path = dir.path().join("run/trials.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() - 1]).unwrap();
    refused(dir.path(), 19, "cut in mid-line");
    fs::write(&path, text.replacen("\"record\"", "\"card\"", 1)).unwrap();
    refused(dir.path(), 19, "trials.jsonl:1: not a record");
    let (_, short) = text.split_once('\n').unwrap();
    fs::write(&path, short).unwrap();
    refused(dir.path(), 19, "has 5 in run.json and 4 in the file");
    let (whole, last) = text.trim_end().rsplit_once('\n').unwrap();
    assert!(last.contains("throughput"));
    fs::write(&path, format!("{whole}\n")).unwrap();
    refused(dir.path(), 19, "saturation trial");
    fs::write(&path, "").unwrap();
    refused(dir.path(), 19, "and 0 in the file");
    fs::remove_file(&path).unwrap();
    refused(dir.path(), 11, "cannot read");

    let with = |change: fn(&mut TrialRecord)| {
        let mut trials = synthetic::trials();
        change(&mut trials[0]);
        write_trials(dir.path(), &records(&trials));
    };
    with(|trial| trial.quantiles.p50 += 1);
    refused(dir.path(), 19, "has other medians or packets");
    with(|trial| trial.histogram.truncate(20));
    refused(dir.path(), 19, "trial 0 of vm");
    with(|trial| trial.cell.kernel = "5.10".into());
    refused(dir.path(), 19, "has 5 in run.json and 4 in the file");
    let mut more = synthetic::trials();
    more.push(more[0].clone());
    more.last_mut().unwrap().cell.services = 7;
    write_trials(dir.path(), &records(&more));
    refused(dir.path(), 19, "run.json has no point of");
}

#[test]
fn self_tests_and_unfinished_runs_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let trials = synthetic::trials();
    let make = |trials: &[TrialRecord], ballast| {
        let mut manifest = synthetic::manifest(&synthetic::trials());
        manifest.plan.self_test_ballast = ballast;
        assemble(manifest, trials, &synthetic::programming(), &synthetic::throughput(), &[]).unwrap()
    };
    prepare(dir.path(), &make(&trials, std::num::NonZeroU32::new(10)));
    refused(dir.path(), 11, "self-test");
    let cell = trials[0].cell.clone();
    let rest: Vec<_> = trials.into_iter().filter(|trial| trial.cell != cell).collect();
    prepare(dir.path(), &make(&rest, None));
    refused(dir.path(), 11, "not a complete run");
}

#[test]
fn a_backend_without_its_worst_position_is_read_as_the_report_reads_it() {
    let first = |trial: &TrialRecord| {
        trial.cell.backend == BackendKind::Ipvs
            && trial.cell.flow == Flow::New
            && trial.cell.position == Position::First
    };
    let trials: Vec<_> = synthetic::trials().into_iter().filter(|trial| !first(trial)).collect();
    let run = assemble(synthetic::manifest(&trials), &trials, &[], &[], &[]).unwrap();
    let is_read = |curve: &&Curve| {
        let key = &curve.key;
        (key.metric, key.axes.backend, key.axes.flow, key.axes.position)
            == (Metric::Added, BackendKind::Ipvs, Flow::New, Position::Last)
    };
    let curve = run.curves.iter().find(is_read).unwrap();
    let text = readme(&run, "folder", "trials.jsonl");
    let sentence = format!(
        "**ipvs**, asked for its last service, the one that took longest of those measured: **{}**",
        curve.fit.label()
    );
    assert!(text.contains(&sentence), "{text}");
    assert!(lbcurve::report::markdown(&run).contains(&number::slope(&curve.fit, Medium::Terminal)));
}

/// What can be told stands behind what cannot.
#[test]
fn a_claim_that_is_not_measured_gives_its_reasons_too() {
    // So few trials decide nothing.
    let connections = [1, 1_000].map(|services| connection(BackendKind::IptablesLegacy, services, 0));
    let recorded = Recorded { connections: &connections, ..Recorded::default() };
    let run = assemble_records(synthetic::manifest(&[]), recorded, &[]).unwrap();
    let text = readme(&run, "folder", "trials.jsonl");
    let half_told = |judgement: &&Judgement| {
        matches!(judgement.verdict, Verdict::NotMeasured { .. }) && !judgement.reason.is_empty()
    };
    let judgements = judge(&run);
    let told: Vec<_> = judgements.iter().filter(half_told).collect();
    assert!(!told.is_empty(), "{judgements:#?}");
    assert!(told.iter().all(|judgement| text.contains(&judgement.reason)), "{text}");
}

/// Two runs of a day on one kernel, one of either, do not take each other's place.
#[test]
fn a_folder_is_named_after_the_traffic_too() {
    let rates = [rate(BackendKind::IptablesLegacy, 1, 0, 3e5)];
    let connections = [connection(BackendKind::IptablesLegacy, 1, 0)];
    let named = |recorded| folder(&assemble_records(synthetic::manifest(&[]), recorded, &[]).unwrap());
    let plain = named(Recorded::default());
    assert_eq!(named(Recorded { rates: &rates, ..Recorded::default() }), format!("{plain}-rates"));
    assert_eq!(named(Recorded { connections: &connections, ..Recorded::default() }), format!("{plain}-connections"));
    let both = Recorded { rates: &rates, connections: &connections, ..Recorded::default() };
    assert_eq!(named(both), format!("{plain}-rates-connections"));
}

#[test]
fn a_run_of_rates_shows_them_over_n() {
    let rates: Vec<_> = [(1, 3e5), (1_000, 1e5), (10_000, 2e4)]
        .into_iter()
        .flat_map(|(services, pps)| {
            (0..10).map(move |trial| rate(BackendKind::IptablesLegacy, services, trial, pps + f64::from(trial)))
        })
        .collect();
    let recorded = Recorded { rates: &rates, ..Recorded::default() };
    let run = assemble_records(synthetic::manifest(&[]), recorded, &[]).unwrap();
    let text = readme(&run, "folder", "trials.jsonl");
    let row = text.lines().find(|line| line.contains("no loss (NDR), quick goals")).unwrap();
    assert!(row.contains("| iptables-legacy | sequential | udp | 2 | last |"), "{row}");
    assert!(row.contains("| 300,000 [300,000, 300,000] |") && row.contains("| 20,000 [20,000, 20,010] |"), "{row}");
    assert!(!readme(&synthetic::run(), "folder", "trials.jsonl").contains("## Rates"));
    let index = index(EMPTY, Row::new(&run, "folder")).unwrap();
    assert!(index.contains("By no loss (NDR), quick goals: iptables-legacy: "), "{index}");
    // What tells curves of one backend apart.
    let more = rates.iter().cloned().map(|mut rate| {
        rate.cell.endpoints = 10;
        rate
    });
    let both: Vec<_> = rates.iter().cloned().chain(more).collect();
    let recorded = Recorded { rates: &both, ..Recorded::default() };
    let row = Row::new(&assemble_records(synthetic::manifest(&[]), recorded, &[]).unwrap(), "folder");
    let index = lbcurve::publication::index(EMPTY, row).unwrap();
    assert!(
        index.contains("quick goals: iptables-legacy, M = 2: ") && index.contains(". iptables-legacy, M = 10: "),
        "{index}"
    );
}

#[test]
fn fairness_that_is_damaged_or_another_runs_is_refused_by_name() {
    let flows = [0, 1, 0, 1];
    let record = fairness(Spreading::Rr, EndpointChange::Removed, &flows, &flows.map(Reached::Endpoint));
    let recorded = Recorded { fairness: std::slice::from_ref(&record), ..Recorded::default() };
    let run = assemble_records(synthetic::manifest(&[]), recorded, &[]).unwrap();
    let check = |record: FairnessRecord| check_trials(&run, [Ok(Record::Fairness(Box::new(record)))].into_iter());
    check(record.clone()).unwrap();
    let error = check(FairnessRecord { spreading: Spreading::Sed, ..record.clone() }).unwrap_err();
    let words =
        format!("the trials are not this run's: run.json has another fairness of {} than the file", record.cell);
    assert_eq!(error.to_string(), words);
    let error = check(FairnessRecord { after: "!".to_owned(), ..record.clone() }).unwrap_err();
    assert!(matches!(error, TrialsError::Fairness { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("the fairness of {} is damaged", record.cell));
}

#[test]
fn of_a_reachability_that_was_recorded_twice_the_last_counts() {
    let last = synthetic::experiments::reachability(BackendKind::Ipvs);
    let mut first = last.clone();
    // Its control failed, which the run has no warning of.
    first.attempts[0].answered = 0;
    let twice = [first.clone(), last.clone()];
    let recorded = Recorded { reachability: &twice, ..Recorded::default() };
    let run = assemble_records(synthetic::manifest(&[]), recorded, &[]).unwrap();
    assert_eq!((&run.reachability[..], run.warnings.len()), (&[last.clone()][..], 0));
    assert_eq!(parse_run_file(run_file_text(&run).unwrap().as_bytes()).unwrap(), run);
    let check =
        |records: [_; 2]| check_trials(&run, records.map(|record| Ok(Record::Reachability(record))).into_iter());
    check(twice).unwrap();
    let error = check([last, first]).unwrap_err();
    assert!(error.to_string().contains("another reachability of "), "{error}");
}

/// Searches of an earlier version took what the ring held for carried, and a run of them says so.
#[test]
fn rates_that_hold_what_stood_in_a_queue_are_cautioned_about() {
    let readme_of = |queued| {
        let mut rate = rate(BackendKind::IptablesLegacy, 1, 0, 3e5);
        rate.top.as_mut().unwrap().queued = queued;
        let recorded = Recorded { rates: std::slice::from_ref(&rate), ..Recorded::default() };
        readme(&assemble_records(synthetic::manifest(&[]), recorded, &[]).unwrap(), "folder", "trials.jsonl")
    };
    let caution = "too high by up to 2,560 packets a second";
    assert!(readme_of(None).contains(caution) && !readme_of(Some(0)).contains(caution));
}
