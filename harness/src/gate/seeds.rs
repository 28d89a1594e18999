//! What the runs of several seeds measured: a value a seed for every cell, metric and statistic. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Statistic;
use crate::result::{Cell, Curve, Metric, Point, RunFile, Unit};

/// A cell and metric of several seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedValues {
    /// The cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// What was measured in it.
    pub metric: Metric,
    /// Unit of the values.
    pub unit: Unit,
    /// The median over a seed's trials of their minimum, seed by seed.
    pub min: Vec<f64>,
    /// The same of the 10th percentile.
    pub p10: Vec<f64>,
    /// The same of the median.
    pub p50: Vec<f64>,
}

/// What several seeds measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    /// Every cell and metric, in order.
    pub cells: Vec<SeedValues>,
    /// Cells whose packets went astray in some seed, and how.
    pub suspects: BTreeMap<(Cell, Metric), String>,
}

impl SeedValues {
    /// Values of one statistic, seed by seed.
    pub fn of(&self, statistic: Statistic) -> &[f64] {
        match statistic {
            Statistic::Min => &self.min,
            Statistic::P10 => &self.p10,
            Statistic::P50 => &self.p50,
        }
    }

    /// Statistics that a gate looks at: upper percentiles move with the seed, see METHODOLOGY.md.
    pub const STATISTICS: [Statistic; 3] = [Statistic::Min, Statistic::P10, Statistic::P50];

    fn add(&mut self, point: &Point) {
        self.min.push(point.min);
        self.p10.push(point.p10);
        self.p50.push(point.p50);
    }
}

impl Measured {
    /// Collects the `traversal` of every cell and the `added` of every load balancer, from a run a seed.
    pub fn of(runs: &[RunFile]) -> Self {
        let mut cells = BTreeMap::<(Cell, Metric), SeedValues>::new();
        let mut suspects = BTreeMap::new();
        let curves = runs.iter().flat_map(|run| &run.curves).filter(|curve| is_gated(curve));
        for (curve, point) in curves.flat_map(|curve| curve.points.iter().map(move |point| (curve, point))) {
            let (cell, metric, unit) = (curve.key.axes.cell(point.services), curve.key.metric, curve.key.unit);
            if let Some(reason) = &point.suspect {
                suspects.insert((cell.clone(), metric), reason.clone());
            }
            let empty = SeedValues { cell: cell.clone(), metric, unit, min: vec![], p10: vec![], p50: vec![] };
            cells.entry((cell, metric)).or_insert(empty).add(point);
        }
        Self { cells: cells.into_values().collect(), suspects }
    }
}

/// The floor is the probe's, and what `direct` adds to conntrack is less than nothing.
fn is_gated(curve: &Curve) -> bool {
    match curve.key.metric {
        Metric::Traversal => true,
        Metric::Added => curve.key.axes.backend.balances(),
        Metric::Floor => false,
    }
}
