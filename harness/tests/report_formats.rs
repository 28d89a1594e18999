//! The formats for other tools: each is read back by a reader of its own kind and holds the run's numbers.

mod synthetic;

use std::collections::BTreeMap;
use std::process::Command;

use assert_cmd::assert::OutputAssertExt;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use lbcurve::report::{HlogError, bmf, csv, hlog, markdown, svg};
use lbcurve::result::{
    Metric, RunFile, TrialRecord, decode_histogram, encode_histogram, read_run_file, write_run_file,
};
use lbcurve::run::record::Record;
use proptest::prelude::*;
use synthetic::any::any_run;
use synthetic::large;

/// Rows of a CSV text as maps from column to value.
fn rows(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(|row| row.expect("a row has the head's columns")).collect()
}

fn points(run: &RunFile) -> usize {
    run.curves.iter().map(|curve| curve.points.len()).sum()
}

#[test]
fn csv_holds_every_point_exactly() {
    let run = synthetic::run();
    let rows = rows(&csv(&run).expect("the run has rows"));
    assert_eq!(rows.len(), points(&run));
    let all = run.curves.iter().flat_map(|curve| curve.points.iter().map(move |point| (curve, point)));
    for (row, (curve, point)) in rows.iter().zip(all) {
        let number = |column: &str| row[column].parse::<f64>().expect("a number");
        assert_eq!((number("p50"), number("p999")), (point.p50, point.p999));
        assert_eq!((number("p50_low"), number("p50_high")), (point.spread.low(), point.spread.high()));
        assert_eq!(row["p50_level"].is_empty(), point.spread.level().is_none());
        assert_eq!(
            (row["services"].clone(), row["kernel"].clone()),
            (point.services.to_string(), curve.key.axes.kernel.clone())
        );
        assert_eq!(row["suspect"], point.suspect.clone().unwrap_or_default());
    }
}

/// Bencher's own schema of the format (bencher.dev/bmf.json), as its documentation prints it.
fn bencher_schema() -> serde_json::Value {
    serde_json::json!({
        "type": "object",
        "patternProperties": { ".+": { "type": "object", "patternProperties": { ".+": {
            "type": "object",
            "properties": {
                "value": { "type": "number" },
                "lower_value": { "type": "number" },
                "upper_value": { "type": "number" }
            },
            "required": ["value"]
        } } } }
    })
}

fn valid_bmf(run: &RunFile) -> serde_json::Value {
    let value: serde_json::Value = serde_json::from_str(&bmf(run)).expect("JSON");
    let validator = jsonschema::validator_for(&bencher_schema()).expect("a schema");
    assert!(validator.is_valid(&value), "{value}");
    value
}

#[test]
fn bmf_names_every_cell_with_its_median_and_interval() {
    let run = synthetic::run();
    let value = valid_bmf(&run);
    let curve =
        run.curves.iter().find(|c| c.key.metric == Metric::Added && c.key.axes.kernel == synthetic::HOST_KERNEL);
    let (curve, point) = curve.and_then(|curve| Some((curve, curve.points.last()?))).expect("the host has added");
    assert_eq!(curve.key.axes.backend, lbcurve::result::BackendKind::Direct);
    let benchmark =
        format!("host/{}/direct/sequential/udp/N={}/M=2/new/missing", synthetic::HOST_KERNEL, point.services);
    let added = &value[&benchmark]["added-ns"];
    assert_eq!(added["value"], point.p50);
    assert_eq!(
        (&added["lower_value"], &added["upper_value"]),
        (&point.spread.low().into(), &point.spread.high().into())
    );
    assert!(value[&benchmark]["throughput"].is_null(), "throughput was measured at `last`");
    let saturated = format!("host/{}/direct/sequential/udp/N=1000/M=2/new/last", synthetic::HOST_KERNEL);
    assert_eq!(value[&saturated]["throughput"]["value"], 691_000.0);
    let programmed = format!("host/{}/nftables/sequential/udp/N=1000/M=2/from-nothing", synthetic::HOST_KERNEL);
    assert_eq!(value[&programmed]["programming-ns"]["value"], 724_000_000.0);
}

#[test]
fn markdown_has_a_row_a_backend_and_the_command() {
    let run = synthetic::run();
    let text = markdown(&run);
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| backend")).collect();
    assert!(rows.len() >= 6, "{text}");
    let columns = |line: &str| line.matches(" |").count();
    assert!(rows.iter().any(|row| row.starts_with("| iptables-legacy | last | **linear** | 26.0")), "{text}");
    assert!(text.contains(&format!("Reproduce: `{}`", run.environment.command)));
    for table in text.split("\n\n").filter(|block| block.starts_with("| backend")) {
        let head = columns(table.lines().next().expect("a head"));
        assert!(table.lines().skip(2).all(|row| columns(row) == head), "{table}");
    }
}

#[test]
fn the_plot_alone_brings_style_and_background() {
    let picture = svg(&synthetic::run()).expect("the run has added");
    assert!(picture.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox="));
    assert!(picture.contains("<style>") && picture.contains("prefers-color-scheme: dark") && picture.contains("<rect"));
    assert_eq!(picture.matches("<svg").count(), 3, "a chart for each of two places");
    let mut nothing = synthetic::run();
    nothing.curves.clear();
    assert!(svg(&nothing).is_none());
}

/// Tag, start and histogram of every interval.
fn intervals(log: &[u8]) -> Vec<(String, u64, Histogram<u64>)> {
    let mut intervals = Vec::new();
    for entry in IntervalLogIterator::new(log) {
        if let LogEntry::Interval(interval) = entry.expect("the log can be parsed") {
            let largest = interval.max();
            let tag = interval.tag().expect("every interval is tagged").as_str().to_owned();
            let bytes = data_encoding::BASE64.decode(interval.encoded_histogram().as_bytes()).expect("base64");
            let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).expect("HDR V2");
            assert_eq!(largest, histogram.max() as f64, "{tag}");
            intervals.push((tag, interval.start_timestamp().as_secs(), histogram));
        }
    }
    intervals
}

fn log_of(trials: &[TrialRecord]) -> Vec<u8> {
    let mut log = Vec::new();
    hlog(trials.iter().cloned().map(Ok::<_, HlogError>), &mut log).expect("trials have histograms");
    log
}

#[test]
fn the_log_reads_back_with_every_count() {
    let trials = synthetic::trials();
    let intervals = intervals(&log_of(&trials));
    assert_eq!(intervals.len(), trials.len());
    for ((tag, start, histogram), trial) in intervals.iter().zip(&trials) {
        assert_eq!(*histogram, decode_histogram(&trial.histogram).expect("a histogram"));
        assert_eq!((histogram.len(), *start), (trial.packets, u64::from(trial.trial)));
        assert!(tag.contains(&format!("/N={}/", trial.cell.services)) && tag.contains(&trial.cell.kernel));
    }
    let tags: std::collections::BTreeSet<_> = intervals.iter().map(|(tag, ..)| tag).collect();
    let cells: std::collections::BTreeSet<_> = trials.iter().map(|trial| (&trial.cell, trial.kind)).collect();
    assert_eq!(tags.len(), cells.len(), "a tag for each cell and kind");
}

#[test]
fn a_broken_histogram_is_named() {
    let mut trial = synthetic::trials().swap_remove(0);
    trial.histogram = "x".into();
    let error = hlog(std::iter::once(Ok::<_, HlogError>(trial)), Vec::new()).expect_err("no histogram");
    assert!(matches!(error, HlogError::Histogram { trial: 0, .. }), "{error}");
}

/// A run's directory as `lbcurve run` leaves it.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let trials = synthetic::trials();
    let run = lbcurve::result::assemble(synthetic::manifest(&trials), &trials, &[], &[], &[]).expect("assembled");
    write_run_file(&directory.path().join("run.json"), &run).expect("written");
    let lines: String =
        trials.into_iter().map(|trial| serde_json::to_string(&Record::Trial(trial)).expect("JSON") + "\n").collect();
    std::fs::write(directory.path().join("trials.jsonl"), lines).expect("written");
    directory
}

fn report(run: &std::path::Path, arguments: &[&str]) -> assert_cmd::assert::Assert {
    Command::new(env!("CARGO_BIN_EXE_lbcurve")).arg("report").arg(run).args(arguments).assert()
}

#[test]
fn the_command_writes_each_format_where_it_belongs() {
    let directory = directory();
    let run = read_run_file(&directory.path().join("run.json")).expect("a run");
    let text = |arguments: &[&str]| {
        let output = report(directory.path(), arguments).success().get_output().stdout.clone();
        String::from_utf8(output).expect("UTF-8")
    };
    assert_eq!(text(&["--format", "csv"]), csv(&run).expect("rows"));
    assert_eq!(text(&["--format", "bmf"]), bmf(&run));
    assert_eq!(text(&["--format", "md"]), markdown(&run));
    assert_eq!(text(&["--format", "svg", "--output", "-"]), svg(&run).expect("a plot"));
    for (format, name) in [("html", "report.html"), ("svg", "report.svg"), ("hlog", "trials.hlog")] {
        let path = directory.path().join(name);
        assert_eq!(text(&["--format", format]).trim(), path.display().to_string());
        assert!(std::fs::metadata(path).expect("the file is there").len() > 1000);
    }
    let elsewhere = directory.path().join("points.csv");
    text(&["--format", "csv", "--output", &elsewhere.display().to_string()]);
    assert_eq!(std::fs::read_to_string(elsewhere).expect("written"), csv(&run).expect("rows"));
}

#[test]
fn a_device_is_written_in_place_and_a_failed_log_leaves_none() {
    use std::os::unix::fs::FileTypeExt;
    let directory = directory();
    report(directory.path(), &["--format", "html", "--output", "/dev/null"]).success();
    assert!(std::fs::metadata("/dev/null").expect("still there").file_type().is_char_device());
    let trials = directory.path().join("trials.jsonl");
    let whole = std::fs::read_to_string(&trials).expect("trials");
    std::fs::write(&trials, &whole[..whole.len() - 40]).expect("cut");
    report(directory.path(), &["--format", "hlog"]).code(19);
    let left: Vec<_> =
        std::fs::read_dir(directory.path()).expect("listed").map(|entry| entry.expect("entry").file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("hlog")), "{left:?}");
}

/// Time is measured by `cargo bench -p lbcurve --bench report_scale`, with a hundred trials a cell; memory can be held to here.
#[test]
#[expect(clippy::zombie_processes, reason = "wait4 reaps the child")]
fn a_thousand_cells_take_little_memory_and_make_a_page_of_a_few_megabytes() {
    let size = large::Size { trials: 3, ..large::THOUSAND_CELLS };
    let (run, _) = large::run(&size);
    assert!(run.plan.cells.len() > 1000);
    let directory = tempfile::tempdir().expect("a directory");
    write_run_file(&directory.path().join("run.json"), &run).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    let child =
        command.arg("report").arg(directory.path()).stdout(std::process::Stdio::null()).spawn().expect("started");
    let ended = lbcurve::sys::wait::wait4(child.id()).expect("a child");
    assert!(ended.status.success());
    assert!(ended.peak_memory < 300_000_000, "{} bytes", ended.peak_memory);
    let page = directory.path().join("report.html").metadata().expect("a page").len();
    assert!(page < 8_000_000, "{page} bytes");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn any_run_has_every_format(run in any_run()) {
        prop_assert_eq!(rows(&csv(&run).expect("rows")).len(), points(&run));
        valid_bmf(&run);
        let text = markdown(&run);
        prop_assert!(text.ends_with('\n') && text.contains("Reproduce: `"));
        if let Some(picture) = svg(&run) {
            prop_assert!(!picture.contains("NaN") && !picture.contains("inf ") && picture.ends_with("</svg>\n"));
        }
    }

    #[test]
    fn any_histogram_survives_the_log(values in prop::collection::vec((0..10_000_000_u64, 1..1000_u64), 1..20), kernel in ".{0,12}") {
        let mut histogram = Histogram::<u64>::new(3).expect("three digits");
        values.iter().for_each(|(value, count)| histogram.record_n(*value, *count).expect("recorded"));
        let mut trial = synthetic::trials().swap_remove(0);
        (trial.cell.kernel, trial.histogram) = (kernel, encode_histogram(&histogram).expect("encoded"));
        trial.packets = histogram.len();
        let back = intervals(&log_of(&[trial]));
        prop_assert_eq!(&back[0].2, &histogram);
        prop_assert!(!back[0].0.contains([',', ' ', '\n', '\r']));
    }
}
