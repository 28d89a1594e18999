//! Reachability under IPVS, in the deterministic vm: no root.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "nothing of this program runs in the guest")]
mod guest;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use lbcurve::claims::{Verdict, judge};
use lbcurve::result::{
    Arrivals, BackendKind, Destination, FilterRules, Origin, Question, ReachabilityRecord, RunFile, read_run_file,
};
use lbcurve::run::plan::{MeasureKind, Plan};
use lbcurve::run::record::Record;

fn run(out: &Path) -> RunFile {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    command.args(["run", "--venue", "vm", "--deterministic", "--backends", "iptables-legacy,ipvs", "--services", "1"]);
    command.args(["--layout", "sequential", "--flows", "new", "--positions", "first", "--trials", "1"]);
    command.args(["--packets", "20", "--reachability", "--out"]).arg(out).stdout(Stdio::null());
    assert!(command.status().unwrap().success());
    read_run_file(&out.join("run.json")).unwrap()
}

/// What the batch of reachability gives in a guest of its own.
fn again(out: &Path) -> Vec<ReachabilityRecord> {
    let mut plan: Plan = serde_json::from_slice(&std::fs::read(out.join("plan.json")).unwrap()).unwrap();
    plan.batches.retain(|batch| {
        let mut measures = batch.visits.iter().flat_map(|visit| &visit.measures);
        measures.any(|measure| matches!(measure.kind, MeasureKind::Reachability { .. }))
    });
    assert_eq!(plan.batches.len(), 1, "one boot for all backends");
    let mut records = Vec::new();
    let mut take = |record: Record| {
        if let Record::Reachability(record) = record {
            records.push(record);
        }
    };
    guest::open().boot_batch(&plan.scenario, &plan.batches[0], &AtomicBool::new(false), &mut take).unwrap();
    assert_eq!(records.len(), plan.trials());
    records
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
    let out = dir.path().join("run");
    let run = run(&out);
    let repeated = again(&out);
    assert_eq!(repeated.len(), run.reachability.len());
    for record in &repeated {
        assert!(run.reachability.contains(record), "two boots of one seed: {record:?} and {:?}", run.reachability);
    }
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
