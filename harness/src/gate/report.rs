//! What a gate found, cell by cell: the one thing that all its outputs are rendered from.

use std::fmt;

use serde::Serialize;

use super::GateVerdict;
use crate::result::{Cell, Metric, Unit};

/// Which of a trial's quantiles a gate looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statistic {
    /// Exact minimum.
    Min,
    /// 10th percentile.
    P10,
    /// Median.
    P50,
}

/// What was gated against what: label and value, in the order of showing.
pub type Facts = Vec<(String, String)>;

/// What a gate found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateReport {
    /// Over everything.
    pub verdict: GateVerdict,
    /// What was gated, kernel, seeds, floor and the like.
    pub facts: Facts,
    /// What a reader must know before trusting the verdict; for an invalid environment, what is wrong and the remedy.
    pub notes: Vec<String>,
    /// Every cell that was judged, in the order of measuring.
    pub cells: Vec<CellReport>,
}

/// One cell and metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellReport {
    /// The cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// What was measured in it.
    pub metric: Metric,
    /// Unit of every value.
    pub unit: Unit,
    /// Over its statistics.
    pub verdict: GateVerdict,
    /// Why, in words.
    pub reason: String,
    /// What was compared.
    pub statistics: Vec<StatisticReport>,
}

/// One statistic of a cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatisticReport {
    /// Which.
    pub statistic: Statistic,
    /// Baseline values: one a seed, or one a round.
    pub baseline: Vec<f64>,
    /// Candidate values.
    pub candidate: Vec<f64>,
    /// Candidate over baseline; none where a ratio has no meaning (a baseline of nothing or less).
    pub ratio: Option<f64>,
    /// Interval or range of the ratio, where the gate has one.
    pub interval: Option<[f64; 2]>,
    /// Two-sided p after correction, where the gate tests.
    pub p: Option<f64>,
    /// The verdict.
    pub verdict: GateVerdict,
    /// Why, in words.
    pub reason: String,
}

impl GateReport {
    /// A report that says only why nothing can be concluded here.
    pub fn invalid(facts: Facts, reasons: Vec<String>) -> Self {
        Self { verdict: GateVerdict::InvalidEnvironment, facts, notes: reasons, cells: Vec::new() }
    }

    /// How many cells came to `verdict`.
    pub fn count(&self, verdict: GateVerdict) -> usize {
        self.cells.iter().filter(|cell| cell.verdict == verdict).count()
    }

    /// Cells that did not pass, the gravest first, and within a verdict the largest change first.
    pub fn notable(&self) -> Vec<&CellReport> {
        let grave = |cell: &CellReport| match cell.verdict {
            GateVerdict::InvalidEnvironment => 0,
            GateVerdict::Regression => 1,
            GateVerdict::Inconclusive => 2,
            GateVerdict::Improvement => 3,
            GateVerdict::Pass => 4,
        };
        let mut cells: Vec<_> = self.cells.iter().filter(|cell| cell.verdict != GateVerdict::Pass).collect();
        cells.sort_by(|a, b| grave(a).cmp(&grave(b)).then(b.change().total_cmp(&a.change())));
        cells
    }
}

impl CellReport {
    /// The ratio that a line shows: of the median, else of what there is.
    pub fn headline(&self) -> Option<&StatisticReport> {
        let median = self.statistics.iter().find(|row| row.statistic == Statistic::P50);
        median.or_else(|| self.statistics.last())
    }

    fn change(&self) -> f64 {
        self.headline().and_then(|row| row.ratio).map_or(0.0, |ratio| (ratio - 1.0).abs())
    }

    /// Cell and metric in a line, without the venue and kernel that all cells of a gate share.
    pub fn label(&self) -> String {
        let Cell { venue: _, kernel: _, backend, bracket, layout, protocol, services, endpoints, flow, position } =
            &self.cell;
        use crate::result::{name, subject};
        format!(
            "{} {} {} N={services} M={endpoints} {} {} {}",
            subject(*backend, *bracket),
            name(layout),
            name(protocol),
            name(flow),
            name(position),
            self.metric
        )
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Min => "min",
            Self::P10 => "p10",
            Self::P50 => "p50",
        })
    }
}
