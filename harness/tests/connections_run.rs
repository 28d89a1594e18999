//! Real connections from the command to the report, and from trials to it. The former needs root.
#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

mod command;
mod synthetic;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use clap::ValueEnum;
use lbcurve::compare::{Side, Verdict, compare};
use lbcurve::report;
use lbcurve::result::{
    BackendKind, ConnectionCpu, ConnectionLoad, ConnectionPoint, ConnectionRecord, ConntrackUse, FailureKind, Recorded,
    RunFile, ThreadCpu, assemble_records, name, parse_run_file, read_run_file, run_file_text,
};

use command::lbcurve;

const LOADS: &str = "4,200/s,keep-alive:2";

fn run(out: &Path) -> String {
    let words = "run --venue host --backends iptables-legacy,nftables,ebpf-tc --services 1,100 --trials 1 --packets 20";
    let words = format!("{words} --flows new --positions last --connections {LOADS} --out");
    let arguments: Vec<_> = words.split(' ').chain([out.to_str().unwrap()]).collect();
    lbcurve(&arguments)
}

fn assert_whole(run: &RunFile) {
    use BackendKind::{Direct, DirectConntrack, EbpfTc, IptablesLegacy, Nftables};
    let loads: Vec<ConnectionLoad> = LOADS.split(',').map(|text| text.parse().unwrap()).collect();
    let found: BTreeSet<_> = run.connections.iter().map(|curve| (curve.key.axes.backend, curve.key.load)).collect();
    let backends = [Direct, DirectConntrack, EbpfTc, IptablesLegacy, Nftables];
    let asked = backends.into_iter().flat_map(|backend| loads.iter().map(move |load| (backend, *load)));
    assert_eq!(found, asked.collect());
    for curve in &run.connections {
        let services: Vec<_> = curve.points.iter().map(|point| point.services).collect();
        assert_eq!(services, [1, 100], "{}", curve.key);
        for point in &curve.points {
            assert_eq!(point.trials, 1, "{}", curve.key);
            assert!(point.attempted > 0 && point.succeeded == point.attempted, "{} {point:?}", curve.key);
            assert!(point.exchange.is_some() || point.invalid == 1, "{} {point:?}", curve.key);
            assert_costs(point);
            assert_eq!(point.reached.len(), if curve.key.axes.backend.balances() { 2 } else { 1 });
        }
    }
}

/// Both ends take CPU time for each exchange, much of it in the kernel.
fn assert_costs(point: &ConnectionPoint) {
    assert_eq!(point.cpu.is_some(), point.invalid == 0, "{point:?}");
    let Some(cpu) = &point.cpu else { return };
    let parts = [&cpu.client, &cpu.servers, &cpu.ksoftirqd].map(|part| part.value);
    assert!(parts[0] > 0.0 && parts[1] > 0.0, "{cpu:?}");
    // One trial: its parts are the whole.
    assert!((parts.iter().sum::<f64>() - cpu.total.value).abs() < 1.0, "{cpu:?}");
    assert!(cpu.kernel.value <= parts[0] + parts[1], "{cpu:?}");
    assert!(point.conntrack_entries.is_some(), "{point:?}");
}

#[test]
fn a_run_opens_connections_resumes_and_reports_them() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let table = run(&out);
    assert!(table.contains("Real connections"), "{table}");
    let first = read_run_file(&out.join("run.json")).unwrap();
    assert_whole(&first);
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("<section id=\"connections\">"));
    let markdown = lbcurve(&["report", out.to_str().unwrap(), "--format", "md"]);
    assert!(markdown.contains("Real connections, 4 at a time") && markdown.contains(&name(&BackendKind::EbpfTc)));
    // Nothing is measured anew, and a run that was cut goes on.
    let trials = std::fs::read_to_string(out.join("trials.jsonl")).unwrap();
    run(&out);
    assert_eq!(std::fs::read_to_string(out.join("trials.jsonl")).unwrap(), trials);
    let cut = trials.lines().take(trials.lines().count() / 2).map(|line| format!("{line}\n")).collect::<String>();
    std::fs::write(out.join("trials.jsonl"), cut).unwrap();
    run(&out);
    assert_whole(&read_run_file(&out.join("run.json")).unwrap());
}

#[test]
fn other_loads_have_cells_of_their_own_and_a_full_table_is_named_while_the_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let words =
        "run --venue host --backends nftables --services 1 --trials 1 --packets 20 --flows new --positions last";
    let words = format!("{words} --connections reuse:8,stream:2,2@90%,2@100% --out");
    let table = lbcurve(&words.split(' ').chain([out.to_str().unwrap()]).collect::<Vec<_>>());
    assert!(table.contains("plain routing does not look into it"), "{table}");
    let run = read_run_file(&out.join("run.json")).unwrap();
    let of = |backend, load: &str| {
        let load: ConnectionLoad = load.parse().unwrap();
        let curve = run.connections.iter().find(|curve| (curve.key.axes.backend, curve.key.load) == (backend, load));
        curve.map(|curve| &curve.points[0])
    };
    assert!(of(BackendKind::Direct, "2@90%").is_none() && of(BackendKind::Direct, "stream:2").is_some());
    for backend in [BackendKind::DirectConntrack, BackendKind::Nftables] {
        let [reused, stream, nearly, full] =
            ["reuse:8", "stream:2", "2@90%", "2@100%"].map(|load| of(backend, load).unwrap());
        assert!(reused.succeeded > 8 && reused.failed() == 0, "{reused:?}");
        assert_eq!((stream.succeeded, stream.per_second.clone()), (2, None));
        assert!(stream.bits_per_second.as_ref().unwrap().value > 0.0);
        assert!(nearly.succeeded > 0 && nearly.failed() == 0 && nearly.conntrack_dropped == 0, "{nearly:?}");
        assert!(full.succeeded == 0 && full.conntrack_dropped > 0, "{full:?}");
        assert_eq!(full.failures.keys().collect::<Vec<_>>(), [&FailureKind::TimedOut]);
    }
    // What came after the full table was measured, and the report says what was full.
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    for text in [&table, &page] {
        assert!(text.contains("connection tracking dropped") && text.contains("timed-out"), "{text}");
        assert!(text.contains("connection tracking 100% full") && text.contains("Gbit/s"), "{text}");
    }
}

#[test]
fn a_load_that_is_none_is_refused_by_name() {
    let output = Command::new(env!("CARGO_BIN_EXE_lbcurve")).args(["run", "--connections", "0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("\"0\" is no load of connections"));
}

#[test]
fn where_rates_mean_nothing_connections_are_left_out_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let words = ["run", "--venue", "sim", "--backends", "nftables", "--services", "1", "--connections", "4", "--out"];
    let table = lbcurve(&[&words[..], &[out.to_str().unwrap()]].concat());
    assert!(table.contains("a model has no sockets"), "{table}");
    let run = read_run_file(&out.join("run.json")).unwrap();
    assert!(run.connections.is_empty() && run.skipped.iter().any(|cell| cell.reason.contains("real connections")));
}

/// A trial of connections at N = `services`, of which `failed` of 1,000 were refused.
fn connection(services: u32, trial: u32, per_second: f64, failed: u64) -> ConnectionRecord {
    let cpu = ConnectionCpu {
        client: ThreadCpu { total_ns: 30_000_000, kernel_ns: 25_000_000 },
        servers: ThreadCpu { total_ns: 20_000_000, kernel_ns: 15_000_000 },
        ksoftirqd_ns: 5_000_000,
        machine_softirq_ns: 20_000_000,
    };
    ConnectionRecord {
        succeeded: 1_000 - failed,
        failures: (failed > 0).then_some((FailureKind::Refused, failed)).into_iter().collect(),
        per_second,
        reached: vec![500, 500 - failed],
        cpu: Some(cpu),
        ..synthetic::experiments::connection(BackendKind::IptablesLegacy, services, trial)
    }
}

fn run_of(connections: &[ConnectionRecord]) -> RunFile {
    assemble_records(synthetic::manifest(&[]), Recorded { connections, ..Recorded::default() }, &[]).unwrap()
}

#[test]
fn connections_become_curves_that_every_reader_shows() {
    let connections: Vec<_> = [(1, 9_000.0, 0), (100, 8_000.0, 7)]
        .into_iter()
        .flat_map(|(services, rate, failed)| (0..3).map(move |trial| connection(services, trial, rate, failed)))
        .collect();
    let run = run_of(&connections);
    let points = &run.connections[0].points;
    assert_eq!((run.connections.len(), points.len()), (1, 2));
    let rates: Vec<_> = points.iter().map(|point| point.per_second.as_ref().unwrap().value).collect();
    assert_eq!(rates, [9_000.0, 8_000.0]);
    let [warning] = &run.warnings[..] else { panic!("{:?}", run.warnings) };
    assert!(warning.to_string().contains("21 of 3000 failed (21 refused)"), "{warning}");
    // What is written is read again, and shown.
    let back = parse_run_file(run_file_text(&run).unwrap().as_bytes()).unwrap();
    assert_eq!(back.connections, run.connections);
    for text in [report::table(&run), report::markdown(&run), report::html(&run).unwrap()] {
        assert!(text.contains("16 at a time") && text.contains("21 of 3"), "{text}");
    }
}

#[test]
fn every_failure_is_named_by_its_kind_in_every_reader() {
    let kinds = FailureKind::value_variants();
    let mut broken = connection(1, 0, 9_000.0, 0);
    broken.failures = kinds.iter().zip(1..).map(|(kind, count)| (*kind, count)).collect();
    broken.attempted = broken.succeeded + broken.failures.values().sum::<u64>();
    broken.repeated = 12;
    broken.conntrack = Some(ConntrackUse { entries: 9, most: 9, dropped: 77, early_dropped: 0, insert_failed: 0 });
    let run = run_of(&[broken]);
    for text in [report::table(&run), report::markdown(&run), report::html(&run).unwrap(), report::csv(&run).unwrap()] {
        for (kind, count) in kinds.iter().zip(1..) {
            assert!(text.contains(&format!("{count} {}", name(kind))), "{kind:?}: {text}");
        }
        assert!(text.contains("12 connections took a second or longer"), "{text}");
        assert!(text.contains("connection tracking dropped 77 packets"), "{text}");
    }
}

#[test]
fn servers_that_failed_are_named_in_every_reader_and_their_trial_is_in_no_figure() {
    let mut connections: Vec<_> = (0..3).map(|trial| connection(1, trial, 9_000.0, 0)).collect();
    connections[1] = ConnectionRecord {
        servers_failed: Some("the servers' thread panicked".to_owned()),
        cpu: None,
        ..connection(1, 1, 5.0, 400)
    };
    let run = run_of(&connections);
    let point = &run.connections[0].points[0];
    assert_eq!((point.trials, point.invalid, point.attempted, point.failed()), (3, 1, 3_000, 400));
    assert_eq!(point.per_second.as_ref().unwrap().values, [9_000.0, 9_000.0]);
    for text in [report::table(&run), report::markdown(&run), report::html(&run).unwrap(), report::csv(&run).unwrap()] {
        assert!(text.contains("in 1 of 3 trials the servers failed (the servers"), "{text}");
    }
    let trouble = point.trouble().unwrap();
    assert!(!trouble.contains("did not keep its rate"), "{trouble}");
    let back = parse_run_file(run_file_text(&run).unwrap().as_bytes()).unwrap();
    assert_eq!(back.connections, run.connections);
}

#[test]
fn how_ipvs_takes_ports_that_come_again_and_what_it_holds_stand_beside_its_rows() {
    let reused = |backend, load: &str, mode, entries| ConnectionRecord {
        load: load.parse().unwrap(),
        conn_reuse_mode: mode,
        ipvs_entries: entries,
        ..synthetic::experiments::connection(backend, 1, 0)
    };
    let run = run_of(&[
        reused(BackendKind::IptablesLegacy, "reuse:8", None, None),
        reused(BackendKind::Ipvs, "reuse:8", Some(1), Some(1_234)),
        reused(BackendKind::Ipvs, "reuse0:8", Some(0), Some(8)),
    ]);
    // Markdown takes underscores for emphasis.
    for text in [report::table(&run), report::markdown(&run).replace('\\', ""), report::html(&run).unwrap()] {
        for mode in [0, 1] {
            let load = format!("from 8 ports again and again, conn_reuse_mode {mode}");
            assert!(text.contains(&load), "{load}: {text}");
        }
        assert!(text.contains("IPVS entries") && text.contains("234"), "{text}");
        assert!(!text.contains("conn_reuse_mode 0, conn_reuse_mode"), "{text}");
    }
    let table = report::table(&run);
    let row = table.lines().find(|line| line.contains("iptables") && line.contains("from 8")).unwrap();
    assert!(!row.contains("conn_reuse_mode"), "{row}");
    let back = parse_run_file(run_file_text(&run).unwrap().as_bytes()).unwrap();
    assert_eq!(back.connections, run.connections);
}

#[test]
fn other_tools_get_rates_and_times_of_connections_with_their_load() {
    let stream = |trial| ConnectionRecord {
        load: "stream:4".parse().unwrap(),
        bits_per_second: Some(3e9),
        connect: None,
        exchange: None,
        ..connection(1, trial, 0.0, 0)
    };
    let open = ConnectionRecord {
        load: "2000/s".parse().unwrap(),
        started_per_second: Some(2_000.0),
        ..connection(1, 0, 1_990.0, 0)
    };
    let closed = (0..3).map(|trial| connection(1, trial, 9_000.0 + f64::from(trial), 7));
    let run = run_of(&closed.chain([stream(0), open]).collect::<Vec<_>>());
    let csv = report::csv(&run).unwrap();
    let mut reader = ::csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    let value = |load: &str, metric: &str, column: &str| {
        let row = rows.iter().find(|row| row["load"] == load && row["metric"] == metric);
        row.unwrap_or_else(|| panic!("{load} {metric} in {csv}"))[column].clone()
    };
    assert_eq!(value("16", "connections", "p50").parse(), Ok(9_001.0));
    assert_eq!(value("16", "connections", "p50_high").parse(), Ok(9_002.0));
    assert_eq!((value("16", "connect", "unit"), value("16", "connect", "failed")), ("ns".into(), "21".into()));
    let p99 = run.connections[0].points[0].connect.as_ref().unwrap().p99.as_ref().unwrap().value;
    assert_eq!(value("16", "connect", "p99").parse(), Ok(p99));
    assert_eq!(value("stream:4", "stream", "p50").parse(), Ok(3e9));
    assert_eq!(value("2000/s", "connections", "unit"), "1/s");
    let bmf: serde_json::Value = serde_json::from_str(&report::bmf(&run)).unwrap();
    let of = |load: &str, measure: &str| {
        let names = bmf.as_object().unwrap();
        let (_, measures) = names.iter().find(|(name, _)| name.ends_with(&format!("/last/{load}"))).unwrap();
        measures[measure].clone()
    };
    assert_eq!(of("16", "connections")["value"], 9_001.0);
    assert_eq!(of("16", "connect-p99-ns")["value"], p99);
    assert_eq!(of("16", "failed")["value"], 0.007);
    assert_eq!(of("stream:4", "bits")["value"], 3e9);
    assert_eq!(of("2000-a-second", "connections")["value"], 1_990.0);
}

#[test]
fn two_runs_connections_are_compared_and_more_of_them_is_better() {
    let run = |rate: f64, failed| {
        run_of(&(0..10).map(|trial| connection(1, trial, rate + f64::from(trial), failed)).collect::<Vec<_>>())
    };
    let verdicts = |a: &RunFile, b: &RunFile| {
        let compared = compare(&Side::run("A", a), &Side::run("B", b), 0.01);
        let rows = compared.rows.iter().map(|row| (row.metric.to_string(), row.verdict.clone()));
        (rows.collect::<BTreeMap<_, _>>(), lbcurve::compare::terminal(&compared))
    };
    let (fast, slow) = (run(9_000.0, 0), run(8_000.0, 0));
    let (found, text) = verdicts(&fast, &slow);
    assert_eq!(found["connections, 16"], Verdict::Regressed, "{text}");
    assert_eq!([&found["connect, 16"], &found["exchange, 16"]], [&Verdict::NoChange; 2], "{text}");
    assert!(text.contains("B carries more") && text.contains("exchanges/s"), "{text}");
    assert_eq!(verdicts(&slow, &fast).0["connections, 16"], Verdict::Improved);
    // A rate of which some failed is no rate to compare.
    let (found, text) = verdicts(&fast, &run(9_000.0, 3));
    assert!(matches!(found["connections, 16"], Verdict::NotComparable { .. }), "{text}");
    assert!(text.contains("B is suspect: 30 of 10000 failed (30 refused)"), "{text}");
}

#[test]
fn connections_of_an_emulated_machine_say_so_in_every_reader_and_are_compared_with_no_others() {
    let run = |emulated| {
        let connections: Vec<_> = (0..10).map(|trial| connection(1, trial, 9_000.0 + f64::from(trial), 0)).collect();
        let recorded = Recorded { connections: &connections, ..Recorded::default() };
        let manifest = synthetic::manifest(&[]);
        let manifest = if emulated { synthetic::emulated(manifest) } else { manifest };
        assemble_records(manifest, recorded, &[]).unwrap()
    };
    let (real, emulated) = (run(false), run(true));
    assert!(emulated.warnings.iter().any(|warning| warning.to_string().contains("the machine is emulated")));
    let compared = compare(&Side::run("A", &real), &Side::run("B", &emulated), 0.01);
    assert!(!compared.rows.is_empty());
    for row in &compared.rows {
        assert!(row.verdict.to_string().contains("B alone is of an emulated machine"), "{}", row.verdict);
    }
    let alike = compare(&Side::run("A", &emulated), &Side::run("B", &emulated), 0.01);
    assert!(alike.rows.iter().all(|row| row.verdict == Verdict::NoChange));
    for (run, says_so) in [(&real, false), (&emulated, true)] {
        for text in [report::table(run), report::markdown(run), report::html(run).unwrap(), report::bmf(run)] {
            assert_eq!(text.contains(", emulated") || text.contains("vm-emulated/"), says_so, "{text}");
        }
        let csv = report::csv(run).unwrap();
        assert_eq!(csv.lines().skip(1).all(|row| row.ends_with("true")), says_so, "{csv}");
    }
}

#[test]
fn connections_that_do_not_add_up_are_refused() {
    let connections = [connection(1, 0, 9_000.0, 3)];
    let run = run_of(&connections);
    let refused = |edit: fn(&mut ConnectionPoint), what: &str| {
        let mut run = run.clone();
        edit(&mut run.connections[0].points[0]);
        let text = run_file_text(&run).unwrap();
        let error = parse_run_file(text.as_bytes()).unwrap_err();
        let line = lbcurve::chain::one_line(&error);
        assert!(line.contains(what), "{line}");
    };
    refused(|point| point.attempted += 1, "do not add up");
    refused(|point| point.per_second.as_mut().unwrap().value = 1.0, "not the median");
    refused(|point| point.invalid = 2, "more invalid trials than trials");
    refused(|point| point.servers_failed.push("?".to_owned()), "servers failed in more trials than are invalid");
    refused(|point| point.services = 0, "does not ascend");
}

#[test]
fn a_run_without_connections_shows_none() {
    let run = synthetic::run();
    assert!(!report::html(&run).unwrap().contains("Real connections"));
    assert!(!report::table(&run).contains("Real connections") && !report::markdown(&run).contains("Real connections"));
}
