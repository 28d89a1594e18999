//! The replicate error, pooled over a curve.
//!
//! Noise of a measurement grows with what is measured, so its standard deviation is taken as a share of the value, pooled over all
//! N. Where that is not so (`added` is a difference: its noise is that of what was subtracted, and does not vanish where it does), a
//! part that does not depend on the value is added, `variance = share^2 (offset^2 + value^2)`: the offset is the maximum-likelihood
//! one (each N's sum of squares over its variance is chi-square), and is used when it improves the likelihood by
//! [`OFFSET_GAIN`] in deviance; an offset of zero is the prior because it has one parameter less.

use crate::cells::Cell;

/// Deviance by which an offset must improve the variance function: the 95% point of one parameter more.
const OFFSET_GAIN: f64 = 3.84;

/// Values below this share of the median magnitude are weighted as if they were it: a share of nothing is no noise.
const NEAR_ZERO: f64 = 1e-3;

/// Standard deviations below this share of the curve's largest value are rounding, not noise.
const ROUNDING: f64 = 1e-12;

/// Decades of values over which an offset is looked for; wider ones are not measurements.
const MOST_DECADES: f64 = 20.0;

/// Offsets that are tried, per decade.
const PER_DECADE: i32 = 4;

/// Where the variances come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// The replicate error, the noise floor, or both.
    Known,
    /// Neither: variances are relative to each other only, and their size must come from the residuals of a fit.
    Residuals,
}

/// How well the variances are known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    pub(crate) basis: Basis,
    /// Degrees of freedom behind the variances, infinite where the floor is all there is (Satterthwaite between).
    pub(crate) freedom: f64,
    /// Independent observations that the trials amount to: all of them without a floor, one a cell where they are identical.
    pub(crate) independent: f64,
}

/// Sets the cells' variances.
pub(crate) fn estimate(cells: &mut [Cell], floor: f64) -> Noise {
    let scales = scales(cells);
    // A share of nothing is nothing.
    let nothing = cells.iter().all(|cell| cell.mean == 0.0 && cell.scale.is_none_or(|scale| scale == 0.0));
    let floor = if nothing { 0.0 } else { floor };
    let freedom: f64 = cells.iter().map(|cell| cell.count - 1.0).sum();
    let of_trials = if freedom > 0.0 { trial_variances(cells, &scales, freedom) } else { vec![0.0; cells.len()] };
    let (mut independent, mut shown) = (0.0, 0.0);
    let mut informative = true;
    for ((cell, scale), of_trial) in cells.iter_mut().zip(&scales).zip(&of_trials) {
        let (of_cell, of_mean) = ((floor * cell.scale.unwrap_or(*scale)).powi(2), of_trial / cell.count);
        cell.variance = of_cell + of_mean;
        informative &= cell.variance > ROUNDING * ROUNDING;
        independent += (of_cell + of_trial) / cell.variance;
        shown += (of_mean / cell.variance).powi(2) / scales.len() as f64;
    }
    if !informative {
        cells.iter_mut().zip(&scales).for_each(|(cell, scale)| cell.variance = scale * scale);
        return Noise { basis: Basis::Residuals, freedom: 0.0, independent: cells.len() as f64 };
    }
    let freedom = if shown > 0.0 { freedom / shown } else { f64::INFINITY };
    Noise { basis: Basis::Known, freedom, independent }
}

/// Magnitudes of the means, not nearer to zero than makes sense.
fn scales(cells: &[Cell]) -> Vec<f64> {
    let mut magnitudes: Vec<_> = cells.iter().map(|cell| cell.mean.abs()).collect();
    magnitudes.sort_by(f64::total_cmp);
    let middle = magnitudes.get(magnitudes.len() / 2).copied().unwrap_or(0.0);
    let least = if middle > 0.0 { NEAR_ZERO * middle } else { NEAR_ZERO };
    cells.iter().map(|cell| cell.mean.abs().max(least)).collect()
}

/// Variance of one trial in each cell.
fn trial_variances(cells: &[Cell], scales: &[f64], freedom: f64) -> Vec<f64> {
    let largest = scales.iter().copied().fold(0.0, f64::max);
    let smallest = scales.iter().copied().fold(f64::INFINITY, f64::min);
    let relative = Shape::of(cells, scales, 0.0, freedom);
    let decades = (largest / smallest).log10().ceil().clamp(0.0, MOST_DECADES) as i32 + 2;
    let offsets =
        (0..=decades * PER_DECADE).map(|step| 0.1 * smallest * 10.0_f64.powf(f64::from(step) / f64::from(PER_DECADE)));
    let best = offsets
        .map(|offset| Shape::of(cells, scales, offset, freedom))
        .min_by(|a, b| a.deviance.total_cmp(&b.deviance))
        .filter(|shape| shape.deviance < relative.deviance - OFFSET_GAIN);
    let shape = best.unwrap_or(relative);
    scales.iter().map(|scale| shape.share * (shape.offset.powi(2) + scale * scale)).collect()
}

/// A variance function: `share * (offset^2 + value^2)`.
struct Shape {
    offset: f64,
    share: f64,
    deviance: f64,
}

impl Shape {
    fn of(cells: &[Cell], scales: &[f64], offset: f64, freedom: f64) -> Self {
        let relative = |scale: &f64| offset * offset + scale * scale;
        let share = cells.iter().zip(scales).map(|(cell, scale)| cell.squares / relative(scale)).sum::<f64>() / freedom;
        let logs = cells.iter().zip(scales).map(|(cell, scale)| (cell.count - 1.0) * relative(scale).ln()).sum::<f64>();
        Self { offset, share, deviance: freedom * share.max(f64::MIN_POSITIVE).ln() + logs }
    }
}
