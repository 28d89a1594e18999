//! Searched rates from the command to the report, and from records to it. The former needs root.
#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

mod command;
#[expect(dead_code, reason = "these runs time no packet")]
mod synthetic;

use std::collections::BTreeSet;
use std::path::Path;

use hdrhistogram::Histogram;
use lbcurve::compare::{Row, Side, Verdict, compare};
use lbcurve::report;
use lbcurve::result::{
    BackendKind, GoalRecord, LagRecord, LatencyRecord, LoadedRecord, PacketSize, Position, ProgrammingOp, RateCurve,
    RateKind, RatePoint, RateRecord, Recorded, RunFile, assemble_records, encode_histogram, parse_run_file,
    read_run_file, run_file_text,
};

use command::lbcurve;
use synthetic::experiments::rate as search;

fn run(out: &Path, method: &str, backends: &str, more: &[&str]) -> (String, RunFile) {
    let words = format!(
        "run --venue host --backends {backends} --services 1 --trials 1 --packets 20 --flows new --positions last --rates {method} --out"
    );
    let arguments: Vec<_> = words.split(' ').chain([out.to_str().unwrap()]).chain(more.iter().copied()).collect();
    let table = lbcurve(&arguments);
    (table, read_run_file(&out.join("run.json")).unwrap())
}

#[test]
fn a_run_takes_the_most_that_arrives_of_every_backend_and_resumes() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let mix = ["--new-share", "10%"];
    let (table, first) = run(&out, "mrr", "iptables-legacy,ebpf-xdp", &mix);
    println!("{table}");
    assert!(table.contains("Rates that are carried"), "{table}");
    let found: BTreeSet<_> = first.rates.iter().map(|curve| (curve.key.axes.backend, curve.key.rate)).collect();
    let backends =
        [BackendKind::Direct, BackendKind::DirectConntrack, BackendKind::IptablesLegacy, BackendKind::EbpfXdp];
    assert_eq!(found, backends.map(|backend| (backend, RateKind::Received)).into());
    for point in first.rates.iter().flat_map(|curve| &curve.points) {
        assert_eq!((point.services, point.trials), (1, 1));
        assert!(point.tops.iter().all(|top| top.offered >= top.carried && top.unexplained == 0), "{point:?}");
    }
    assert_costs(&table, &first);
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("<section id=\"rates\">"));
    assert_mixed(&table, &page, &first);
    let trials = std::fs::read_to_string(out.join("trials.jsonl")).unwrap();
    run(&out, "mrr", "iptables-legacy,ebpf-xdp", &mix);
    assert_eq!(std::fs::read_to_string(out.join("trials.jsonl")).unwrap(), trials);
}

/// A tenth of the packets opened flows, wherever flows are told apart.
fn assert_mixed(table: &str, page: &str, run: &RunFile) {
    let mixed: Vec<_> = run.rates.iter().filter(|curve| curve.key.new_share.is_some()).collect();
    let found: BTreeSet<_> = mixed.iter().map(|curve| curve.key.axes.backend).collect();
    assert_eq!(found, [BackendKind::DirectConntrack, BackendKind::IptablesLegacy, BackendKind::EbpfXdp].into());
    let legacy = mixed.iter().filter(|curve| curve.key.axes.backend == BackendKind::IptablesLegacy);
    for top in legacy.flat_map(|curve| &curve.points).flat_map(|point| &point.tops) {
        // 1,024 established flows, and about a tenth of what the node took: it does not choose what it loses.
        let opened = top.conntrack_entries.unwrap().checked_sub(1_024).unwrap();
        let taken = top.carried + top.queued.unwrap() + top.in_node + top.at_egress;
        assert!(opened > taken / 20 && opened < taken / 5, "{top:?}");
    }
    assert!(table.contains("10% new"), "{table}");
    assert!(page.contains("10% new and 90% established flows") && page.contains("its mixes"));
}

/// CPU time of the node, and the kernel's memory.
fn assert_costs(table: &str, run: &RunFile) {
    let points = || run.rates.iter().flat_map(|curve| &curve.points);
    let tops = || points().flat_map(|point| &point.tops);
    assert!(tops().all(|top| top.cpu_ns.is_some_and(|time| time > 0)), "{:?}", tops().collect::<Vec<_>>());
    // On a busy machine the generator may keep its rate in none of a cell's trials, but not in none at all.
    let fixed: Vec<_> = points().filter_map(|point| point.fixed_cpu.as_ref()).collect();
    assert!(!fixed.is_empty() && table.contains("a fixed load"), "{table}");
    for cpu in fixed {
        assert!(cpu.load_pps == 20_000.0 && cpu.ns_a_packet.value > 0.0 && cpu.cores.value <= 2.0, "{cpu:?}");
    }
    assert!(table.contains("kernel memory of what was programmed"), "{table}");
    for record in &run.programming {
        assert_eq!(record.memory.is_some(), record.op == ProgrammingOp::FromNothing, "{record:?}");
        let maps: Vec<_> = record.memory.iter().flat_map(|memory| &memory.maps).collect();
        assert_eq!(!maps.is_empty(), record.memory.is_some() && record.backend == BackendKind::EbpfXdp);
        // 262,144 connections, each of a key of 16 bytes and a value of 8.
        let of = |name: &str| maps.iter().find(|map| map.name == name).map_or(0, |map| map.bytes);
        assert!(maps.is_empty() || of("CONNECTIONS") >= 262_144 * 24 && of("SERVICES") < of("CONNECTIONS"), "{maps:?}");
    }
}

#[test]
fn a_run_searches_the_rates_of_its_goals() {
    let dir = tempfile::tempdir().unwrap();
    let (table, found) = run(&dir.path().join("run"), "quick", "direct", &[]);
    println!("{table}");
    let kinds: BTreeSet<_> = found.rates.iter().map(|curve| curve.key.rate).collect();
    assert_eq!(kinds, BTreeSet::from([RateKind::NoLoss, RateKind::PartialLoss, RateKind::Received]));
    for curve in &found.rates {
        let point = &curve.points[0];
        // On a busy machine results may be irregular, and then say so.
        assert!(point.irregular == 0 || !point.reasons.is_empty());
        assert!(point.lower.zip(point.upper).is_none_or(|(lower, upper)| lower < upper), "{point:?}");
    }
    let is_goal = |curve: &&RateCurve| curve.key.rate != RateKind::Received;
    let has_rate = |point: &RatePoint| point.value.is_some() || point.irregular > 0;
    assert!(found.rates.iter().filter(is_goal).all(|curve| has_rate(&curve.points[0])), "a goal has no rate");
    // What is carried without loss is found on any machine but one that holds every trial up.
    let plain =
        |curve: &&RateCurve| (curve.key.rate, curve.key.axes.backend) == (RateKind::NoLoss, BackendKind::Direct);
    let loss_free = found.rates.iter().find(plain).unwrap().points[0].value;
    let loaded: Vec<_> = found.loaded.iter().filter(|entry| entry.cell.backend == BackendKind::Direct).collect();
    assert_eq!(loaded.len(), if loss_free.is_some() { 3 } else { 0 });
    for (entry, share) in loaded.into_iter().zip([10, 50, 90]) {
        let load = loss_free.unwrap() * f64::from(share) / 100.0;
        assert!(entry.share_percent == share && (entry.load_pps / load - 1.0).abs() < 1e-6, "{entry:?}");
        assert!(entry.valid <= 10 && entry.valid + entry.invalid <= 30 && entry.carried <= entry.offered, "{entry:?}");
        assert_eq!((entry.valid == 0, entry.p50s.is_empty()), (entry.offered == 0, entry.carried == 0), "{entry:?}");
        // Each packet's latency holds the sender's lag.
        assert!(entry.at(0.5).is_none_or(|p50| entry.lost() > 0 || p50 >= entry.lag.p50), "{entry:?}");
    }
    assert_eq!(table.contains("Latency under load"), !found.loaded.is_empty());
}

#[test]
fn a_run_takes_rates_by_popularity_and_packet_size() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let words = "run --venue host --backends iptables-legacy --services 50 --trials 1 --packets 20 --flows new --rates mrr \
                 --positions zipf:1.1,first --packet-sizes 64,imix --connections 2 --out";
    let table = lbcurve(&words.split_whitespace().chain([out.to_str().unwrap()]).collect::<Vec<_>>());
    println!("{table}");
    let run = read_run_file(&out.join("run.json")).unwrap();
    let legacy = |backend: BackendKind| backend == BackendKind::IptablesLegacy;
    let rates = run.rates.iter().filter(|curve| legacy(curve.key.axes.backend));
    let found: BTreeSet<_> =
        rates.map(|curve| (curve.key.axes.position.to_string(), curve.key.packet_size.to_string())).collect();
    let asked =
        ["first", "zipf:1.1"].into_iter().flat_map(|at| ["64", "imix"].map(|size| (at.to_owned(), size.to_owned())));
    assert_eq!(found, asked.collect());
    for top in run.rates.iter().flat_map(|curve| &curve.points).flat_map(|point| &point.tops) {
        assert!(top.carried > 0 && (top.unexplained, top.misdirected) == (0, 0), "{top:?}");
    }
    let connections = run.connections.iter().filter(|curve| legacy(curve.key.axes.backend));
    let found: BTreeSet<_> = connections.map(|curve| curve.key.axes.position.to_string()).collect();
    assert_eq!(found, ["first", "zipf:1.1"].map(str::to_owned).into());
    assert!(run.connections.iter().flat_map(|curve| &curve.points).all(|point| point.succeeded > 0));
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("IMIX") && page.contains("zipf:1.1"));
}

#[test]
fn where_rates_mean_nothing_they_are_left_out_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let words = ["run", "--venue", "sim", "--backends", "nftables", "--services", "1", "--rates", "quick", "--out"];
    let table = lbcurve(&[&words[..], &[out.to_str().unwrap()]].concat());
    assert!(table.contains("rates: a model counts steps"), "{table}");
}

fn assembled(rates: &[RateRecord]) -> RunFile {
    let manifest = synthetic::manifest(&[]);
    assemble_records(manifest, Recorded { rates, ..Recorded::default() }, &[]).unwrap()
}

#[test]
fn rates_become_curves_that_every_reader_shows() {
    let mut rates: Vec<_> = (0..3).map(|trial| search(BackendKind::IptablesLegacy, 1, trial, 300_000.0)).collect();
    rates.extend((0..3).map(|trial| search(BackendKind::IptablesLegacy, 100, trial, 200_000.0)));
    rates[4].goals[0] =
        GoalRecord { upper_pps: None, irregular: Some("never overloaded".into()), ..rates[4].goals[0].clone() };
    let run = assembled(&rates);
    assert_eq!(run.rates.len(), 3);
    let points = &run.rates[0].points;
    assert_eq!((points.len(), points[0].value, points[0].lower), (2, Some(300_000.0), Some(300_000.0)));
    let [warning] = &run.warnings[..] else { panic!("{:?}", run.warnings) };
    assert!(warning.to_string().contains("1 of 3 searches: never overloaded"), "{warning}");
    let back = parse_run_file(run_file_text(&run).unwrap().as_bytes()).unwrap();
    assert_eq!(back.rates, run.rates);
    for text in [report::table(&run), report::markdown(&run), report::html(&run).unwrap()] {
        assert!(text.contains("no loss (NDR)") && text.contains("never overloaded"), "{text}");
        assert!(text.contains("CPU time of the node") && text.contains("a fixed load"), "{text}");
    }
}

#[test]
fn a_rate_without_its_irregular_search_is_read_back_and_every_reader_says_so() {
    let mut rates: Vec<_> = (0..10).map(|trial| search(BackendKind::IptablesLegacy, 1, trial, 3e5)).collect();
    rates[2].goals[0].irregular = Some("never overloaded".into());
    rates[2].loaded = vec![loaded(90, 180_000, 25_000)];
    let run = assembled(&rates);
    let point = &run.rates[0].points[0];
    assert_eq!((point.irregular, point.left_out, point.values.len()), (1, 1, 9));
    let back = parse_run_file(run_file_text(&run).unwrap().as_bytes()).unwrap();
    assert_eq!((&back.rates, &back.loaded), (&run.rates, &run.loaded));
    for text in [report::table(&run), report::markdown(&run), report::html(&run).unwrap()] {
        assert!(text.contains("never overloaded; 1 of 10 searches left out of the rate"), "{text}");
        assert!(text.contains("the loss-free rate was irregular in 1 of 1 searches"), "{text}");
    }
}

#[test]
fn cpu_time_is_drawn_apart_by_packet_size_and_labelled_by_position() {
    let small = search(BackendKind::IptablesLegacy, 1, 0, 3e5);
    let imix = RateRecord { packet_size: PacketSize::Imix, ..small.clone() };
    let mut middle = small.clone();
    middle.cell.position = Position::Middle;
    let page = report::html(&assembled(&[small, middle, imix])).unwrap();
    let figures: Vec<_> = page.lines().filter(|line| line.contains("CPU time a packet, ns over")).collect();
    assert_eq!(figures.len(), 2, "{figures:?}");
    assert_eq!(figures.iter().filter(|figure| figure.contains(", IMIX")).count(), 1, "{figures:?}");
    assert!(page.contains("iptables-legacy sequential, middle"));
}

/// A load behind a search, of `packets` packets that took `latency` ns each.
fn loaded(share_percent: u32, packets: u64, latency: u64) -> LoadedRecord {
    let mut histogram = Histogram::<u64>::new_with_bounds(1, (1 << 36) - 1, 3).unwrap();
    histogram.record_n(latency, packets).unwrap();
    let (p50, histogram) = (histogram.value_at_quantile(0.5), encode_histogram(&histogram).unwrap());
    let latency = LatencyRecord { p50, p90: p50, p99: p50, p999: p50, p9999: p50, max: latency, histogram };
    LoadedRecord {
        share_percent,
        load_pps: 3_000.0 * f64::from(share_percent),
        valid: 10,
        invalid: 2,
        lag_bound_ns: 200_000,
        offered: packets + 7,
        carried: packets,
        misdirected: 0,
        latency: Some(latency),
        lag: LagRecord { p50: 30, p99: 900, p999: 9_000, max: 50_000, histogram: String::new() },
    }
}

#[test]
fn latencies_under_load_are_shown_by_every_reader_and_held_to_their_packets() {
    let mut search = search(BackendKind::IptablesLegacy, 10, 0, 3e5);
    search.loaded = vec![loaded(10, 20_000, 17_000), loaded(90, 180_000, 25_000)];
    let run = assembled(&[search.clone()]);
    let back = parse_run_file(run_file_text(&run).unwrap().as_bytes()).unwrap();
    assert_eq!(back.loaded, run.loaded);
    for text in [report::table(&run), report::markdown(&run), report::html(&run).unwrap()] {
        assert!(text.contains("Latency under load") && text.contains("were lost, which have no latency"), "{text}");
    }
    let csv = report::csv(&run).unwrap();
    let rows: Vec<_> = csv.lines().filter(|line| line.contains("latency-under-load")).collect();
    assert_eq!(rows.len(), 2);
    assert!(rows[1].contains("latency-under-load,ns,10,2,1,180000,"), "{csv}");
    assert!(rows[1].ends_with(",7 packets were lost,90%,,quick,64,25007.0,25000.0,270000.0,"), "{csv}");
    let mut edited = run.clone();
    edited.loaded[0].max = 5;
    let error = parse_run_file(run_file_text(&edited).unwrap().as_bytes()).unwrap_err();
    assert!(lbcurve::chain::one_line(&error).contains("exceed the maximum"), "{error}");
    search.loaded[0].carried += 1;
    let manifest = synthetic::manifest(&[]);
    let refused = assemble_records(manifest, Recorded { rates: &[search], ..Recorded::default() }, &[]).unwrap_err();
    assert!(refused.to_string().contains("latencies under load"), "{refused}");
}

#[test]
fn other_tools_get_rates_that_were_found() {
    let run = assembled(&[search(BackendKind::IptablesLegacy, 1, 0, 3e5)]);
    let csv = report::csv(&run).unwrap();
    let mut reader = ::csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<std::collections::BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    let of = |metric: &str| rows.iter().find(|row| row["metric"] == metric && row["method"] == "quick").unwrap();
    assert_eq!((of("rate-no-loss")["p50"].parse(), &*of("rate-no-loss")["unit"]), (Ok(3e5), "packets/s"));
    assert_eq!(of("rate-received")["p50"].parse(), Ok(1.1 * 3e5));
    let bmf: serde_json::Value = serde_json::from_str(&report::bmf(&run)).unwrap();
    let measures: Vec<_> = bmf.as_object().unwrap().values().collect();
    assert!(measures.iter().any(|of| of["rate-no-loss"]["value"] == 3e5 && of["rate-partial-loss"].is_object()));
}

#[test]
fn rates_of_an_earlier_version_are_compared_with_no_others() {
    let run = |queued, rate: f64| {
        let searches = (0..10).map(|trial| {
            let mut search = search(BackendKind::IptablesLegacy, 1, trial, rate + f64::from(trial));
            search.top.as_mut().unwrap().queued = queued;
            search
        });
        assembled(&searches.collect::<Vec<_>>())
    };
    let (earlier, one, other) = (run(None, 2e5), run(Some(0), 2e5), run(Some(0), 3e5));
    let rows = |a, b| compare(&Side::run("A", a), &Side::run("B", b), 0.01).rows;
    let says = |rows: &[Row], side: &str| {
        let words = format!("{side} alone counts what a queue still held");
        !rows.is_empty() && rows.iter().all(|row| row.verdict.to_string().contains(&words))
    };
    assert!(says(&rows(&earlier, &one), "A") && says(&rows(&one, &earlier), "B"));
    assert!(!says(&rows(&one, &other), "A") && !says(&rows(&earlier, &earlier), "A"));
}

#[test]
fn two_runs_rates_are_compared_and_irregular_ones_are_not() {
    let run = |rate: f64| {
        let search = |trial| search(BackendKind::IptablesLegacy, 1, trial, rate + f64::from(trial));
        (0..10).map(search).collect::<Vec<_>>()
    };
    let mut slow = run(2e5);
    slow[0].goals[1].irregular = Some("never overloaded".into());
    let (fast, slow) = (assembled(&run(3e5)), assembled(&slow));
    let compared = compare(&Side::run("A", &fast), &Side::run("B", &slow), 0.01);
    let of = |metric: &str| compared.rows.iter().find(|row| row.metric.to_string() == metric).unwrap();
    assert_eq!(of("rate-no-loss, quick").verdict, Verdict::Regressed);
    assert_eq!(of("rate-received, quick").verdict, Verdict::Regressed);
    assert!(matches!(of("rate-partial-loss, quick").verdict, Verdict::NotComparable { .. }));
    assert!(of("rate-no-loss, quick").ratio.as_ref().unwrap().ratio < 0.7);
}

#[test]
fn every_reader_says_of_a_mix_which_share_of_its_packets_opens_flows() {
    let legacy = |trial: u32, rate: f64| search(BackendKind::IptablesLegacy, 1, trial, rate + f64::from(trial));
    let plain = |rate: f64| (0..10).map(move |trial| legacy(trial, rate));
    let mixed = |rate: f64| {
        let (new_share, loaded) = (Some("10%".parse().unwrap()), vec![loaded(50, 1_000, 17_000)]);
        plain(rate).map(move |search| RateRecord { new_share, loaded: loaded.clone(), ..search })
    };
    let of = |new: f64, mix: f64| assembled(&plain(new).chain(mixed(mix)).collect::<Vec<_>>());
    let run = of(2e5, 5e5);
    assert_eq!((run.rates.len(), run.loaded.len()), (6, 1));
    let back = parse_run_file(run_file_text(&run).unwrap().as_bytes()).unwrap();
    assert_eq!((&back.rates, &back.loaded), (&run.rates, &run.loaded));
    for text in [report::table(&run), report::markdown(&run)] {
        // Three rates, CPU time at two of them and at the fixed load, a latency, and a note on it.
        assert_eq!(text.matches("10% new").count(), 8, "{text}");
    }
    let page = report::html(&run).unwrap();
    // None is drawn with what was found of new flows alone.
    let mixed = "10% new and 90% established flows";
    for title in ["no loss (NDR), quick", "a fixed load, quick", "quick"].map(|title| format!("{mixed}, {title} goals"))
    {
        assert!(page.contains(&title), "{title}");
    }
    assert!(page.contains("New flows, no loss (NDR), quick goals"));
    let csv = report::csv(&run).unwrap();
    let rates = |flow: &str| csv.lines().filter(|line| line.contains(&format!(",{flow},last,rate-no-loss,"))).count();
    assert_eq!((rates("new"), rates("10% new"), csv.matches(",10% new,last,latency-under-load,").count()), (1, 1, 1));
    let bmf: serde_json::Value = serde_json::from_str(&report::bmf(&run)).unwrap();
    let value = |flow: &str| {
        let found = bmf.as_object().unwrap().iter().find(|(cell, _)| cell.contains(&format!("/{flow}/last")));
        found.map(|(_, measures)| measures["rate-no-loss"]["value"].as_f64())
    };
    assert_eq!((value("new"), value("10%-new")), (Some(Some(200_004.5)), Some(Some(500_004.5))));
    let slower = of(2e5, 4e5);
    let compared = compare(&Side::run("A", &run), &Side::run("B", &slower), 0.01);
    let verdict = |metric: &str| {
        let row = compared.rows.iter().find(|row| row.metric.to_string() == metric);
        row.map(|row| &row.verdict)
    };
    assert_eq!(verdict("rate-no-loss, quick, 10% new"), Some(&Verdict::Regressed));
    assert!(verdict("rate-no-loss, quick").is_some_and(|verdict| *verdict != Verdict::Regressed));
}

#[test]
fn rates_that_do_not_add_up_are_refused() {
    let run = assembled(&[search(BackendKind::IptablesLegacy, 1, 0, 3e5)]);
    let refused = |edit: fn(&mut RatePoint), what: &str| {
        let mut run = run.clone();
        edit(&mut run.rates[0].points[0]);
        let error = parse_run_file(run_file_text(&run).unwrap().as_bytes()).unwrap_err();
        let line = lbcurve::chain::one_line(&error);
        assert!(line.contains(what), "{line}");
    };
    refused(|point| point.value = Some(1.0), "not the median");
    refused(|point| point.irregular = 2, "more results than searches");
    refused(|point| point.services = 0, "does not ascend");
    refused(|point| point.fixed_cpu.as_mut().unwrap().cores.value *= 2.0, "CPU time");
}
