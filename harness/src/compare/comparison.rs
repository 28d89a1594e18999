//! A finished comparison.

use std::collections::BTreeMap;

use curve_stats::{RatioEstimate, geometric_mean};
use schemars::JsonSchema;
use serde::Serialize;

use super::caution::{Caution, cautions};
use super::entry::Entry;
use super::judge::{ALPHA, Judged, judge};
use super::pairing::{Pair, pair};
use super::quantity::{Quantity, Scale};
use super::side::{Compared, Measured, Side, SideLabel};
use super::verdict::Verdict;
use crate::result::{BackendKind, Bracket, Flow, Metric, Position, VenueKind};
use crate::workload::{Protocol, VipLayout};

/// Version of the layout of `lbcurve compare --format json`.
pub const COMPARISON_SCHEMA_VERSION: u32 = 2;

/// Two sides, cell by cell. Every ratio is B over A of the median over trials of p50, of rates of the trial's value.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Comparison {
    /// Version of this layout.
    pub schema_version: u32,
    /// What the sides differ in by intent.
    pub compared: Compared,
    /// The first side.
    pub a: SideLabel,
    /// The second side.
    pub b: SideLabel,
    /// Smallest change that counts, as a share.
    pub floor: f64,
    /// Chance of even one false finding among the tested cells.
    pub alpha: f64,
    /// How many cells came out how.
    pub summary: Summary,
    /// Geometric means over cells.
    pub means: Vec<Mean>,
    /// Every cell of both sides.
    pub rows: Vec<Row>,
    /// What to know before believing it.
    pub cautions: Vec<Caution>,
}

/// Cells by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// B costs less or carries more.
    pub improved: usize,
    /// B costs more or carries less.
    pub regressed: usize,
    /// No difference was found.
    pub no_change: usize,
    /// Nothing can be said.
    pub not_comparable: usize,
}

/// Geometric mean of the ratios of some cells.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Mean {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What is compared: `traversal`, `added`, `rate-no-loss, quick`, `connections, 16`, ...
    pub metric: Quantity,
    /// Datapath; null where backends are compared.
    pub backend: Option<BackendKind>,
    /// Between which hooks.
    #[serde(default, skip_serializing_if = "Bracket::is_tc")]
    pub bracket: Bracket,
    /// Cells behind it.
    pub cells: usize,
    /// B over A.
    pub ratio: f64,
}

/// Where and in what unit a cell was measured; of A, or where A lacks it of B.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Place {
    /// Venue.
    pub venue: VenueKind,
    /// Kernel release; null where kernels are compared.
    pub kernel: Option<String>,
    /// Unit.
    pub unit: Scale,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Row {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What is compared: `traversal`, `added`, `rate-no-loss, quick`, `connections, 16`, ...
    pub metric: Quantity,
    /// Datapath; null where backends are compared.
    pub backend: Option<BackendKind>,
    /// Between which hooks; of A, or where A lacks the cell of B.
    #[serde(default, skip_serializing_if = "Bracket::is_tc")]
    pub bracket: Bracket,
    /// VIP layout.
    pub layout: VipLayout,
    /// Protocol.
    pub protocol: Protocol,
    /// N.
    pub services: u32,
    /// M.
    pub endpoints: u32,
    /// Flow.
    pub flow: Flow,
    /// Position.
    pub position: Position,
    /// What A measured.
    pub a: Option<Measured>,
    /// What B measured.
    pub b: Option<Measured>,
    /// B over A; null where there is none.
    pub ratio: Option<RatioEstimate>,
    /// p of the Mann-Whitney test after Holm's correction; null where none was made.
    pub p: Option<f64>,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Compares two sides. `floor` is the smallest change that counts, as a share: 0.01 is 1%.
#[must_use]
pub fn compare(a: &Side<'_>, b: &Side<'_>, floor: f64) -> Comparison {
    let pairs = pair(a, b);
    let judged = judge(&pairs, floor);
    let mut rows: Vec<Row> =
        pairs.iter().zip(judged).filter_map(|(pair, judged)| row(pair, judged, a.compared)).collect();
    rows.sort_by(|one, other| order(one).cmp(&order(other)));
    Comparison {
        schema_version: COMPARISON_SCHEMA_VERSION,
        compared: a.compared,
        a: a.label(),
        b: b.label(),
        floor,
        alpha: ALPHA,
        summary: summary(&rows),
        means: means(&rows),
        cautions: cautions(a, b, &pairs),
        rows,
    }
}

fn row(pair: &Pair<'_>, judged: Judged, compared: Compared) -> Option<Row> {
    let Entry { axes, scale, .. } = pair.entry()?;
    let kernel = (compared != Compared::Kernels).then(|| axes.kernel.clone());
    let cell = &pair.cell;
    Some(Row {
        place: Place { venue: axes.venue, kernel, unit: *scale },
        metric: cell.quantity,
        backend: cell.backend,
        bracket: axes.bracket,
        layout: cell.layout,
        protocol: cell.protocol,
        services: cell.services,
        endpoints: cell.endpoints,
        flow: cell.flow,
        position: cell.position,
        a: pair.a.as_ref().map(Measured::of),
        b: pair.b.as_ref().map(Measured::of),
        ratio: judged.ratio,
        p: judged.p,
        verdict: judged.verdict,
    })
}

/// The headline metric first, then the axes, N last.
fn order(row: &Row) -> impl Ord {
    let axes =
        (row.bracket, row.backend, row.flow, row.position, row.layout, row.protocol, row.endpoints, row.services);
    (row.place.clone(), headline(row.metric), axes)
}

fn headline(metric: Quantity) -> (bool, Quantity) {
    (metric != Metric::Added, metric)
}

fn summary(rows: &[Row]) -> Summary {
    let mut summary = Summary::default();
    for row in rows {
        *match row.verdict {
            Verdict::Improved => &mut summary.improved,
            Verdict::Regressed => &mut summary.regressed,
            Verdict::NoChange => &mut summary.no_change,
            Verdict::NotComparable { .. } => &mut summary.not_comparable,
        } += 1;
    }
    summary
}

fn means(rows: &[Row]) -> Vec<Mean> {
    let mut groups = BTreeMap::<_, Vec<f64>>::new();
    for row in rows {
        if let Some(estimate) = &row.ratio {
            let group = (row.place.clone(), headline(row.metric), row.bracket, row.backend);
            groups.entry(group).or_default().push(estimate.ratio);
        }
    }
    let mean = |((place, (_, metric), bracket, backend), ratios): (_, Vec<f64>)| {
        // Ratios of estimates are finite and positive, so there is a mean.
        let ratio = geometric_mean(&ratios).ok()?;
        Some(Mean { place, metric, backend, bracket, cells: ratios.len(), ratio })
    };
    groups.into_iter().filter_map(mean).collect()
}
