//! One class fitted to the cells by weighted least squares, and how large its residuals are.

use crate::StatsError;
use crate::cells::{Cell, Cells};
use crate::class::Class;
use crate::distribution::{fisher_tail, student};
use crate::profile::{Bend, bend};

/// Residuals below this chi-square are rounding.
const ROUNDING: f64 = 1e-18;

/// `intercept + coefficient * basis(N)` for a given exponent or knee, in units of the cells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weighted {
    pub(crate) intercept: f64,
    pub(crate) coefficient: f64,
    /// Weighted squared residuals of the cells' means.
    pub(crate) chi_square: f64,
    weights: f64,
    center: f64,
    spread: f64,
}

impl Weighted {
    /// `None` where the basis does not vary over the cells.
    pub(crate) fn fit(cells: &Cells, class: Class, bend: f64) -> Option<Self> {
        // The basis is scaled to 1 at the largest N: N log N of ten thousand, squared, must not meet a constant.
        let top = class.basis(cells.largest(), bend);
        let scale = if top > 0.0 { top } else { 1.0 };
        let basis: Vec<_> = cells.cells.iter().map(|cell| class.basis(cell.services, bend) / scale).collect();
        let points = || cells.cells.iter().zip(&basis);
        let (mut weights, mut center, mut level) = (0.0, 0.0, 0.0);
        for (cell, basis) in points() {
            weights += cell.weight();
            center += cell.weight() * basis;
            level += cell.weight() * cell.mean;
        }
        (center, level) = (center / weights, level / weights);
        let (mut spread, mut product) = (0.0, 0.0);
        for (cell, basis) in points() {
            let distance = basis - center;
            spread += cell.weight() * distance * distance;
            product += cell.weight() * distance * (cell.mean - level);
        }
        if class != Class::Constant && spread <= f64::EPSILON * weights * f64::EPSILON {
            return None;
        }
        let slope = if class == Class::Constant { 0.0 } else { product / spread };
        let residual = |cell: &Cell, basis: f64| cell.mean - level - slope * (basis - center);
        let chi_square = points().map(|(cell, basis)| cell.weight() * residual(cell, *basis).powi(2)).sum();
        let (coefficient, intercept) = (slope / scale, level - slope * center);
        Some(Self {
            intercept,
            coefficient,
            chi_square,
            weights,
            center: center * scale,
            spread: spread * scale * scale,
        })
    }

    /// Standard error of the coefficient.
    pub(crate) fn error(&self) -> f64 {
        1.0 / self.spread.sqrt()
    }

    /// Variance of the fitted value where the basis has this value.
    pub(crate) fn variance(&self, class: Class, basis: f64) -> f64 {
        if class == Class::Constant {
            return 1.0 / self.weights;
        }
        1.0 / self.weights + (basis - self.center).powi(2) / self.spread
    }
}

/// A fitted class.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) class: Class,
    pub(crate) fit: Weighted,
    /// Exponent or knee.
    pub(crate) bend: Option<Bend>,
    /// Degrees of freedom of the residuals of the cells' means.
    pub(crate) freedom: f64,
    /// Probability of residuals this large were the class true.
    pub(crate) lack_of_fit: Option<f64>,
    pub(crate) bic: f64,
}

impl Candidate {
    /// `None` where the cells are too few to leave a residual, or the class cannot be fitted.
    pub(crate) fn fit(cells: &Cells, class: Class) -> Option<Self> {
        if cells.sizes() <= class.parameters() {
            return None;
        }
        Self::unchecked(cells, class)
    }

    /// The straight line, which two N already have.
    pub(crate) fn line(cells: &Cells) -> Option<Self> {
        Self::unchecked(cells, Class::Linear)
    }

    fn unchecked(cells: &Cells, class: Class) -> Option<Self> {
        let freedom = cells.sizes() as f64 - class.parameters() as f64;
        let bend = if class.parameters() > 2 { Some(bend(cells, class)?) } else { None };
        let fit = Weighted::fit(cells, class, bend.map_or(0.0, |bend| bend.value))?;
        let lack_of_fit =
            if cells.has_error() { fisher_tail(fit.chi_square / freedom, freedom, cells.noise.freedom) } else { None };
        Some(Self { class, fit, bend, freedom, lack_of_fit, bic: 0.0 })
    }

    /// The value at N, in units of the cells.
    pub(crate) fn predict(&self, services: f64) -> f64 {
        self.fit.intercept + self.fit.coefficient * self.basis(services)
    }

    pub(crate) fn basis(&self, services: f64) -> f64 {
        self.class.basis(services, self.bend.map_or(0.0, |bend| bend.value))
    }

    /// Schwarz's criterion, up to what all candidates share. `inflation` divides the squared residuals.
    ///
    /// With a pooled variance on `v` degrees of freedom and `k` cell means, -2 log L = (v + k) ln(1 + chi2 / v): the profile likelihood of
    /// all trials, whose sum of squares is the replicates' and the misfit's. For a known variance that is chi2 itself.
    pub(crate) fn score(&mut self, cells: &Cells, inflation: f64) {
        let chi_square = self.fit.chi_square / inflation;
        let (freedom, sizes) = (cells.noise.freedom, cells.sizes() as f64);
        let deviance = if !cells.has_error() {
            sizes * chi_square.max(ROUNDING).ln()
        } else if freedom == f64::INFINITY {
            chi_square
        } else {
            (freedom + sizes) * (chi_square / freedom).ln_1p()
        };
        self.bic = deviance + self.class.parameters() as f64 * cells.noise.independent.ln();
    }

    /// Factor on the variance of a parameter, and the quantile of t that goes with it: where the class misfits, the residuals say how
    /// well a parameter is known, else the replicate error does. `None` where neither can.
    pub(crate) fn uncertainty(&self, cells: &Cells, probability: f64) -> Result<(f64, f64), StatsError> {
        let misfit = self.fit.chi_square / self.freedom;
        if !cells.has_error() || self.misfits() {
            return Ok((misfit, student(probability, self.freedom)?));
        }
        Ok((1.0, student(probability, cells.noise.freedom)?))
    }

    /// Its residuals exceed the replicate error.
    pub(crate) fn misfits(&self) -> bool {
        self.lack_of_fit.is_some_and(|p| p < crate::fit::SIGNIFICANCE)
    }
}
