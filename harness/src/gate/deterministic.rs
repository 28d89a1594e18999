//! The deterministic gate: what several seeds measured now, judged against a baseline. Pure.

use std::collections::{BTreeMap, BTreeSet};

use curve_stats::{StatsError, median};

use super::{CellReport, GateVerdict, Judgement, Measured, SeedValues, Statistic, StatisticReport, judge, of_cell};
use crate::result::{Cell, Metric};

/// Why two sets of seeds cannot be compared at all.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CompareError {
    /// One side lacks a cell of the other.
    #[error("{missing} of {cells} points of the two plans are not on both sides, the first is {first}")]
    OtherCells {
        /// Points on one side only.
        missing: usize,
        /// Points on both together.
        cells: usize,
        /// The first of them.
        first: String,
    },
    /// A cell's values cannot be judged.
    #[error("cannot judge {cell}")]
    Values {
        /// The cell.
        cell: String,
        /// Why.
        #[source]
        source: StatsError,
    },
}

type ByCell<'a> = BTreeMap<(&'a Cell, Metric), &'a SeedValues>;

/// Judges every cell and metric. `floor` is a share of a packet's traversal, for `added` too: what the floor is there to pass over,
/// steps along a hash chain that a seed draws, is of a size with the traversal and not with the part that a load balancer adds.
///
/// # Errors
/// [`CompareError`].
pub fn compare(baseline: &[SeedValues], candidate: &Measured, floor: f64) -> Result<Vec<CellReport>, CompareError> {
    let (before, after) = (by_cell(baseline), by_cell(&candidate.cells));
    same_cells(&before, &after)?;
    let reports = before.iter().map(|(key, values)| {
        let suspect = candidate.suspects.get(&(key.0.clone(), key.1));
        cell(&before, values, after[key], suspect, floor).map_err(|source| {
            let cell = format!("{} {}", key.0, key.1);
            CompareError::Values { cell, source }
        })
    });
    reports.collect()
}

fn by_cell(values: &[SeedValues]) -> ByCell<'_> {
    values.iter().map(|values| ((&values.cell, values.metric), values)).collect()
}

fn same_cells(before: &ByCell<'_>, after: &ByCell<'_>) -> Result<(), CompareError> {
    let (before, after) = (before.keys().collect::<BTreeSet<_>>(), after.keys().collect::<BTreeSet<_>>());
    let mut lone = before.symmetric_difference(&after);
    let Some((cell, metric)) = lone.next() else { return Ok(()) };
    let first = format!("{cell} {metric}");
    Err(CompareError::OtherCells { missing: 1 + lone.count(), cells: before.union(&after).count(), first })
}

fn cell(
    all: &ByCell<'_>,
    before: &SeedValues,
    after: &SeedValues,
    suspect: Option<&String>,
    floor: f64,
) -> Result<CellReport, StatsError> {
    // `added` has a traversal in every run: it was computed from it.
    let whole = all.get(&(&before.cell, Metric::Traversal)).copied().unwrap_or(before);
    let row = |statistic| -> Result<StatisticReport, StatsError> {
        let least = floor * median(whole.of(statistic))?.abs();
        let (baseline, candidate) = (before.of(statistic).to_vec(), after.of(statistic).to_vec());
        let Judgement { verdict, ratio, reason } = judge(&baseline, &candidate, least)?;
        Ok(StatisticReport { statistic, baseline, candidate, ratio, interval: None, p: None, verdict, reason })
    };
    let statistics: Vec<_> = SeedValues::STATISTICS.into_iter().map(row).collect::<Result<_, _>>()?;
    let (verdict, reason) = match suspect {
        None => of_cell(&statistics.iter().map(|row| (row.statistic, row.verdict)).collect::<Vec<_>>()),
        Some(reason) => (GateVerdict::Inconclusive, format!("packets of this cell cannot be trusted: {reason}")),
    };
    let SeedValues { cell, metric, unit, .. } = before.clone();
    Ok(CellReport { cell, metric, unit, verdict, reason, statistics })
}

/// The largest and the smallest ratio of medians over all cells with the cell's name: what a self-test tells of its pairs.
pub fn extremes(cells: &[CellReport]) -> Option<[(f64, String); 2]> {
    let ratios = || {
        cells.iter().filter_map(|cell| {
            let row = cell.statistics.iter().find(|row| row.statistic == Statistic::P50)?;
            Some((row.ratio?, cell.label()))
        })
    };
    let least = ratios().min_by(|a, b| a.0.total_cmp(&b.0))?;
    let most = ratios().max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some([least, most])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::overall;
    use crate::result::{BackendKind, Bracket, Flow, Position, Unit, VenueKind};
    use crate::workload::{Protocol, VipLayout};

    fn values(services: u32, metric: Metric, p50: &[f64]) -> SeedValues {
        let cell = Cell {
            venue: VenueKind::Vm,
            kernel: "6.1".into(),
            backend: BackendKind::Nftables,
            bracket: Bracket::Tc,
            layout: VipLayout::Sequential,
            protocol: Protocol::Tcp,
            services,
            endpoints: 2,
            flow: Flow::New,
            position: Position::Last,
        };
        let below = |by: f64| p50.iter().map(|value| value - by).collect();
        SeedValues { cell, metric, unit: Unit::Instructions, min: below(20.0), p10: below(10.0), p50: p50.to_vec() }
    }

    fn measured(cells: Vec<SeedValues>) -> Measured {
        Measured { cells, ..Measured::default() }
    }

    fn verdict(baseline: &[SeedValues], candidate: Vec<SeedValues>) -> GateVerdict {
        overall(compare(baseline, &measured(candidate), 0.01).unwrap().iter().map(|cell| cell.verdict))
    }

    #[test]
    fn a_traversal_beyond_the_floor_is_a_regression() {
        let baseline = [values(1000, Metric::Traversal, &[37_311.0, 37_311.0, 37_319.0])];
        let now = |by: f64| vec![values(1000, Metric::Traversal, &[37_311.0 + by, 37_319.0 + by, 37_311.0 + by])];
        assert_eq!(verdict(&baseline, now(0.0)), GateVerdict::Pass);
        assert_eq!(verdict(&baseline, now(300.0)), GateVerdict::Pass);
        assert_eq!(verdict(&baseline, now(806.0)), GateVerdict::Regression);
        assert_eq!(verdict(&baseline, now(-806.0)), GateVerdict::Improvement);
    }

    /// Seeds of one plan on Debian's 6.1 moved `added` of nftables by 1.2% of itself and 0.7% of the traversal.
    #[test]
    fn steps_along_a_hash_chain_are_no_regression_of_added() {
        let pair = |added: f64| {
            vec![values(1000, Metric::Traversal, &[added + 4955.0; 3]), values(1000, Metric::Added, &[added; 3])]
        };
        assert_eq!(verdict(&pair(7596.0), pair(7684.0)), GateVerdict::Pass);
        assert_eq!(verdict(&pair(7596.0), pair(7796.0)), GateVerdict::Regression);
    }

    #[test]
    fn packets_astray_make_a_cell_inconclusive() {
        let cells = vec![values(1, Metric::Traversal, &[1000.0; 3])];
        let mut candidate = measured(cells.clone());
        candidate.suspects.insert((cells[0].cell.clone(), Metric::Traversal), "3 packets lost".into());
        let report = compare(&cells, &candidate, 0.01).unwrap().remove(0);
        assert_eq!(report.verdict, GateVerdict::Inconclusive);
        assert!(report.reason.contains("3 packets lost"), "{}", report.reason);
    }

    #[test]
    fn cells_on_one_side_only_are_named() {
        let (one, other) = (values(1, Metric::Traversal, &[1.0; 3]), values(10, Metric::Traversal, &[1.0; 3]));
        let error = compare(&[one], &measured(vec![other]), 0.01).unwrap_err();
        assert!(matches!(&error, CompareError::OtherCells { missing: 2, cells: 2, .. }), "{error}");
        assert!(error.to_string().contains("N=1 M=2"), "{error}");
    }
}
