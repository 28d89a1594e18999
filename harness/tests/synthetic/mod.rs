//! A synthetic run for tests: its numbers come from formulas and a seed, not from a kernel.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

// Every test is a program of its own and uses a part of this.
#[expect(clippy::allow_attributes, reason = "which parts are unused differs by test")]
#[allow(dead_code)]
pub(crate) mod any;
#[expect(clippy::allow_attributes, reason = "which parts are unused differs by test")]
#[allow(dead_code)]
pub(crate) mod experiments;
#[expect(clippy::allow_attributes, reason = "which parts are unused differs by test")]
#[allow(dead_code)]
pub(crate) mod large;

use hdrhistogram::Histogram;
use lbcurve::result::{
    BackendKind, Bracket, Cell, Environment, Finding, Flow, Frequency, KernelUnderTest, LoopReading, Manifest,
    NoiseVerdict, Plan, PlannedCell, Position, Preflight, ProgrammingOp, ProgrammingRecord, Quantiles, Readings,
    RunFile, SkippedCell, ThroughputRecord, TrialKind, TrialRecord, Unit, VenueKind, assemble, encode_histogram,
};
use lbcurve::workload::{AddressPlan, EndpointChoice, Protocol, VipLayout};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(crate) const VM_KERNEL: &str = "6.1.0-50-amd64";
pub(crate) const HOST_KERNEL: &str = "6.18.5";
const TRIALS: u32 = 5;

/// Median of a traversal: `base + slope * N`.
struct Shape {
    backend: BackendKind,
    layout: VipLayout,
    flow: Flow,
    position: Position,
    base: f64,
    slope: f64,
}

const fn shape(backend: BackendKind, flow: Flow, position: Position, base: f64, slope: f64) -> Shape {
    Shape { backend, layout: VipLayout::Sequential, flow, position, base, slope }
}

const SHAPES: [Shape; 17] = [
    shape(BackendKind::Direct, Flow::New, Position::Missing, 1933.0, 0.0),
    shape(BackendKind::Direct, Flow::Established, Position::Missing, 1930.0, 0.0),
    shape(BackendKind::DirectConntrack, Flow::New, Position::Missing, 4100.0, 0.0),
    shape(BackendKind::DirectConntrack, Flow::Established, Position::Missing, 2600.0, 0.0),
    shape(BackendKind::IptablesLegacy, Flow::New, Position::First, 7800.0, 0.02),
    shape(BackendKind::IptablesLegacy, Flow::New, Position::Last, 7800.0, 26.0),
    shape(BackendKind::IptablesLegacy, Flow::Established, Position::Last, 2900.0, 0.0),
    shape(BackendKind::IptablesNft, Flow::New, Position::Last, 9100.0, 98.0),
    shape(BackendKind::IptablesNft, Flow::Established, Position::Last, 3300.0, 0.0),
    shape(BackendKind::Ipvs, Flow::New, Position::First, 4600.0, 0.05),
    shape(BackendKind::Ipvs, Flow::New, Position::Last, 4580.0, 0.02),
    shape(BackendKind::Ipvs, Flow::Established, Position::First, 3050.0, 0.0),
    shape(BackendKind::Nftables, Flow::New, Position::First, 8600.0, 0.04),
    shape(BackendKind::Nftables, Flow::New, Position::Last, 8640.0, 0.04),
    shape(BackendKind::Nftables, Flow::Established, Position::Last, 3400.0, 0.0),
    Shape {
        backend: BackendKind::Ipvs,
        layout: VipLayout::Stride256,
        flow: Flow::New,
        position: Position::First,
        base: 4600.0,
        slope: 13.0,
    },
    shape(BackendKind::IptablesLegacy, Flow::New, Position::Middle, 7800.0, 13.0),
];

pub(crate) fn cell(backend: BackendKind, services: u32, flow: Flow, position: Position) -> Cell {
    Cell {
        venue: VenueKind::Vm,
        kernel: VM_KERNEL.into(),
        backend,
        bracket: Bracket::Tc,
        layout: VipLayout::Sequential,
        protocol: Protocol::Udp,
        services,
        endpoints: 2,
        flow,
        position,
    }
}

/// A trial whose quantiles sit round `median`.
pub(crate) fn trial(cell: Cell, kind: TrialKind, trial: u32, unit: Unit, median: u64) -> TrialRecord {
    let at = |share: u64| median * share / 1000;
    let quantiles = Quantiles { min: at(980), p10: at(990), p50: median, p90: at(1040), p99: at(1200), p999: at(1500) };
    let mut histogram = Histogram::<u64>::new(3).unwrap();
    histogram.record_n(median, 2000).unwrap();
    TrialRecord {
        cell,
        kind,
        trial,
        unit,
        packets: 2000,
        mismatched: 0,
        lost: 0,
        misdirected: 0,
        quantiles,
        histogram: encode_histogram(&histogram).unwrap(),
    }
}

fn vm_trials(rng: &mut ChaCha8Rng) -> Vec<TrialRecord> {
    let mut trials = Vec::new();
    for shape in &SHAPES {
        for services in [1, 10, 100, 1000] {
            for index in 0..TRIALS {
                let wiggle = 1.0 + 0.002 * rng.random::<f64>();
                let median = (shape.base + shape.slope * f64::from(services)) * wiggle;
                let mut cell = cell(shape.backend, services, shape.flow, shape.position);
                cell.layout = shape.layout;
                trials.push(trial(cell, TrialKind::Traversal, index, Unit::Instructions, median as u64));
            }
        }
    }
    let floor = cell(BackendKind::Direct, 1, Flow::New, Position::Missing);
    trials.extend((0..TRIALS).map(|i| trial(floor.clone(), TrialKind::Floor, i, Unit::Instructions, 212)));
    trials
}

fn host_trials(rng: &mut ChaCha8Rng) -> Vec<TrialRecord> {
    let kinds = [
        (BackendKind::Direct, Position::Missing, 600.0, 0.0),
        (BackendKind::DirectConntrack, Position::Missing, 1250.0, 0.0),
        (BackendKind::IptablesLegacy, Position::Last, 3500.0, 4.6),
        (BackendKind::IptablesNft, Position::Last, 4000.0, 23.0),
        (BackendKind::Nftables, Position::Last, 2700.0, 0.01),
    ];
    let mut trials = Vec::new();
    for (backend, position, base, slope) in kinds {
        for services in [1, 10, 100, 1000, 10_000] {
            if backend == BackendKind::Nftables && services > 2000 {
                continue;
            }
            for index in 0..10 {
                let noise = 1.0 + 0.2 * (rng.random::<f64>() - 0.5);
                let median = (base + slope * f64::from(services)) * noise;
                let mut cell = cell(backend, services, Flow::New, position);
                (cell.venue, cell.kernel) = (VenueKind::Host, HOST_KERNEL.into());
                trials.push(trial(cell, TrialKind::Traversal, index, Unit::Ns, median as u64));
            }
        }
    }
    let mut floor = cell(BackendKind::Direct, 1, Flow::New, Position::Missing);
    (floor.venue, floor.kernel) = (VenueKind::Host, HOST_KERNEL.into());
    trials.extend((0..TRIALS).map(|i| trial(floor.clone(), TrialKind::Floor, i, Unit::Ns, 41)));
    trials
}

/// Trials of both venues; one point of iptables-nft lost packets.
pub(crate) fn trials() -> Vec<TrialRecord> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut trials = vm_trials(&mut rng);
    trials.extend(host_trials(&mut rng));
    let lossy = |t: &&mut TrialRecord| t.cell.backend == BackendKind::IptablesNft && t.cell.services == 100;
    if let Some(trial) = trials.iter_mut().find(lossy) {
        trial.lost = 3;
    }
    trials
}

pub(crate) fn programming() -> Vec<ProgrammingRecord> {
    let rates = [
        (BackendKind::IptablesLegacy, 290_000, 0.5),
        (BackendKind::IptablesNft, 570_000, 0.7),
        (BackendKind::Nftables, 720_000, 0.8),
    ];
    let mut records = Vec::new();
    for (backend, per_service, share) in rates {
        for services in [1_u32, 10, 100, 1000] {
            for op in [ProgrammingOp::FromNothing, ProgrammingOp::AddService, ProgrammingOp::ChangeEndpoint] {
                let work = if op == ProgrammingOp::FromNothing { services } else { services / 4 + 1 };
                let total = 4_000_000 + per_service * u64::from(work);
                let kernel_time = (total as f64 * share) as u64;
                records.push(ProgrammingRecord {
                    venue: VenueKind::Host,
                    kernel: HOST_KERNEL.into(),
                    backend,
                    layout: VipLayout::Sequential,
                    protocol: Protocol::Udp,
                    services,
                    endpoints: 2,
                    op,
                    trial: 0,
                    unit: Unit::Ns,
                    total,
                    user: total - kernel_time,
                    kernel_time,
                    memory: None,
                });
            }
        }
    }
    records
}

pub(crate) fn throughput() -> Vec<ThroughputRecord> {
    let kinds = [(BackendKind::Direct, 690_000.0, 0.0), (BackendKind::IptablesLegacy, 310_000.0, 240.0)];
    let mut records = Vec::new();
    for (backend, rate, fall) in kinds {
        for services in [1, 10, 100, 1000] {
            for trial in 0..3 {
                let mut cell = cell(backend, services, Flow::New, Position::Last);
                (cell.venue, cell.kernel) = (VenueKind::Host, HOST_KERNEL.into());
                let forwarded_pps = rate - fall * f64::from(services) + 1000.0 * f64::from(trial);
                records.push(ThroughputRecord {
                    cell,
                    trial,
                    offered_pps: 1_100_000.0,
                    forwarded_pps,
                    forwarded: forwarded_pps as u64,
                    offered: 1_100_000,
                    misdirected: 0,
                });
            }
        }
    }
    records
}

pub(crate) fn skipped() -> Vec<SkippedCell> {
    let mut cell = cell(BackendKind::Nftables, 10_000, Flow::New, Position::Last);
    (cell.venue, cell.kernel) = (VenueKind::Host, HOST_KERNEL.into());
    let reason = "would hold a CPU in the kernel for more than a minute; --allow-slow runs it".into();
    vec![SkippedCell { cell, reason }]
}

fn preflight() -> Preflight {
    let on = |cpu| LoopReading { cpu, repetitions: 400, median_us: 1000.0, slowest_us: 1200.0, variation: 0.015 };
    let finding = |reading: &str, advice: &str| Finding { reading: reading.into(), points: 10, advice: advice.into() };
    Preflight {
        score: 80,
        verdict: NoiseVerdict::Noisy,
        readings: Readings {
            watched_ms: 1100.0,
            cpus: 2,
            virtual_machine: true,
            steal: 0.004,
            waited: Some(0.002),
            voluntary_switches: 1.0,
            involuntary_switches: 5.0,
            interrupts: 300.0,
            soft_interrupts: 250.0,
            load_average: 0.2,
            runnable: 0.1,
            frequency: Frequency { governor: None, lowest_mhz: Some(2600.0), highest_mhz: Some(2600.0) },
            loops: vec![on(0), on(1)],
        },
        findings: vec![
            finding("virtual-machine", "this is a virtual machine"),
            finding("cpus", "2 CPUs leave none to the machine's own work"),
        ],
    }
}

pub(crate) fn environment() -> Environment {
    let kernel = |venue, release: &str, unit| KernelUnderTest {
        venue,
        release: release.into(),
        version: "#1 SMP PREEMPT_DYNAMIC".into(),
        unit,
        emulated: false,
    };
    Environment {
        lbcurve_version: "0.1.0".into(),
        date: "2026-01-01T00:00:00Z".into(),
        kernels: vec![
            kernel(VenueKind::Host, HOST_KERNEL, Unit::Ns),
            kernel(VenueKind::Vm, VM_KERNEL, Unit::Instructions),
        ],
        cpu_model: "Synthetic CPU".into(),
        cpus: 2,
        memory_bytes: 8 << 30,
        virtualisation: Some("kvm".into()),
        distribution: "Debian GNU/Linux 12 (bookworm)".into(),
        tools: [("iptables", "1.8.9"), ("nft", "1.0.6"), ("qemu-system-x86_64", "7.2.22")]
            .map(|(tool, version)| (tool.into(), version.into()))
            .into(),
        ebpf_object_sha256: "0f".repeat(32),
        preflight: Some(preflight()),
        command: "lbcurve run --preset quick --seed 7".into(),
    }
}

/// The same run on a vm whose machine is emulated, and whose time passes by itself.
#[expect(clippy::allow_attributes, reason = "which parts are unused differs by test")]
#[allow(dead_code)]
pub(crate) fn emulated(mut manifest: Manifest) -> Manifest {
    for kernel in manifest.environment.kernels.iter_mut().filter(|kernel| kernel.venue == VenueKind::Vm) {
        (kernel.unit, kernel.emulated) = (Unit::Ns, true);
    }
    manifest
}

pub(crate) fn manifest(trials: &[TrialRecord]) -> Manifest {
    let mut cells: Vec<_> =
        trials.iter().map(|trial| PlannedCell { cell: trial.cell.clone(), boot: Some(0) }).collect();
    cells.sort();
    cells.dedup();
    let plan = Plan {
        preset: Some("quick".into()),
        seed: 7,
        venues: vec![VenueKind::Host, VenueKind::Vm],
        backends: vec![BackendKind::IptablesLegacy, BackendKind::Ipvs],
        services: vec![1, 10, 100, 1000],
        endpoints: vec![2],
        layouts: vec![VipLayout::Sequential, VipLayout::Stride256],
        protocols: vec![Protocol::Udp],
        flows: vec![Flow::New, Flow::Established],
        positions: vec![Position::First, Position::Last],
        trials: TRIALS,
        packets: 2000,
        deterministic: true,
        allow_slow: false,
        scheduler: None,
        decisions: None,
        fairness: None,
        connections: Vec::new(),
        rates: None,
        reachability: false,
        packet_sizes: Vec::new(),
        new_shares: Vec::new(),
        self_test_ballast: None,
        self_test_bias: None,
        endpoint_choice: EndpointChoice::default(),
        cluster: None,
        addresses: AddressPlan::default(),
        cells,
    };
    Manifest { environment: environment(), plan }
}

/// The whole synthetic run.
pub(crate) fn run() -> RunFile {
    let trials = trials();
    assemble(manifest(&trials), &trials, &programming(), &throughput(), &skipped()).unwrap()
}
