//! Reachability from the command to the report, and from records to it. The former needs root.
#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

mod command;
mod synthetic;

use std::path::Path;

use lbcurve::report;
use lbcurve::result::{
    Arrivals, Attempt, BackendKind, Destination, FilterRules, Origin, Question, ReachabilityRecord, Recorded, RunFile,
    assemble_records, parse_run_file, read_run_file, run_file_text,
};

use command::lbcurve;

fn run(out: &Path) -> String {
    let words = "run --venue host --backends iptables-legacy,nftables,ebpf-xdp --services 2,1 --trials 1 --packets 20";
    let words = format!("{words} --flows new --positions last --reachability --out");
    let arguments: Vec<_> = words.split(' ').chain([out.to_str().unwrap()]).collect();
    lbcurve(&arguments)
}

fn of(run: &RunFile, backend: BackendKind) -> &ReachabilityRecord {
    let found: Vec<_> = run.reachability.iter().filter(|record| record.cell.backend == backend).collect();
    assert_eq!(found.len(), 1, "{backend:?}");
    assert_eq!(found[0].cell.services, 1, "the smallest N");
    found[0]
}

fn attempt(record: &ReachabilityRecord, to: Destination, from: Origin, rules: FilterRules, exposed: bool) -> &Attempt {
    record.attempt(Question { to, from, rules, exposed }).unwrap()
}

const PODS: Arrivals = Arrivals { node: 0, pods: 5, outside: 0 };
const OUTSIDE: Arrivals = Arrivals { node: 0, pods: 0, outside: 5 };

/// What is so under every backend of this kernel.
fn assert_controls(record: &ReachabilityRecord, from: Origin) {
    assert_eq!(record.invalid(from), None);
    assert_eq!(attempt(record, Destination::Pod, from, FilterRules::Kept, false).arrived, PODS);
    assert_eq!(attempt(record, Destination::Ingress, from, FilterRules::Kept, false).arrived, OUTSIDE);
}

fn assert_lost_outside(ping: &Attempt) {
    assert_eq!((ping.sent, ping.answered, ping.silent(), ping.left), (5, 0, 5, 5), "{ping:?}");
}

fn assert_rejected(ping: &Attempt) {
    assert_eq!(ping.came_back(), "5 ICMP 3/3 (port unreachable)", "{ping:?}");
    assert_eq!((ping.answered, ping.left, ping.arrived), (0, 0, Arrivals::default()), "{ping:?}");
}

fn assert_whole(run: &RunFile) {
    use BackendKind::{Direct, EbpfXdp, IptablesLegacy, Nftables};
    use Destination::{ClusterIp, Ingress, Service};
    use FilterRules::{Kept, Removed};
    assert!(!run.warnings.iter().any(|warning| warning.to_string().contains("reachability")), "{:?}", run.warnings);
    for from in [Origin::Client, Origin::Node] {
        for backend in [Direct, IptablesLegacy, Nftables, EbpfXdp] {
            assert_controls(of(run, backend), from);
        }
        for backend in [Direct, IptablesLegacy] {
            assert_lost_outside(attempt(of(run, backend), ClusterIp, from, Kept, false));
        }
        assert_lost_outside(attempt(of(run, IptablesLegacy), ClusterIp, from, Removed, true));
        // nftables rejects what is for an address of a service and none of its ports, as long as it has the rule.
        assert_rejected(attempt(of(run, Nftables), ClusterIp, from, Kept, false));
        assert_lost_outside(attempt(of(run, Nftables), ClusterIp, from, Removed, true));
        for (backend, rules) in
            [(IptablesLegacy, Kept), (IptablesLegacy, Removed), (Nftables, Kept), (Nftables, Removed)]
        {
            assert_eq!(attempt(of(run, backend), Service, from, rules, true).arrived, PODS, "{backend:?}");
            assert_eq!(attempt(of(run, backend), Ingress, from, rules, true).arrived, OUTSIDE, "{backend:?}");
        }
    }
    // The eBPF load balancer sees what comes in at the client-side device, and not what the node sends itself. It rejects what is for an
    // address that it knows and none of its ports, a load balancer's too.
    assert_rejected(attempt(of(run, EbpfXdp), ClusterIp, Origin::Client, Kept, false));
    assert_lost_outside(attempt(of(run, EbpfXdp), ClusterIp, Origin::Node, Kept, false));
    let refused = attempt(of(run, EbpfXdp), Ingress, Origin::Client, Kept, true);
    assert_eq!((&refused.came_back()[..], refused.left), ("5 refused", 0), "{refused:?}");
    assert_eq!(attempt(of(run, EbpfXdp), Ingress, Origin::Node, Kept, true).arrived, OUTSIDE);
    assert_eq!(attempt(of(run, EbpfXdp), Service, Origin::Client, Kept, true).arrived, PODS);
    assert_eq!(attempt(of(run, EbpfXdp), Service, Origin::Node, Kept, true).arrived, OUTSIDE);
    assert!(of(run, EbpfXdp).attempts.iter().all(|attempt| attempt.asked.rules == Kept), "it has no filter rules");
}

#[test]
fn a_run_pings_asks_resumes_and_judges() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let table = run(&out);
    assert!(table.contains("Reachability of a ClusterIP"), "{table}");
    assert_whole(&read_run_file(&out.join("run.json")).unwrap());
    assert!(std::fs::read_to_string(out.join("report.html")).unwrap().contains("<section id=\"reachability\">"));
    let claims = lbcurve(&["claims", out.to_str().unwrap()]);
    assert!(claims.contains("iptables-legacy, rules as 1.36: from client 0 of 5, from node 0 of 5"), "{claims}");
    assert!(claims.contains("no ClusterIP of IPVS was pinged here"), "{claims}");
    // A run that was cut goes on, and comes to the same.
    let trials = std::fs::read_to_string(out.join("trials.jsonl")).unwrap();
    let records = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.contains("\"record\":\"reachability\"")).map(str::to_owned).collect()
    };
    assert_eq!(records(&trials).len(), 4);
    let cut: String = trials.lines().take(trials.lines().count() - 2).map(|line| format!("{line}\n")).collect();
    std::fs::write(out.join("trials.jsonl"), cut).unwrap();
    run(&out);
    let again = std::fs::read_to_string(out.join("trials.jsonl")).unwrap();
    assert_eq!(again.lines().count(), trials.lines().count());
    assert_whole(&read_run_file(&out.join("run.json")).unwrap());
}

#[test]
fn models_leave_it_out_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let words = ["run", "--venue", "sim", "--backends", "nftables", "--services", "1", "--reachability", "--out"];
    let table = lbcurve(&[&words[..], &[out.to_str().unwrap()]].concat());
    assert!(table.contains("a model has no ICMP"), "{table}");
    assert!(read_run_file(&out.join("run.json")).unwrap().reachability.is_empty());
}

fn assembled() -> RunFile {
    let reachability = [BackendKind::Ipvs, BackendKind::IptablesLegacy].map(synthetic::experiments::reachability);
    let recorded = Recorded { reachability: &reachability, ..Recorded::default() };
    assemble_records(synthetic::manifest(&[]), recorded, &[]).unwrap()
}

#[test]
fn records_are_shown_by_every_reader() {
    let run = assembled();
    let back = parse_run_file(run_file_text(&run).unwrap().as_bytes()).unwrap();
    assert_eq!(back.reachability, run.reachability);
    for text in [report::table(&run), report::markdown(&run), report::html(&run).unwrap()] {
        assert!(text.contains("ping of the ClusterIP") && text.contains("5 ICMP 3/3"), "{text}");
    }
    let without = synthetic::run();
    assert!(!report::table(&without).contains("Reachability") && !report::markdown(&without).contains("Reachability"));
    assert!(!report::html(&without).unwrap().contains("id=\"reachability\""));
}

#[test]
fn experiments_that_do_not_add_up_are_refused() {
    let refused = |edit: fn(&mut Vec<ReachabilityRecord>), what: &str| {
        let mut run = assembled();
        edit(&mut run.reachability);
        let error = parse_run_file(run_file_text(&run).unwrap().as_bytes()).unwrap_err();
        let line = lbcurve::chain::one_line(&error);
        assert!(line.contains(what), "{line}");
    };
    refused(|records| records[0].attempts[0].answered = 6, "more than what was sent");
    refused(|records| records[0].attempts[1].asked = records[0].attempts[0].asked, "the same was asked twice");
    refused(|records| records[0].attempts.clear(), "or nothing was");
    refused(|records| records[1] = records[0].clone(), "the same trial is there twice");
}
