//! What a step costs: the published run's table in every medium, known costs found again, and a kernel that no model tells.
//!
//! `INSTA_UPDATE=always cargo test -p lbcurve --test step_costs` rewrites the golden files.

mod synthetic;

use std::path::Path;

use datapath_sim::StepKind;
use lbcurve::report::{NoStepCost, StepCost, Varying, html, markdown, model, step_costs};
use lbcurve::result::{
    BackendKind, Cell, Flow, Position, RunFile, TrialKind, TrialRecord, Unit, VenueKind, assemble, read_run_file,
};
use lbcurve::workload::VipLayout;

const HEADING: &str = "What a step costs";

/// A run of three stock kernels in the deterministic vm.
fn published() -> RunFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/2026-11-25-6.1-6.12-7.2/run.json");
    read_run_file(&path).expect("a published run is a run")
}

/// The section of the page.
fn section(page: &str) -> &str {
    let section = page.split("<section id=\"step-costs\">").nth(1).expect("the page has the section");
    section.split("</section>").next().expect("a split has a first part")
}

#[test]
fn the_published_runs_table_is_the_golden_one() {
    insta::assert_snapshot!("published_table", model(&published()));
}

#[test]
fn the_published_runs_section_is_the_golden_one_in_both_reports() {
    let run = published();
    let page = html(&run).expect("rendered");
    insta::assert_snapshot!("published_html", section(&page));
    assert!(page.contains(&format!("<a href=\"#step-costs\">{HEADING}</a>")));
    let text = markdown(&run);
    let start = text.find(&format!("**{HEADING}**")).expect("the summary has the table");
    // A sentence, the table, and the rule.
    let blocks: Vec<_> = text[start..].split("\n\n").take(3).collect();
    insta::assert_snapshot!("published_markdown", blocks.join("\n\n"));
}

/// The cost on the published run's oldest kernel.
fn on_6_1(costs: &[StepCost], backend: BackendKind) -> &StepCost {
    let of = |cost: &&StepCost| cost.subject.backend == backend && cost.subject.kernel.starts_with("6.1.");
    costs.iter().find(of).expect("the backend was measured")
}

#[test]
fn steps_predict_every_kernel_of_the_published_run() {
    let found = step_costs(&published());
    assert_eq!((found.costs.len(), found.left_out), (12, vec![]));
    assert!(found.costs.iter().all(|cost| cost.prediction.holds()), "{:#?}", found.costs);
    let grows = [
        (BackendKind::IptablesLegacy, StepKind::Rule, 26.0),
        (BackendKind::IptablesNft, StepKind::Rule, 146.0),
        (BackendKind::Ipvs, StepKind::ServiceEntry, 13.0),
    ];
    for (backend, kind, instructions) in grows {
        let cost = on_6_1(&found.costs, backend);
        let line = cost.prediction.line.expect("steps vary");
        assert_eq!(cost.varying, Varying::One(kind));
        assert!((line.slope - instructions).abs() < 0.5 && line.r_squared > 0.999, "{cost:?}");
    }
    let resizable = found.costs.iter().filter(|cost| cost.subject.kernel.starts_with("7.2."));
    let ipvs: Vec<_> = resizable.filter(|cost| cost.subject.backend == BackendKind::Ipvs).collect();
    assert!(matches!(ipvs[..], [cost] if cost.varying == Varying::Nothing), "{ipvs:?}");
}

const SIZES: [u32; 4] = [1, 10, 100, 1000];

/// A run of new flows to the first and last service, whose medians follow from N and position.
fn run(backend: BackendKind, kernel: &str, layout: VipLayout, median: impl Fn(u32, Position) -> u64) -> RunFile {
    let trial = |services, position| {
        let cell = Cell { kernel: kernel.into(), layout, ..synthetic::cell(backend, services, Flow::New, position) };
        synthetic::trial(cell, TrialKind::Traversal, 0, Unit::Instructions, median(services, position))
    };
    let positions = [Position::First, Position::Last];
    let trials: Vec<TrialRecord> = SIZES.into_iter().flat_map(|n| positions.map(|at| trial(n, at))).collect();
    assemble(synthetic::manifest(&trials), &trials, &[], &[], &[]).expect("a run")
}

fn only(run: &RunFile) -> StepCost {
    let found = step_costs(run);
    assert_eq!((found.costs.len(), &found.left_out), (1, &vec![]));
    found.costs[0].clone()
}

#[test]
fn known_costs_are_found_again() {
    let index = |services, position| if position == Position::First { 0 } else { services - 1 };
    // One rule more for each service before the one that is asked for.
    let rules = |n, at| 9_000 + 25 * u64::from(index(n, at));
    let cost = only(&run(BackendKind::IptablesNft, "6.1.0", VipLayout::Sequential, rules));
    let line = cost.prediction.line.expect("rules vary");
    // The median packet falls on either of two endpoints, a rule apart.
    assert!((line.slope - 25.0).abs() < 0.1 && cost.prediction.furthest < 0.003, "{cost:?}");
    assert_eq!((cost.varying, cost.cells), (Varying::One(StepKind::Rule), 8));
    assert!(cost.prediction.holds());

    // New services stand first in the one bucket of stride 256.
    let entries = |n, at| 15_000 + 13 * u64::from(n - index(n, at));
    let cost = only(&run(BackendKind::Ipvs, "6.1.0", VipLayout::Stride256, entries));
    let line = cost.prediction.line.expect("entries vary");
    assert!((line.slope - 13.0).abs() < 1e-9 && (cost.prediction.fixed - 15_000.0).abs() < 1e-6, "{cost:?}");
    assert_eq!((cost.varying, cost.counted), (Varying::One(StepKind::ServiceEntry), [1, 1000]));
    assert!(line.r_squared > 0.999_999 && cost.prediction.holds());
}

#[test]
fn a_kernel_that_does_something_else_is_not_predicted() {
    let unpredicted = |run: &RunFile| {
        let cost = only(run);
        let rows: Vec<_> = model(run).lines().map(|line| line.trim_end().to_owned()).collect();
        assert!(rows.iter().any(|row| row.contains("6.1.0") || row.contains("7.2.0")), "{rows:?}");
        assert!(section(&html(run).expect("rendered")).contains("<td>no</td>"));
        assert!(rows.iter().any(|row| row.ends_with(" no")), "{rows:?}");
        !cost.prediction.holds()
    };
    // An iptables that walks half of the rules again for each rule.
    let squared = |n: u32, at| if at == Position::First { 9_000 } else { 9_000 + u64::from(n) * u64::from(n) };
    assert!(unpredicted(&run(BackendKind::IptablesLegacy, "6.1.0", VipLayout::Sequential, squared)));
    // An nftables that walks.
    let walking = |n, _| 9_000 + u64::from(n);
    assert!(unpredicted(&run(BackendKind::Nftables, "6.1.0", VipLayout::Sequential, walking)));
    // A kernel whose release says that its table grows, and which has 256 buckets.
    let fixed = |n: u32, at| if at == Position::First { 15_000 + 13 * u64::from(n) } else { 15_013 };
    assert!(unpredicted(&run(BackendKind::Ipvs, "7.2.0", VipLayout::Stride256, fixed)));
}

#[test]
fn what_has_no_cost_is_named() {
    let flat = |_, _| 15_000;
    let left_out = |run: &RunFile| {
        let found = step_costs(run);
        assert!(found.costs.is_empty() && !html(run).expect("rendered").contains(HEADING));
        assert!(model(run).starts_with("No cost of a step for "), "{}", model(run));
        found.left_out.into_iter().map(|(_, why)| why).collect::<Vec<_>>()
    };
    let unknown = run(BackendKind::Ipvs, "custom", VipLayout::Sequential, flat);
    assert_eq!(left_out(&unknown), [NoStepCost::Release]);
    let imported = run(BackendKind::Nftables, "6.1.0", VipLayout::Imported, flat);
    assert_eq!(left_out(&imported), [NoStepCost::Imported]);
    let mut few = run(BackendKind::Nftables, "6.1.0", VipLayout::Sequential, flat);
    few.curves.iter_mut().for_each(|curve| curve.points.truncate(1));
    assert_eq!(left_out(&few), [NoStepCost::TooFew { cells: 2 }]);
}

#[test]
fn a_run_without_counted_instructions_has_no_section() {
    let mut host = synthetic::run();
    host.curves.retain(|curve| curve.key.axes.venue == VenueKind::Host);
    assert!(!html(&host).expect("rendered").contains(HEADING) && !markdown(&host).contains(HEADING));
    assert!(model(&host).starts_with("The run has no cell"));
}
