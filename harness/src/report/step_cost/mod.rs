//! What a counted step of the models costs: instructions of a run's cells over the steps that a model counts for the same services and
//! packets.

mod words;

use std::collections::BTreeMap;
use std::fmt;

use curve_stats::{Prediction, StatsError, predict};
use datapath_sim::{StepKind, Steps};

use crate::result::{
    Axes, BackendKind, Bracket, Curve, CurveKey, Flow, Metric, Position, RunFile, Unit, VenueKind, name, subject,
};
use crate::run::plan::Setup;
use crate::venue::sim::{CountedCell, Model, NotCounted, count_steps};
use crate::workload::{Protocol, VipLayout};

pub use words::model;
pub(super) use words::{COLUMNS, INTRO, TITLE, Words, rule};

/// Fewest cells that a cost is told from.
const FEWEST: usize = 3;

/// Steps of a kind that differ by no more than this share of a packet's steps are taken as the same: the median packet falls on either of
/// two endpoints, whose rules differ by one.
const SAME: f64 = 0.05;

/// What the cells of one prediction share: everything but N, VIP layout and position. Kernels of one backend follow each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepSubject {
    /// Datapath.
    pub backend: BackendKind,
    /// Between which hooks.
    pub bracket: Bracket,
    /// Protocol.
    pub protocol: Protocol,
    /// M.
    pub endpoints: u32,
    /// Kernel release.
    pub kernel: String,
}

/// Which steps differ between the cells of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Varying {
    /// None.
    Nothing,
    /// Those of one kind.
    One(StepKind),
    /// Those of several kinds, which are added.
    Several,
}

/// What a step costs a subject, and how well steps predict its instructions.
#[derive(Debug, Clone, PartialEq)]
pub struct StepCost {
    /// Whose cells.
    pub subject: StepSubject,
    /// How many.
    pub cells: usize,
    /// What is counted.
    pub varying: Varying,
    /// Fewest and most of that in a cell; of all steps where nothing varies.
    pub counted: [u64; 2],
    /// Instructions of a cell over what is counted.
    pub prediction: Prediction,
}

/// Why a subject has no cost of a step.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NoStepCost {
    /// No release that tells IPVS's table.
    #[error("which of IPVS's two tables this kernel has cannot be told from its release")]
    Release,
    /// Not the run's own services.
    #[error("its services are imported, and a run's file does not hold them")]
    Imported,
    /// Too few cells.
    #[error("{cells} cells are too few: at least {FEWEST}")]
    TooFew {
        /// How many there are.
        cells: usize,
    },
    /// No steps.
    #[error("{0}")]
    NotCounted(String),
    /// No prediction.
    #[error(transparent)]
    Stats(#[from] StatsError),
}

/// What steps cost in a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StepCosts {
    /// By backend and kernel.
    pub costs: Vec<StepCost>,
    /// Subjects without one.
    pub left_out: Vec<(StepSubject, NoStepCost)>,
}

impl fmt::Display for StepSubject {
    /// E.g. `ebpf-tc (xdp bracket), TCP, M = 2, kernel 6.1.0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backend, bracket, protocol, endpoints, kernel } = self;
        let (backend, protocol) = (subject(*backend, *bracket), name(protocol).to_uppercase());
        write!(f, "{backend}, {protocol}, M = {endpoints}, kernel {kernel}")
    }
}

impl StepCosts {
    /// A line for each subject that has no cost.
    pub(super) fn left_out_in_words(&self) -> impl Iterator<Item = String> + '_ {
        self.left_out.iter().map(|(subject, why)| format!("No cost of a step for {subject}: {why}."))
    }
}

/// A cell, and the median of its packets.
struct Measured {
    cell: CountedCell,
    instructions: f64,
}

/// What steps cost on each kernel of the deterministic vm. A cell is the median traversal of new flows to the first, middle or last
/// service: random services are no two alike, and no service takes another way.
#[must_use]
pub fn step_costs(run: &RunFile) -> StepCosts {
    let (mut measured, mut left_out) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::new());
    for curve in run.curves.iter().filter(|curve| is_counted(run, &curve.key)) {
        let subject = subject_of(&curve.key);
        match model_of(&curve.key) {
            Ok(model) => measured.entry(subject).or_default().extend(cells(model, curve)),
            Err(why) => _ = left_out.insert(subject, why),
        }
    }
    let mut found = StepCosts { costs: Vec::new(), left_out: left_out.into_iter().collect() };
    let cells: Vec<_> = measured.values().flatten().map(|measured| measured.cell).collect();
    let steps = count_steps(&run.plan.common(), &cells);
    for (subject, measured) in measured {
        match cost(&subject, &measured, &steps) {
            Ok(cost) => found.costs.push(cost),
            Err(why) => found.left_out.push((subject, why)),
        }
    }
    found
}

/// Whether a curve counts instructions of what a model counts steps of. Maglev's tables are left out: those of 10,000 services would take
/// a report's memory.
fn is_counted(run: &RunFile, key: &CurveKey) -> bool {
    let measured = (key.axes.venue, key.unit, key.metric, key.axes.flow)
        == (VenueKind::Vm, Unit::Instructions, Metric::Traversal, Flow::New);
    let ebpf = matches!(key.axes.backend, BackendKind::EbpfTc | BackendKind::EbpfXdp);
    let one_service = matches!(key.axes.position, Position::First | Position::Middle | Position::Last);
    let modelled = key.axes.backend.balances() && (!ebpf || run.plan.endpoint_choice.is_default());
    measured && one_service && modelled && key.axes.endpoints > 0
}

fn subject_of(key: &CurveKey) -> StepSubject {
    let Axes { backend, bracket, protocol, endpoints, .. } = key.axes;
    StepSubject { backend, bracket, protocol, endpoints, kernel: key.axes.kernel.clone() }
}

/// The model that counts a curve's steps: only IPVS needs to know which.
fn model_of(key: &CurveKey) -> Result<Model, NoStepCost> {
    match key.axes.backend {
        _ if key.axes.layout == VipLayout::Imported => Err(NoStepCost::Imported),
        BackendKind::Ipvs => Model::of_release(&key.axes.kernel).ok_or(NoStepCost::Release),
        _ => Ok(Model::Fixed),
    }
}

/// The points of a curve that can be trusted.
fn cells(model: Model, curve: &Curve) -> impl Iterator<Item = Measured> + '_ {
    let Axes { backend, bracket, layout, protocol, endpoints, position, .. } = curve.key.axes;
    curve.points.iter().filter(|point| point.suspect.is_none()).map(move |point| {
        let setup = Setup { backend, bracket, layout, protocol, services: point.services, endpoints };
        Measured { cell: CountedCell { model, setup, position }, instructions: point.p50 }
    })
}

fn cost(
    subject: &StepSubject,
    measured: &[Measured],
    steps: &BTreeMap<CountedCell, Result<Steps, NotCounted>>,
) -> Result<StepCost, NoStepCost> {
    if measured.len() < FEWEST {
        return Err(NoStepCost::TooFew { cells: measured.len() });
    }
    let mut points = Vec::with_capacity(measured.len());
    for Measured { cell, instructions } in measured {
        // Each cell has been counted, or has its reason.
        let Some(counted) = steps.get(cell) else { continue };
        let counted = counted.clone().map_err(|error| NoStepCost::NotCounted(error.to_string()))?;
        points.push((known(cell.model, counted), *instructions));
    }
    let varying = varying(&points);
    let count = |steps: &Steps| match varying {
        Varying::Nothing => 0,
        Varying::One(kind) => steps.of(kind),
        Varying::Several => steps.total(),
    };
    let prediction = predict(&Vec::from_iter(points.iter().map(|(steps, y)| (count(steps) as f64, *y))))?;
    let shown = points.iter().map(|(steps, _)| if varying == Varying::Nothing { steps.total() } else { count(steps) });
    let counted = [shown.clone().min().unwrap_or(0), shown.max().unwrap_or(0)];
    Ok(StepCost { subject: subject.clone(), cells: measured.len(), varying, counted, prediction })
}

/// What the model can know of a cell: the key of the resizable table's hash is the kernel's draw, and with it who shares a bucket.
fn known(model: Model, mut steps: Steps) -> Steps {
    if model == Model::Resizable {
        steps.service_entries = 0;
    }
    steps
}

fn varying(points: &[(Steps, f64)]) -> Varying {
    let range = |count: &dyn Fn(&Steps) -> u64| {
        let counts = points.iter().map(|(steps, _)| count(steps));
        (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0))
    };
    let (fewest, _) = range(&Steps::total);
    let differs = |kind: &StepKind| {
        let (fewest_of_kind, most) = range(&|steps| steps.of(*kind));
        (most - fewest_of_kind) as f64 > SAME * fewest as f64
    };
    match StepKind::ALL.into_iter().filter(differs).collect::<Vec<_>>()[..] {
        [] => Varying::Nothing,
        [kind] => Varying::One(kind),
        _ => Varying::Several,
    }
}
