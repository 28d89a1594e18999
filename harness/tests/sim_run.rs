//! `--venue sim` end to end: any plan, no root, no kernel, the same bytes each time, and what follows from them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use assert_cmd::Command;
use lbcurve::claims::{Verdict, judge};
use lbcurve::result::{
    BackendKind, Curve, Flow, Integrity, Metric, Position, Reached, RunFile, Unit, VenueKind, read_run_file,
};
use lbcurve::run::record::Record;
use lbcurve::workload::VipLayout;

const FIXED: &str = "model-256";
const RESIZABLE: &str = "model-resizable";

fn lbcurve(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    command.args(args);
    command
}

fn run(out: &Path, args: &[&str]) -> RunFile {
    lbcurve(&["run", "--venue", "sim", "--out"]).arg(out).args(args).assert().success();
    read_run_file(&out.join("run.json")).unwrap()
}

/// The curve of `added` of new flows.
fn added<'a>(run: &'a RunFile, kernel: &str, backend: BackendKind, layout: VipLayout, position: Position) -> &'a Curve {
    let wanted = |curve: &&Curve| {
        let key = &curve.key;
        (key.metric, key.axes.flow, key.axes.kernel.as_str()) == (Metric::Added, Flow::New, kernel)
            && (key.axes.backend, key.axes.layout, key.axes.position) == (backend, layout, position)
    };
    run.curves.iter().find(wanted).unwrap()
}

#[test]
fn popularity_lies_between_the_ends_and_repeats_itself() {
    let dir = tempfile::tempdir().unwrap();
    let words = ["--services", "100", "--positions", "first,last,random,zipf:1.1,zipf:3,missing", "--packets", "2000"];
    let words = [&words[..], &["--trials", "1", "--backends", "iptables-legacy", "--flows", "new"]].concat();
    let [one, two] = ["one", "two"].map(|name| dir.path().join(name));
    let found = run(&one, &words);
    run(&two, &words);
    assert!(std::fs::read(one.join("trials.jsonl")).unwrap() == std::fs::read(two.join("trials.jsonl")).unwrap());
    let at = |position: &str| {
        let position = position.parse().unwrap();
        added(&found, FIXED, BackendKind::IptablesLegacy, VipLayout::Sequential, position).points[0].clone()
    };
    let [first, last, random, zipf, steep] = ["first", "last", "random", "zipf:1.1", "zipf:3"].map(at);
    for drawn in [&random, &zipf, &steep] {
        assert!(first.min <= drawn.min && drawn.p99 <= last.p99, "{drawn:?}");
    }
    // A uniform draw meets every depth alike. Where the exponent is 3, five packets of six ask for one service, and one of ten for the next, on one
    // side of it: on the other side all between the median and a tenth are the same, but for the choice of the endpoint.
    assert!(random.p90 - random.p10 > 0.7 * (last.p50 - first.p50), "{random:?}");
    assert!((steep.p90 - steep.p50).min(steep.p50 - steep.p10) <= 2.0, "{steep:?}");
    assert!(zipf.p50 != random.p50, "{zipf:?} {random:?}");
}

#[test]
fn any_plan_is_counted_and_the_models_grow_as_their_structures_do() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(
        &dir.path().join("run"),
        &[
            "--services",
            "1,100,10000,100000",
            "--layout",
            "sequential,stride-256",
            "--service-cidr",
            "64.0.0.0/7",
            "--positions",
            "first,last",
            "--protocol",
            "udp",
            "--backends",
            "iptables-legacy,iptables-nft,ipvs,nftables,ebpf-tc,ebpf-xdp",
        ],
    );
    assert!(run.environment.kernels.iter().all(|kernel| (kernel.venue, kernel.unit) == (VenueKind::Sim, Unit::Steps)));
    assert!(run.curves.iter().all(|curve| curve.integrity == Integrity::default()), "no packet is lost in a model");
    assert!(run.programming.is_empty() && run.throughput.is_empty());
    let growth = |kernel, backend, layout, position| {
        let curve = added(&run, kernel, backend, layout, position);
        let (first, last) = (curve.points.first().unwrap(), curve.points.last().unwrap());
        assert_eq!((first.services, last.services), (1, 100_000));
        (curve.fit.label(), last.p50 - first.p50)
    };
    use BackendKind::{EbpfTc, EbpfXdp, IptablesLegacy, IptablesNft, Ipvs, Nftables};
    use VipLayout::{Sequential, Stride256};
    for backend in [IptablesLegacy, IptablesNft] {
        let (label, steps) = growth(FIXED, backend, Sequential, Position::Last);
        assert_eq!(label, "linear");
        // A rule a service, but histograms keep three digits.
        assert!((99_900.0..100_100.0).contains(&steps), "{steps}");
        // The second of two endpoints costs a rule more, and a median falls on either.
        assert!(growth(FIXED, backend, Sequential, Position::First).1.abs() <= 1.0);
    }
    for layout in [Sequential, Stride256] {
        for backend in [Nftables, EbpfTc, EbpfXdp] {
            assert_eq!(growth(FIXED, backend, layout, Position::Last), ("constant".to_owned(), 0.0), "{backend:?}");
        }
        let (label, steps) = growth(RESIZABLE, Ipvs, layout, Position::First);
        assert!(label == "constant" && steps.abs() < 8.0, "{label}, {steps}");
    }
    // 100,000 sequential VIPs in 256 buckets: 391 in the fullest, 390 in others.
    assert!((380.0..400.0).contains(&growth(FIXED, Ipvs, Sequential, Position::First).1));
    let (label, steps) = growth(FIXED, Ipvs, Stride256, Position::First);
    assert!(label == "linear" && (99_900.0..100_100.0).contains(&steps), "{label}, {steps}");
    assert!(
        growth(FIXED, Ipvs, Stride256, Position::Last).1.abs() < 8.0,
        "the last service stands first in its bucket"
    );
}

#[test]
fn decisions_are_those_of_the_scheduler() {
    let dir = tempfile::tempdir().unwrap();
    let reached = |scheduler: &str| {
        let out = dir.path().join(scheduler);
        let asked = [
            "--backends",
            "ipvs",
            "--services",
            "10",
            "--endpoints",
            "3",
            "--positions",
            "first",
            "--layout",
            "sequential",
            "--decisions",
            "9",
        ];
        run(&out, &[&asked[..], &["--protocol", "udp", "--scheduler", scheduler]].concat());
        let text = std::fs::read_to_string(out.join("trials.jsonl")).unwrap();
        let records = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let decisions = records.filter_map(|record| match record {
            Record::Decisions(decisions) if decisions.cell.kernel == FIXED => Some(decisions.decode().unwrap()),
            _ => None,
        });
        decisions.collect::<Vec<_>>()
    };
    let endpoints = |order: [u32; 9]| vec![order.map(Reached::Endpoint).to_vec()];
    // The last endpoint that was added stands first; UDP connections never count as active.
    assert_eq!(reached("rr"), endpoints([2, 1, 0, 2, 1, 0, 2, 1, 0]));
    assert_eq!(reached("lc"), endpoints([2, 1, 0, 2, 1, 0, 2, 1, 0]));
    assert_eq!(reached("nq"), endpoints([2; 9]));
}

#[test]
fn two_runs_are_equal_byte_for_byte_and_a_resumed_one_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let trials = |name: &str, seed: &str| {
        let out = dir.path().join(name);
        let run = run(
            &out,
            &[
                "--services",
                "1,100",
                "--endpoints",
                "1,3",
                "--positions",
                "first,middle,last,random,missing",
                "--seed",
                seed,
            ],
        );
        assert!(run.curves.iter().all(|curve| curve.integrity == Integrity::default()));
        std::fs::read(out.join("trials.jsonl")).unwrap()
    };
    let one = trials("one", "7");
    assert_eq!(one, trials("two", "7"));
    assert_ne!(one, trials("other", "8"));
    let cut = &one[..one.len() / 2];
    std::fs::write(dir.path().join("two/trials.jsonl"), cut).unwrap();
    assert_eq!(one, trials("two", "7"));
}

/// Its command, called again, assembles a finished run anew: it does not end again.
#[test]
fn a_run_that_is_whole_keeps_the_day_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    let words = ["--services", "1", "--packets", "10", "--trials", "1", "--backends", "iptables-legacy"];
    let first = run(dir.path(), &words);
    // Dates have seconds.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert_eq!(run(dir.path(), &words).environment.date, first.environment.date);
    std::fs::write(dir.path().join("trials.jsonl"), "").unwrap();
    assert_ne!(run(dir.path(), &words).environment.date, first.environment.date);
}

#[test]
fn claims_say_that_they_are_the_models() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let run = run(&out, &["--services", "1,10,100,1000,10000", "--layout", "sequential,stride-256"]);
    let judgements = judge(&run);
    let of = |claim: &str, kernel: &str| {
        let here = |j: &&lbcurve::claims::Judgement| {
            j.claim.id == claim && j.scope.as_ref().is_some_and(|s| s.kernel == kernel)
        };
        judgements.iter().find(here).unwrap()
    };
    for judgement in judgements.iter().filter(|judgement| judgement.scope.is_some()) {
        assert!(judgement.reason.contains("the model's verdict"), "{}: {}", judgement.claim.id, judgement.reason);
    }
    assert_eq!(of("C1", FIXED).verdict, Verdict::Holds);
    assert_eq!(of("C2", RESIZABLE).verdict, Verdict::Holds);
    assert_ne!(of("C2", FIXED).verdict, Verdict::Holds, "one bucket of 256 grows");
    let said = lbcurve(&["claims"]).arg(&out).assert().success();
    assert!(String::from_utf8_lossy(&said.get_output().stdout).contains("sim model-256, steps"));
}

#[test]
fn the_two_models_can_be_compared_within_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    run(&out, &["--services", "1,1000", "--layout", "sequential,stride-256", "--positions", "first"]);
    let said = lbcurve(&["compare", "--kernels", FIXED, RESIZABLE, "--floor", "1%"]).arg(&out).assert().success();
    let text = String::from_utf8_lossy(&said.get_output().stdout).into_owned();
    assert!(text.contains("improved") && text.contains("counted by a model"), "{text}");
}

#[test]
fn a_model_needs_no_root_and_takes_no_kernel() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let refused = |args: &[&str], words: &str| {
        let assert = lbcurve(&["run", "--venue", "sim", "--out"]).arg(&out).args(args).assert().code(3);
        let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
        assert!(said.contains(words) && !out.exists(), "{said}");
    };
    refused(&["--kernel", "trixie"], "--venue vm");
    refused(&["--deterministic=false"], "always counts");
    let doctor = lbcurve(&["doctor"]).assert().success();
    let table = String::from_utf8_lossy(&doctor.get_output().stdout).into_owned();
    let ready = |kernel: &str| {
        table.lines().any(|line| line.contains("sim") && line.contains(kernel) && line.contains("ready"))
    };
    assert!(ready(FIXED) && ready(RESIZABLE), "{table}");
}

/// As nobody, and without a place for the vm's cache: neither host nor vm can be used.
#[test]
fn auto_falls_back_to_the_models_and_says_so_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    let program = dir.path().join("lbcurve");
    std::fs::copy(env!("CARGO_BIN_EXE_lbcurve"), &program).unwrap();
    let mut command = std::process::Command::new(&program);
    command.env_clear().current_dir(dir.path());
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let out = dir.path().join("run");
    let assert = Command::from_std(command).args(["run", "--services", "1,10", "--out"]).arg(&out).assert().success();
    let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    let lines: Vec<_> = said.lines().filter(|line| line.starts_with("no kernel can be measured (")).collect();
    assert!(
        matches!(lines[..], [line] if line.contains("vm: ") && line.contains("host: ") && line.contains("models count")),
        "{said}"
    );
    let run = read_run_file(&out.join("run.json")).unwrap();
    assert!(run.curves.iter().all(|curve| curve.key.axes.venue == VenueKind::Sim));
    assert!(run.skipped.iter().any(|skipped| skipped.cell.venue == VenueKind::Vm), "what is missing says why");
}
