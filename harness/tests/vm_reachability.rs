//! Reachability under IPVS, in the deterministic vm: no root.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Command, Stdio};

use lbcurve::claims::{Verdict, judge};
use lbcurve::result::{Arrivals, BackendKind, Destination, FilterRules, Origin, Question, RunFile, read_run_file};

fn run(out: &Path) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    command.args(["run", "--venue", "vm", "--deterministic", "--backends", "iptables-legacy,ipvs", "--services", "1"]);
    command.args(["--layout", "sequential", "--flows", "new", "--positions", "first", "--trials", "1"]);
    command.args(["--packets", "20", "--reachability", "--out"]).arg(out).stdout(Stdio::null());
    assert!(command.status().unwrap().success());
    std::fs::read(out.join("trials.jsonl")).unwrap()
}

fn verdict(run: &RunFile, claim: &str) -> Verdict {
    let found: Vec<_> = judge(run).into_iter().filter(|judgement| judgement.claim.id == claim).collect();
    let [judgement] = &found[..] else { panic!("{found:?}") };
    println!("{claim}: {} ({})", judgement.verdict, judgement.reason);
    judgement.verdict.clone()
}

#[test]
fn ipvs_answers_pings_without_the_filter_only_and_keeps_a_load_balancers_address() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    assert_eq!(run(&first), run(&second), "two runs of one seed");
    let run = read_run_file(&first.join("run.json")).unwrap();
    assert!(run.warnings.is_empty(), "{:?}", run.warnings);
    let ipvs = run.reachability.iter().find(|record| record.cell.backend == BackendKind::Ipvs).unwrap();
    for from in [Origin::Client, Origin::Node] {
        let attempt = |to, rules, exposed| ipvs.attempt(Question { to, from, rules, exposed }).unwrap();
        let refused = attempt(Destination::ClusterIp, FilterRules::Kept, false);
        assert_eq!((refused.answered, &refused.came_back()[..]), (0, "5 ICMP 3/3 (port unreachable)"));
        let answered = attempt(Destination::ClusterIp, FilterRules::Removed, true);
        assert_eq!((answered.answered, answered.arrived.node, answered.left), (5, 5, 0));
        for rules in [FilterRules::Kept, FilterRules::Removed] {
            let service = attempt(Destination::Service, rules, true);
            assert_eq!((service.answered, service.arrived.pods), (5, 5));
            // The node takes it and nobody listens there.
            let ingress = attempt(Destination::Ingress, rules, true);
            assert_eq!((ingress.answered, ingress.left, ingress.arrived), (0, 0, Arrivals::default()));
        }
    }
    assert_eq!((verdict(&run, "C7"), verdict(&run, "C8")), (Verdict::Holds, Verdict::Holds));
}
