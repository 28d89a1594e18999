//! A synthetic run on every axis, of any size: several kernels, M, positions, layouts and flows, from formulas and a seed.

use lbcurve::result::{BackendKind, Cell, Flow, Position, TrialKind, TrialRecord, Unit, VenueKind, encode_histogram};
use lbcurve::workload::{Protocol, VipLayout};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use hdrhistogram::Histogram;
use lbcurve::result::Quantiles;

const BALANCERS: [BackendKind; 4] =
    [BackendKind::IptablesLegacy, BackendKind::IptablesNft, BackendKind::Ipvs, BackendKind::Nftables];
const BASELINES: [BackendKind; 2] = [BackendKind::Direct, BackendKind::DirectConntrack];
const POSITIONS: [Position; 5] =
    [Position::First, Position::Middle, Position::Last, Position::Random, Position::Missing];
/// Histograms of a cell that differ; its trials take them in turn, so that a run of 100,000 trials is made in seconds.
const DISTINCT: u32 = 5;
const PACKETS: u32 = 500;

/// How large a run is.
pub(crate) struct Size<'a> {
    pub(crate) kernels: &'a [&'a str],
    pub(crate) services: &'a [u32],
    pub(crate) trials: u32,
}

/// 1,008 cells and 100,800 trials.
pub(crate) const THOUSAND_CELLS: Size<'static> = Size {
    kernels: &["6.1.0-50-amd64", "6.12.48-amd64"],
    services: &[1, 3, 10, 30, 100, 300, 1000, 3000, 10_000],
    trials: 100,
};

/// Every axis, small enough for a test: 560 cells, 3,360 trials.
pub(crate) const EVERY_AXIS: Size<'static> =
    Size { kernels: &["6.1.0-50-amd64", "6.12.48-amd64"], services: &[1, 10, 100, 1000, 10_000], trials: 6 };

/// The cells of a run, in order.
pub(crate) fn cells(size: &Size<'_>) -> Vec<Cell> {
    let mut cells = Vec::new();
    for kernel in size.kernels {
        for services in size.services {
            let mut push = |backend, flow, position, endpoints, layout| {
                let cell = super::cell(backend, *services, flow, position);
                cells.push(Cell { kernel: (*kernel).into(), endpoints, layout, protocol: Protocol::Udp, ..cell });
            };
            for flow in [Flow::New, Flow::Established] {
                BASELINES.iter().for_each(|b| push(*b, flow, Position::Missing, 2, VipLayout::Sequential));
            }
            for backend in BALANCERS {
                let worst = if backend == BackendKind::Ipvs { Position::First } else { Position::Last };
                for endpoints in [2, 10] {
                    POSITIONS.iter().for_each(|p| push(backend, Flow::New, *p, endpoints, VipLayout::Sequential));
                }
                push(backend, Flow::Established, worst, 2, VipLayout::Sequential);
                for layout in [VipLayout::Random, VipLayout::Stride256] {
                    push(backend, Flow::New, worst, 2, layout);
                }
            }
        }
    }
    cells.sort();
    cells
}

/// Median traversal of a cell.
fn middle(cell: &Cell) -> f64 {
    let services = f64::from(cell.services);
    let (base, slope) = match cell.backend {
        BackendKind::Direct => (1933.0, 0.0),
        BackendKind::DirectConntrack => (4100.0, 0.0),
        BackendKind::IptablesLegacy => (9800.0, 26.0),
        BackendKind::IptablesNft => (11_100.0, 98.0),
        BackendKind::Ipvs if cell.layout == VipLayout::Stride256 => (15_200.0, 13.0),
        BackendKind::Ipvs => (15_200.0, 0.05),
        BackendKind::Nftables => (9600.0, 0.01),
        BackendKind::EbpfTc | BackendKind::EbpfXdp => (3400.0, 0.0),
    };
    let reach = match cell.position {
        Position::First if cell.backend != BackendKind::Ipvs => 0.0,
        Position::Middle | Position::Random => 0.5,
        _ => 1.0,
    };
    let newer = if cell.kernel.starts_with("6.1.") { 1.0 } else { 0.96 };
    let walked = if cell.flow == Flow::New { slope * reach * services } else { 0.0 };
    let opened = if cell.flow == Flow::New { base } else { 2600.0 + base / 10.0 };
    newer * (opened + walked) + 35.0 * f64::from(cell.endpoints.min(10) - 2)
}

/// The trials of one cell.
pub(crate) fn trials_of(cell: &Cell, trials: u32, rng: &mut ChaCha8Rng) -> Vec<TrialRecord> {
    let middle = middle(cell);
    let distinct: Vec<_> = (0..DISTINCT.min(trials)).map(|_| shape(middle, rng)).collect();
    let record = |trial: u32| {
        let (quantiles, histogram) = distinct[(trial % DISTINCT) as usize].clone();
        let (kind, unit, packets) = (TrialKind::Traversal, Unit::Instructions, u64::from(PACKETS));
        let cell = cell.clone();
        let (mismatched, lost, misdirected) = (0, 0, 0);
        TrialRecord { cell, kind, trial, unit, packets, mismatched, lost, misdirected, quantiles, histogram }
    };
    (0..trials).map(record).collect()
}

/// Packets round a median, with a tail to the right.
fn shape(middle: f64, rng: &mut ChaCha8Rng) -> (Quantiles, String) {
    let centre = middle * (1.0 + 0.01 * (rng.random::<f64>() - 0.5));
    let mut histogram = Histogram::<u64>::new(3).unwrap();
    for _ in 0..PACKETS {
        let tail = -(1.0 - rng.random::<f64>()).ln();
        histogram.record((centre * (0.985 + 0.02 * tail)) as u64).unwrap();
    }
    let at = |quantile| histogram.value_at_quantile(quantile);
    let min = histogram.min();
    let quantiles = Quantiles { min, p10: at(0.1), p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999) };
    (quantiles, encode_histogram(&histogram).unwrap())
}

/// Every trial of a run.
pub(crate) fn trials(size: &Size<'_>) -> Vec<TrialRecord> {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    cells(size).iter().flat_map(|cell| trials_of(cell, size.trials, &mut rng)).collect()
}

/// The run, and the trials that it is made of.
pub(crate) fn run(size: &Size<'_>) -> (lbcurve::result::RunFile, Vec<TrialRecord>) {
    let trials = trials(size);
    let mut manifest = super::manifest(&trials);
    let plan = &mut manifest.plan;
    (plan.services, plan.trials, plan.packets) = (size.services.to_vec(), size.trials, u64::from(PACKETS));
    (plan.endpoints, plan.venues) = (vec![2, 10], vec![VenueKind::Vm]);
    plan.backends = BALANCERS.to_vec();
    let run =
        lbcurve::result::assemble(manifest, &trials, &super::programming(), &super::throughput(), &super::skipped());
    (run.unwrap(), trials)
}
