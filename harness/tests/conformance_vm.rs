//! What the model of IPVS decides is what a kernel with ip_vs decides, every scheduler flow by flow, and what the models count predicts
//! the instructions of a deterministic guest.

mod conformance;
mod guest;

use std::sync::atomic::AtomicBool;

use ::conformance::{CellSteps, Recording, Shape, StepsRecording, Target, fit_steps};
use clap::ValueEnum;
use conformance::{Kernel, Recorder, assert_agreement, keep};
use lbcurve::result::{BackendKind, Cell, Flow, Position, TrialKind, TrialRecord, VenueKind, name};
use lbcurve::run::plan::{Measure, MeasureKind, Plan, VenueOffer};
use lbcurve::run::record::Record;
use lbcurve::run::scenario::{VenueChoice, Wishes};
use lbcurve::venue::vm::VmVenue;
use lbcurve::workload::{Scheduler, VipLayout};

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

/// Median instructions of every cell of a small plan: one endpoint a service, so that packets of a cell differ in nothing.
fn instructions(vm: &VmVenue) -> StepsRecording {
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
        saturation: false,
    };
    let mut cells = Vec::new();
    for mut batch in Plan::new(&scenario, &[offer]).batches {
        let is_traversal = |measure: &Measure| matches!(measure.kind, MeasureKind::Traversal { .. });
        batch.visits.iter_mut().for_each(|visit| visit.measures.retain(is_traversal));
        let mut take = |record: Record| match record {
            Record::Trial(trial) if trial.kind == TrialKind::Traversal => cells.push(steps(&trial)),
            _ => {}
        };
        vm.boot_batch(&scenario, &batch, &AtomicBool::new(false), &mut take).expect("the guest measures");
    }
    StepsRecording { kernel: vm.place().kernel, cells }
}

fn steps(trial: &TrialRecord) -> CellSteps {
    let Cell { backend, layout, services, position, .. } = trial.cell;
    CellSteps {
        target: match backend {
            BackendKind::IptablesLegacy => Target::IptablesLegacy,
            BackendKind::IptablesNft => Target::IptablesNft,
            BackendKind::Nftables => Target::Nftables,
            BackendKind::Ipvs => Target::Ipvs(Scheduler::default().name().into()),
            other => panic!("{} is not in the plan", name(&other)),
        },
        stride: if layout == VipLayout::Stride256 { 256 } else { 1 },
        services,
        endpoints: trial.cell.endpoints,
        udp: trial.cell.protocol == lbcurve::workload::Protocol::Udp,
        asked: match position {
            Position::First => 0,
            Position::Middle => services / 2,
            _ => services - 1,
        },
        instructions: trial.quantiles.p50,
    }
}

#[test]
fn steps_predict_instructions() {
    let recording = instructions(&guest::open());
    keep("steps.jsonl", std::iter::once(serde_json::to_string(&recording).expect("JSON")));
    for fit in fit_steps(&recording).expect("steps can be fitted") {
        println!("{:?} on {}: {:?}, worst miss {:.2}%", fit.target, recording.kernel, fit.line, 100.0 * fit.worst);
        match fit.line {
            Some(line) => assert!(line.r_squared > 0.99, "{fit:#?}"),
            None => assert!(fit.worst < 0.03, "{fit:#?}"),
        }
    }
}
