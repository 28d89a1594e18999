//! What the model of IPVS decides is what a kernel with ip_vs decides, every scheduler flow by flow, and what the models count predicts
//! the instructions of a deterministic guest.

mod conformance;
mod guest;

use std::net::SocketAddrV4;
use std::sync::atomic::AtomicBool;

use ::conformance::{CellSteps, Recording, Shape, StepsRecording, Target};
use clap::ValueEnum;
use conformance::{Kernel, Recorder, assert_agreement, keep};
use lbcurve::report::{model, step_costs};
use lbcurve::result::{BackendKind, Cell, Flow, Position, TrialKind, TrialRecord, VenueKind, assemble, name};
use lbcurve::run::execute::Venues;
use lbcurve::run::manifest::manifest;
use lbcurve::run::plan::{Measure, MeasureKind, Plan, VenueOffer};
use lbcurve::run::record::Record;
use lbcurve::run::scenario::{Scenario, VenueChoice, Wishes};
use lbcurve::venue::sim::Model;
use lbcurve::venue::vm::VmVenue;
use lbcurve::workload::{Scheduler, Service, VipLayout, Workload, WorkloadSpec};

/// Few clients with many flows each.
const FLOWS: Shape = Shape { services: 14, endpoints: 6, orders: 1, flows: 300, weights: 4 };
/// Many clients, for schedulers that look at the client's address.
const CLIENTS: Shape = Shape { services: 8, endpoints: 6, orders: 24, flows: 12, weights: 4 };
const CASES: u64 = 9;

fn shape(scheduler: Scheduler, seed: u64) -> Shape {
    let by_address = matches!(scheduler, Scheduler::Sh | Scheduler::Dh | Scheduler::Mh);
    let shape = if by_address { CLIENTS } else { FLOWS };
    // kube-proxy weighs all endpoints alike: so does every third case.
    Shape { weights: if seed.is_multiple_of(3) { 1 } else { shape.weights }, ..shape }
}

#[test]
#[ignore = "needs a kernel with ip_vs: run in the vm"]
fn every_scheduler_is_recorded() {
    for (at, scheduler) in (0..).zip(Scheduler::value_variants()) {
        let target = Target::Ipvs(scheduler.name().into());
        let kernel = Kernel { scheduler: *scheduler, ..Kernel::of(BackendKind::Ipvs) };
        let mut recorder = Recorder::new(target, kernel, FLOWS.flows);
        for seed in (0..CASES).map(|seed| 100 * at + seed) {
            println!("{}", serde_json::to_string(&recorder.record(seed, shape(*scheduler, seed))).expect("JSON"));
        }
    }
}

/// A recording among what the guest printed; the first stands behind its test's name.
fn recording(line: &str) -> Option<&str> {
    line.contains("\"fates\"").then(|| line.find('{').map(|at| &line[at..])).flatten()
}

/// The ignored test above, in a guest whose kernel has ip_vs.
#[test]
fn ipvs_decides_as_its_model_with_every_scheduler() {
    let (lines, outcome) = guest::run_ignored_tests();
    let other: Vec<_> = lines.iter().filter(|line| !line.contains("\"fates\"")).collect();
    outcome.unwrap_or_else(|error| panic!("{error}: {other:#?}"));
    let json: Vec<&str> = lines.iter().filter_map(|line| recording(line)).collect();
    let recordings: Vec<Recording> = json.iter().map(|line| serde_json::from_str(line).expect("a recording")).collect();
    assert_eq!(recordings.len(), Scheduler::value_variants().len() * CASES as usize, "{other:#?}");
    keep("ipvs.jsonl", json.iter().map(|line| (*line).to_owned()));
    assert_agreement(&recordings);
}

const COUNTED: [BackendKind; 4] =
    [BackendKind::IptablesLegacy, BackendKind::IptablesNft, BackendKind::Ipvs, BackendKind::Nftables];

/// A small plan: one endpoint a service, so that packets of a cell differ in nothing.
fn plan(vm: &VmVenue) -> Plan {
    let wishes = Wishes {
        venue: Some(VenueChoice::Vm),
        backends: Some(COUNTED.to_vec()),
        services: Some(vec![1, 10, 100, 1_000]),
        endpoints: Some(vec![1]),
        layout: Some(vec![VipLayout::Sequential, VipLayout::Stride256]),
        flows: Some(vec![Flow::New]),
        positions: Some(vec![Position::First, Position::Middle, Position::Last]),
        trials: Some(1),
        ..Wishes::default()
    };
    let mut scenario = wishes.resolve().expect("a scenario");
    // Only IPVS's hash reads the address in a way that a layout can change.
    scenario.narrow_layouts = true;
    scenario.backends.retain(|backend| backend.balances());
    let offer = VenueOffer {
        venue: VenueKind::Vm,
        kernel: vm.place().kernel,
        identity: String::new(),
        backends: scenario.backends.clone(),
        unready: Vec::new(),
        deterministic: true,
        emulated: false,
        saturation: false,
        lacking: Vec::new(),
    };
    let mut plan = Plan::new(&scenario, &[offer]);
    let is_traversal = |measure: &Measure| matches!(measure.kind, MeasureKind::Traversal { .. });
    let visits = plan.batches.iter_mut().flat_map(|batch| &mut batch.visits);
    visits.for_each(|visit| visit.measures.retain(is_traversal));
    plan
}

fn measured(vm: &VmVenue, plan: &Plan) -> Vec<TrialRecord> {
    let mut trials = Vec::new();
    for batch in &plan.batches {
        let mut take = |record: Record| match record {
            Record::Trial(trial) if trial.kind == TrialKind::Traversal => trials.push(trial),
            _ => {}
        };
        vm.boot_batch(&plan.scenario, batch, &AtomicBool::new(false), &mut take).expect("the guest measures");
    }
    trials
}

/// What broken models are judged by: a cell with its services and its median.
fn recorded(plan: &Plan, trial: &TrialRecord) -> Option<CellSteps> {
    let Cell { backend, layout, protocol, services, endpoints, position, .. } = trial.cell;
    let target = match backend {
        BackendKind::IptablesLegacy => Target::IptablesLegacy,
        BackendKind::IptablesNft => Target::IptablesNft,
        BackendKind::Nftables => Target::Nftables,
        // Who shares a bucket of the resizable table is the kernel's draw.
        BackendKind::Ipvs if Model::of_release(&trial.cell.kernel) != Some(Model::Fixed) => return None,
        BackendKind::Ipvs => Target::Ipvs(Scheduler::default().name().into()),
        other => panic!("{} is not in the plan", name(&other)),
    };
    let Scenario { seed, addresses, .. } = plan.scenario;
    let spec = WorkloadSpec { services, endpoints, layout, protocol, seed, addresses };
    let workload = Workload::generate(&spec).expect("it was measured");
    let service = |service: &Service| {
        let endpoint = service.endpoints[0];
        (SocketAddrV4::new(service.vip, service.port), SocketAddrV4::new(endpoint.addr, endpoint.port))
    };
    let asked = match position {
        Position::First => 0,
        Position::Middle => services / 2,
        _ => services - 1,
    };
    Some(CellSteps {
        target,
        services: workload.services.iter().map(service).collect(),
        asked: asked as usize,
        instructions: trial.quantiles.p50,
    })
}

#[test]
fn steps_predict_instructions() {
    let venues = Venues { host: None, vms: vec![guest::open()], models: Vec::new() };
    let plan = plan(&venues.vms[0]);
    let trials = measured(&venues.vms[0], &plan);
    let cells = trials.iter().filter_map(|trial| recorded(&plan, trial)).collect();
    let recording = StepsRecording { kernel: venues.vms[0].place().kernel, cells };
    keep("steps.jsonl", std::iter::once(serde_json::to_string(&recording).expect("JSON")));
    let run = assemble(manifest(&plan, &venues, None), &trials, &[], &[], &[]).expect("a run");
    println!("{}", model(&run));
    let found = step_costs(&run);
    assert_eq!((found.costs.len(), found.left_out), (COUNTED.len(), Vec::new()));
    assert!(found.costs.iter().all(|cost| cost.prediction.holds()), "{:#?}", found.costs);
}
