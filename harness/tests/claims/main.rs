//! Every verdict that a claim can have, on runs whose curves are known functions.
//!
//! `INSTA_UPDATE=always cargo test -p lbcurve --test claims` rewrites the golden texts.

mod connections;
mod growth;
mod noise;
mod programming;
mod reachability;
mod spreading;
#[path = "../synthetic/mod.rs"]
mod synthetic;
mod threshold;
mod throughput;

use lbcurve::claims::{CLAIMS, Judgement, json, judge, markdown, table};
use lbcurve::result::{
    BackendKind, Flow, Position, ProgrammingRecord, RunFile, ThroughputRecord, TrialKind, TrialRecord, Unit, assemble,
};
use lbcurve::workload::VipLayout;

const SIZES: [u32; 9] = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000];
/// Traversal of plain routing with conntrack.
const PLAIN: f64 = 4100.0;
const CANNOT_TELL: &str = "not measured: the trials cannot tell: ";

/// What a backend adds to a new flow, over N.
struct Shape<'a> {
    backend: BackendKind,
    layout: VipLayout,
    position: Position,
    endpoints: u32,
    added: &'a dyn Fn(f64) -> f64,
}

fn iptables(added: &dyn Fn(f64) -> f64) -> Shape<'_> {
    let (backend, position) = (BackendKind::IptablesLegacy, Position::Last);
    Shape { backend, layout: VipLayout::Sequential, position, endpoints: 2, added }
}

fn ipvs(layout: VipLayout, added: &dyn Fn(f64) -> f64) -> Shape<'_> {
    Shape { backend: BackendKind::Ipvs, layout, position: Position::First, endpoints: 2, added }
}

fn trials(shapes: &[Shape<'_>], sizes: &[u32]) -> Vec<TrialRecord> {
    let plain: &dyn Fn(f64) -> f64 = &|_| 0.0;
    let (backend, position) = (BackendKind::DirectConntrack, Position::Missing);
    let mut pods: Vec<_> = shapes.iter().map(|shape| shape.endpoints).collect();
    pods.sort_unstable();
    pods.dedup();
    let baselines = pods.iter().map(|&endpoints| Shape {
        backend,
        layout: VipLayout::Sequential,
        position,
        endpoints,
        added: plain,
    });
    let mut trials = Vec::new();
    for shape in shapes.iter().map(|s| Shape { ..*s }).chain(baselines) {
        for (&services, index) in sizes.iter().flat_map(|services| [(services, 0), (services, 1)]) {
            let median = PLAIN + (shape.added)(f64::from(services)) + f64::from(index);
            let mut cell = synthetic::cell(shape.backend, services, Flow::New, shape.position);
            (cell.layout, cell.endpoints) = (shape.layout, shape.endpoints);
            trials.push(synthetic::trial(cell, TrialKind::Traversal, index, Unit::Instructions, median as u64));
        }
    }
    trials
}

fn run(shapes: &[Shape<'_>], programming: &[ProgrammingRecord], throughput: &[ThroughputRecord]) -> RunFile {
    let trials = trials(shapes, &SIZES);
    assemble(synthetic::manifest(&trials), &trials, programming, throughput, &[]).expect("the trials are finite")
}

/// The one judgement of a claim.
fn only(run: &RunFile, claim: &str) -> Judgement {
    let mut found: Vec<_> = judge(run).into_iter().filter(|judgement| judgement.claim.id == claim).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[track_caller]
fn expect(run: &RunFile, claim: &str, verdict: &str, words: &[&str]) -> Judgement {
    let judgement = only(run, claim);
    let said = format!("{} ({})", judgement.verdict, judgement.reason);
    assert!(said.starts_with(verdict), "{verdict} is not {said}");
    assert!(words.iter().all(|word| said.contains(word)), "{words:?} in {said}");
    judgement
}

fn linear(n: f64) -> f64 {
    7000.0 + 26.0 * n
}

fn flat(_: f64) -> f64 {
    11_000.0
}

/// Flat, then 26 a service.
fn knee(n: f64) -> f64 {
    11_000.0 + 26.0 * (n - 1000.0).max(0.0)
}

#[test]
fn claims_without_an_experiment_say_so() {
    let run = run(&[iptables(&linear)], &[], &[]);
    expect(&run, "C5", "not measured", &["--connections 16"]);
    for claim in ["C7", "C8"] {
        expect(&run, claim, "not measured", &["--reachability"]);
    }
    expect(&run, "C6", "not measured", &["--fairness"]);
}

#[test]
fn the_texts_are_the_golden_ones_and_hold_every_claim() {
    let judgements = judge(&synthetic::run());
    insta::assert_snapshot!("claims_table", table(&judgements));
    insta::assert_snapshot!("claims_markdown", markdown(&judgements));
    let value: serde_json::Value = serde_json::from_str(&json(&judgements).expect("it is JSON")).expect("it is JSON");
    let ids: Vec<_> = value["claims"].as_array().expect("a list").iter().map(|claim| claim["id"].clone()).collect();
    assert_eq!(ids.len(), CLAIMS.len());
    for claim in &CLAIMS {
        assert!(judgements.iter().any(|judgement| judgement.claim == claim), "{claim}");
    }
    // Others' figures never stand among ours.
    let ours: String =
        judgements.iter().flat_map(|j| &j.figures).map(|figure| format!("{figure} {}", figure.cells)).collect();
    assert!(!ours.contains("Cilium") && !ours.contains("22,313"));
}
