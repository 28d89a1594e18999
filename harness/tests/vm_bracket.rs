//! The XDP bracket on a stock kernel in the deterministic vm: every packet is timed, and the yardsticks are in their order.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use lbcurve::result::{
    BackendKind, Bracket, Flow, Metric, Position, RunFile, TrialKind, TrialRecord, VenueKind, read_run_file,
};
use lbcurve::run::plan::{Batch, Measure, MeasureKind, Setup, Visit};
use lbcurve::run::record::Record;
use lbcurve::run::scenario::Wishes;
use lbcurve::venue::vm::VmVenue;
use lbcurve::workload::{Protocol, VipLayout};

const PACKETS: u32 = 200;

fn visit(backend: BackendKind, bracket: Bracket, protocol: Protocol) -> Visit {
    let layout = VipLayout::Sequential;
    let setup = Setup { backend, bracket, layout, protocol, services: 1, endpoints: 2 };
    let position = Position::Missing;
    let kinds = [
        MeasureKind::Floor,
        MeasureKind::Traversal { flow: Flow::New, position },
        MeasureKind::Traversal { flow: Flow::Established, position },
    ];
    let measure = |(index, kind): (u64, _)| Measure { kind, trial: 0, packets: PACKETS, first_flow: index << 18 };
    Visit { setup, measures: (0..).zip(kinds).map(measure).collect() }
}

fn measured(venue: &VmVenue) -> Vec<TrialRecord> {
    let scenario = Wishes { deterministic: Some(true), ..Wishes::default() }.resolve().unwrap();
    let mut visits = Vec::new();
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        for bracket in [Bracket::Tc, Bracket::Xdp] {
            visits.push(visit(BackendKind::Direct, bracket, protocol));
            visits.push(visit(BackendKind::DirectConntrack, bracket, protocol));
        }
    }
    let batch = Batch { id: 0, venue: VenueKind::Vm, kernel: venue.kernel.release.clone(), visits };
    let mut trials = Vec::new();
    let mut keep = |record| {
        if let Record::Trial(trial) = record {
            trials.push(trial);
        }
    };
    venue.boot_batch(&scenario, &batch, &AtomicBool::new(false), &mut keep).unwrap();
    trials
}

#[test]
fn every_packet_of_the_xdp_bracket_is_timed_and_counts_repeat() {
    let init = PathBuf::from(env!("CARGO_BIN_EXE_lbcurve"));
    let venue =
        VmVenue::open_with_init(&Default::default(), Some(true), init, &mut |step| eprintln!("{step}")).unwrap();
    let trials = measured(&venue);
    for TrialRecord { cell, kind, packets, mismatched, lost, misdirected, quantiles, .. } in &trials {
        println!("{cell} {kind:?}: {quantiles:?}");
        assert_eq!((*packets, *mismatched, *lost, *misdirected), (u64::from(PACKETS), 0, 0, 0), "{cell}");
    }
    let p50 = |backend, bracket, protocol, kind, flow| {
        let wanted = |trial: &&TrialRecord| {
            let cell = &trial.cell;
            (cell.backend, cell.bracket, cell.protocol, trial.kind, cell.flow)
                == (backend, bracket, protocol, kind, flow)
        };
        trials.iter().find(wanted).unwrap().quantiles.p50
    };
    use BackendKind::{Direct, DirectConntrack};
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        for bracket in [Bracket::Tc, Bracket::Xdp] {
            let of = |backend, kind, flow| p50(backend, bracket, protocol, kind, flow);
            let floor = of(Direct, TrialKind::Floor, Flow::New);
            let plain = of(Direct, TrialKind::Traversal, Flow::New);
            let established = of(DirectConntrack, TrialKind::Traversal, Flow::Established);
            let new = of(DirectConntrack, TrialKind::Traversal, Flow::New);
            assert!(floor < plain && plain < established && established < new, "{floor} {plain} {established} {new}");
        }
        let plain = |bracket| p50(Direct, bracket, protocol, TrialKind::Traversal, Flow::New);
        assert!(plain(Bracket::Tc) < plain(Bracket::Xdp), "the XDP bracket holds more");
    }
    assert_eq!(measured(&venue), trials, "two boots");
}

/// Median at one N of a backend in its own bracket.
fn p50(run: &RunFile, backend: BackendKind, metric: Metric, services: u32) -> f64 {
    let wanted = |key: &lbcurve::result::CurveKey| {
        (key.axes.backend, key.axes.bracket, key.metric) == (backend, backend.bracket(), metric)
    };
    let curve = run.curves.iter().find(|curve| wanted(&curve.key)).unwrap();
    curve.points.iter().find(|point| point.services == services).unwrap().p50
}

#[test]
fn the_ebpf_backends_do_not_see_n_and_add_less_than_half_of_nftables() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    command.args(["run", "--venue", "vm", "--deterministic", "--backends", "nftables,ebpf-tc,ebpf-xdp"]);
    command.args(["--services", "1,1000,10000", "--flows", "new", "--positions", "last"]);
    command.args(["--trials", "1", "--packets", "100", "--out"]).arg(&out);
    assert!(command.stdout(Stdio::null()).status().unwrap().success());
    let run = read_run_file(&out.join("run.json")).unwrap();
    assert!(run.warnings.is_empty(), "{:?}", run.warnings);
    let nftables = p50(&run, BackendKind::Nftables, Metric::Added, 1_000);
    for backend in [BackendKind::EbpfTc, BackendKind::EbpfXdp] {
        let [one, most] = [1, 10_000].map(|services| p50(&run, backend, Metric::Traversal, services));
        assert!((most / one - 1.0).abs() < 0.15, "{backend:?}: {one} at N = 1, {most} at N = 10,000");
        let added = p50(&run, backend, Metric::Added, 1_000);
        assert!(added <= nftables / 2.0, "{backend:?} adds {added}, nftables {nftables}");
    }
}
