//! Sufficient statistics of a curve: of each N how many trials, their mean, and the variance of that mean.

use crate::error::check_finite;
use crate::noise::{self, Basis, Noise};
use crate::{NoiseFloor, Observation, StatsError};

/// The trials of one N. Values are in units of [`Cells::unit`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) services: f64,
    pub(crate) count: f64,
    pub(crate) mean: f64,
    /// What a noise floor is a share of, where it is not the value.
    pub(crate) scale: Option<f64>,
    /// Squared deviations of the trials from the mean.
    pub(crate) squares: f64,
    /// Variance of the mean.
    pub(crate) variance: f64,
}

impl Cell {
    pub(crate) fn weight(&self) -> f64 {
        1.0 / self.variance
    }
}

/// A curve's trials, by N.
#[derive(Debug, Clone)]
pub(crate) struct Cells {
    pub(crate) cells: Vec<Cell>,
    /// Largest magnitude of a value or scale: everything inside is a share of it, so that sums do not overflow.
    pub(crate) unit: f64,
    pub(crate) trials: usize,
    pub(crate) noise: Noise,
}

impl Cells {
    pub(crate) fn of(trials: &[Observation], floor: NoiseFloor) -> Result<Self, StatsError> {
        if trials.is_empty() {
            return Err(StatsError::Empty { what: "fit" });
        }
        let floor = floor.share()?;
        let numbers = || trials.iter().flat_map(|trial| [Some(trial.value), trial.scale]).flatten();
        check_finite(numbers())?;
        let largest = numbers().map(f64::abs).fold(0.0, f64::max);
        let unit = if largest > 0.0 { largest } else { 1.0 };
        let mut sorted = trials.to_vec();
        // By value too: the order of trials must not move a sum's last bit.
        sorted.sort_by(|a, b| a.services.cmp(&b.services).then(a.value.total_cmp(&b.value)));
        let mut cells: Vec<_> =
            sorted.chunk_by(|a, b| a.services == b.services).map(|group| cell(group, unit)).collect();
        let noise = noise::estimate(&mut cells, floor);
        Ok(Self { cells, unit, trials: trials.len(), noise })
    }

    /// Distinct N.
    pub(crate) fn sizes(&self) -> usize {
        self.cells.len()
    }

    pub(crate) fn smallest(&self) -> f64 {
        self.cells.first().map_or(0.0, |cell| cell.services)
    }

    pub(crate) fn largest(&self) -> f64 {
        self.cells.last().map_or(0.0, |cell| cell.services)
    }

    /// Some N has several trials, and no N has two that differ.
    pub(crate) fn identical(&self) -> bool {
        self.trials > self.sizes() && self.cells.iter().all(|cell| cell.squares == 0.0)
    }

    /// The noise is known, or shown by replicates: misfit can be told from it.
    pub(crate) fn has_error(&self) -> bool {
        self.noise.basis != Basis::Residuals
    }
}

fn cell(group: &[Observation], unit: f64) -> Cell {
    let count = group.len() as f64;
    let services = group.first().map_or(0.0, |trial| f64::from(trial.services));
    let first = group.first().map_or(0.0, |trial| trial.value / unit);
    // Shifted by the first value: identical trials have exactly no deviation.
    let shift = group.iter().map(|trial| trial.value / unit - first).sum::<f64>() / count;
    let squares = group.iter().map(|trial| (trial.value / unit - first - shift).powi(2)).sum();
    Cell { services, count, mean: first + shift, scale: scale(group, unit), squares, variance: 0.0 }
}

/// Mean scale of the trials that have one.
fn scale(group: &[Observation], unit: f64) -> Option<f64> {
    let scales: Vec<_> = group.iter().filter_map(|trial| trial.scale).map(|scale| scale.abs() / unit).collect();
    (!scales.is_empty()).then(|| scales.iter().map(|scale| scale / scales.len() as f64).sum())
}
