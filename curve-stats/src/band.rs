//! A curve's value at any N of its range, with a pointwise 95% band.

use crate::candidate::Candidate;
use crate::cells::{Cell, Cells};
use crate::distribution::student;
use crate::select::Selection;
use crate::{NoiseFloor, Observation, StatsError};

/// A curve with its band, in the cells' unit.
pub(crate) struct Band {
    cells: Cells,
    /// The class's function, where one describes the curve.
    function: Option<Candidate>,
    /// Quantile of t.
    quantile: f64,
}

impl Band {
    pub(crate) fn of(trials: &[Observation], noise: NoiseFloor) -> Result<Self, StatsError> {
        let cells = Cells::of(trials, noise)?;
        let function = if cells.sizes() < 3 { None } else { sole(&Selection::of(&cells)?) };
        let quantile = if cells.has_error() { student(0.975, cells.noise.freedom)? } else { 0.0 };
        Ok(Self { cells, function, quantile })
    }

    pub(crate) fn smallest(&self) -> f64 {
        self.cells.smallest()
    }

    pub(crate) fn largest(&self) -> f64 {
        self.cells.largest()
    }

    pub(crate) fn unit(&self) -> f64 {
        self.cells.unit
    }

    /// Something says how well the curve is known.
    pub(crate) fn has_error(&self) -> bool {
        self.cells.has_error()
    }

    /// Value and half width of the band.
    pub(crate) fn at(&self, services: f64) -> (f64, f64) {
        let (value, variance) = match &self.function {
            Some(function) => {
                let variance = function.fit.variance(function.class, function.basis(services));
                (function.predict(services), variance)
            }
            None => interpolated(&self.cells.cells, services),
        };
        (value, self.quantile * variance.sqrt())
    }
}

/// The one class that is left, if its function has a closed-form band and its residuals agree.
fn sole(selection: &Selection) -> Option<Candidate> {
    let [class] = selection.classes[..] else { return None };
    selection.candidate(class).filter(|candidate| candidate.bend.is_none() && !candidate.misfits()).cloned()
}

/// Value and variance between the two cells that enclose N.
fn interpolated(cells: &[Cell], services: f64) -> (f64, f64) {
    let pair = cells.windows(2).find(|pair| services <= pair[1].services).or_else(|| cells.windows(2).last());
    let Some([low, high]) = pair else {
        return cells.first().map_or((0.0, f64::INFINITY), |only| (only.mean, only.variance));
    };
    let share = (services - low.services) / (high.services - low.services);
    let mean = (1.0 - share) * low.mean + share * high.mean;
    (mean, (1.0 - share).powi(2) * low.variance + share.powi(2) * high.variance)
}
