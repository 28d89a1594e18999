//! Warnings about the trials of a point: one far from the rest, or all moving while the run goes on.
//!
//! Only real time is screened. The deterministic vm repeats itself, and what differs there is the packets, not the machine.

use curve_stats::{Drift, drift, holm, median, outliers};

use super::{Curve, CurveKey, Metric, Point, Unit, Warning};

/// An outlier nearer to its median than this changes no conclusion.
const LEAST_OUTLIER: f64 = 0.10;

/// A drift by less of the median than this changes no conclusion.
const LEAST_DRIFT: f64 = 0.02;

/// Chance of even one warning of drift in a run that has none.
const ALPHA: f64 = 0.05;

/// Warnings about the points of all curves. `added` is left out: what disturbs it shows in the traversals that it is the
/// difference of.
pub(super) fn screened(curves: &[Curve]) -> Vec<Warning> {
    let timed = |key: &CurveKey| key.metric == Metric::Traversal && key.unit == Unit::Ns;
    let points = || {
        let timed = curves.iter().filter(|curve| timed(&curve.key));
        timed.flat_map(|curve| curve.points.iter().map(move |point| (&curve.key, point)))
    };
    let mut warnings: Vec<_> = points().filter_map(|(key, point)| outlier(key, point)).collect();
    let moves: Vec<(_, _, Drift)> =
        points().filter_map(|(key, point)| Some((key, point, drift(&point.values).ok()?))).collect();
    let p: Vec<f64> = moves.iter().map(|(.., drift)| drift.p).collect();
    let adjusted = holm(&p).unwrap_or_default();
    warnings
        .extend(moves.into_iter().zip(adjusted).filter_map(|((key, point, drift), p)| drifts(key, point, &drift, p)));
    warnings
}

fn outlier(key: &CurveKey, point: &Point) -> Option<Warning> {
    let middle = median(&point.values).ok()?;
    let percent = |index: &usize| percent(point.values[*index] - middle, middle);
    let far =
        |index: &usize| percent(index).is_some_and(|percent| percent.unsigned_abs() as f64 >= 100.0 * LEAST_OUTLIER);
    let trials: Vec<usize> = outliers(&point.values).ok()?.into_iter().filter(far).collect();
    let furthest_percent = trials.iter().filter_map(percent).max_by_key(|percent| percent.unsigned_abs())?;
    let trials = trials.iter().filter_map(|index| u32::try_from(*index).ok()).collect();
    Some(Warning::Outlier { cell: key.axes.cell(point.services), trials, of: point.trials, furthest_percent })
}

fn drifts(key: &CurveKey, point: &Point, drift: &Drift, p: f64) -> Option<Warning> {
    let change_percent = percent(drift.change, median(&point.values).ok()?)?;
    let counts = p <= ALPHA && change_percent.unsigned_abs() as f64 >= 100.0 * LEAST_DRIFT;
    counts.then(|| Warning::Drift { cell: key.axes.cell(point.services), trials: point.trials, change_percent })
}

/// A difference in whole per cent of the median; none where that is not positive.
fn percent(difference: f64, middle: f64) -> Option<i64> {
    let percent = 100.0 * difference / middle;
    (middle > 0.0 && percent.is_finite()).then(|| percent.round() as i64)
}
