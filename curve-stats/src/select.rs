//! Which classes the candidates leave.
//!
//! 1. Schwarz's BIC scores every candidate; Raftery (1995) calls a difference of 6 strong evidence, and that is the [`MARGIN`].
//! 2. `constant` is left only where a growing candidate beats it by the margin and grows by at least [`LEAST_GROWTH`] over the range.
//! 3. A class of three parameters is taken only where it beats every class of two by the margin, and then only where its
//!    own parameter says that it is needed: the exponent's interval excludes 1, the knee's lies inside the range. Without that rule a
//!    power would tie with whatever it contains.
//! 4. Classes with as many parameters that are within the margin of the best of them are a tie.
//! 5. Where even the best candidate misses the cells by more than the replicate error allows (p < 0.01), all squared residuals are
//!    divided by its misfit first (the variance inflation of quasi-likelihood, Burnham and Anderson 2002, 2.5): more trials
//!    shrink the replicate error, but do not make a small misfit of all candidates evidence for the most flexible.
//! 6. Where the winner misses a cell by more than the replicate error (p < 0.01) and by more than [`LEAST_GROWTH`], no class fits.

use crate::StatsError;
use crate::candidate::Candidate;
use crate::cells::Cells;
use crate::class::Class;
use crate::distribution::student;
use crate::note::FitNote;

/// Difference in BIC that decides.
pub const MARGIN: f64 = 6.0;

/// Growth over the measured range that is worth a class: 10%.
pub const LEAST_GROWTH: f64 = 0.10;

/// Candidates by BIC, the classes that they leave, and why.
pub(crate) struct Selection {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) classes: Vec<Class>,
    pub(crate) notes: Vec<FitNote>,
}

impl Selection {
    /// Of a curve of at least three N.
    pub(crate) fn of(cells: &Cells) -> Result<Self, StatsError> {
        let mut candidates: Vec<_> = Class::ALL.iter().filter_map(|&class| Candidate::fit(cells, class)).collect();
        let inflation = inflation(&candidates);
        candidates.iter_mut().for_each(|candidate| candidate.score(cells, inflation));
        candidates.sort_by(|a, b| a.bic.total_cmp(&b.bic));
        let mut selection = Self { candidates, classes: vec![], notes: vec![] };
        selection.decide(cells)?;
        Ok(selection)
    }

    pub(crate) fn candidate(&self, class: Class) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| candidate.class == class)
    }

    /// The best candidate among the classes.
    pub(crate) fn winner(&self) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| self.classes.contains(&candidate.class))
    }

    fn decide(&mut self, cells: &Cells) -> Result<(), StatsError> {
        let Some(constant) = self.candidate(Class::Constant) else { return Ok(()) };
        let eligible: Vec<_> = self.candidates.iter().filter(|candidate| eligible(candidate)).collect();
        let growing = eligible.iter().find(|candidate| candidate.class != Class::Constant);
        let beaten = growing.filter(|growing| growing.bic + MARGIN <= constant.bic);
        let classes = match beaten {
            Some(best) if change(best, cells) <= -LEAST_GROWTH => {
                self.notes.push(FitNote::Falls);
                return Ok(());
            }
            Some(best) if change(best, cells) >= LEAST_GROWTH => growth_classes(&eligible),
            _ => constant_or(&eligible, constant, cells)?,
        };
        if beaten.is_some() && classes.first() == Some(&Class::Constant) {
            self.notes.push(FitNote::SmallGrowth);
        }
        if classes.len() > 1 && classes.contains(&Class::Constant) {
            self.notes.push(FitNote::GrowthUndecided);
        }
        self.classes = classes;
        self.check_residuals(cells);
        Ok(())
    }

    /// Takes the classes back where the residuals of the best say that it is none.
    fn check_residuals(&mut self, cells: &Cells) {
        let Some(winner) = self.winner().filter(|winner| winner.misfits()) else { return };
        let misses = |cell: &crate::cells::Cell| {
            let fitted = winner.predict(cell.services);
            (cell.mean - fitted).abs() > LEAST_GROWTH * fitted.abs()
        };
        if cells.cells.iter().any(misses) {
            self.classes.clear();
            self.notes.push(FitNote::NoClassFits);
        } else if winner.class != Class::Constant {
            self.notes.push(FitNote::Misfit);
        }
    }
}

/// Misfit of the candidate that misfits least, where it is more than noise.
fn inflation(candidates: &[Candidate]) -> f64 {
    let best = candidates.iter().max_by(|a, b| a.lack_of_fit.unwrap_or(1.0).total_cmp(&b.lack_of_fit.unwrap_or(1.0)));
    best.filter(|best| best.misfits()).map_or(1.0, |best| (best.fit.chi_square / best.freedom).max(1.0))
}

fn eligible(candidate: &Candidate) -> bool {
    match (candidate.class, candidate.bend) {
        (Class::Power, Some(bend)) => bend.ci95.is_some_and(|[low, high]| !(low <= 1.0 && 1.0 <= high)),
        (Class::Piecewise, Some(bend)) => bend.ci95.is_some(),
        _ => true,
    }
}

/// Growth over the range as a share of the fitted value at the smallest N.
fn change(candidate: &Candidate, cells: &Cells) -> f64 {
    let start = candidate.predict(cells.smallest());
    (candidate.predict(cells.largest()) - start) / start.abs()
}

fn growth_classes(eligible: &[&Candidate]) -> Vec<Class> {
    let of = |parameters: usize| eligible.iter().filter(move |c| c.class.parameters() == parameters);
    let best = |parameters| of(parameters).map(|c| c.bic).fold(f64::INFINITY, f64::min);
    let parameters = if best(3) + MARGIN <= best(2) { 3 } else { 2 };
    let limit = best(parameters) + MARGIN;
    let mut classes: Vec<_> =
        of(parameters).filter(|c| c.bic < limit && c.fit.coefficient > 0.0).map(|c| c.class).collect();
    classes.sort_unstable();
    classes
}

/// `constant`, and whatever else growth of [`LEAST_GROWTH`] cannot be excluded for: two one-sided tests at 5% (Schuirmann 1987).
fn constant_or(eligible: &[&Candidate], constant: &Candidate, cells: &Cells) -> Result<Vec<Class>, StatsError> {
    let mut classes = vec![Class::Constant];
    let limit = constant.bic.min(eligible.iter().map(|c| c.bic).fold(f64::INFINITY, f64::min)) + MARGIN;
    for candidate in eligible.iter().filter(|c| c.class.parameters() == 2 && c.bic < limit) {
        if may_grow(candidate, cells)? {
            classes.push(candidate.class);
        }
    }
    classes.sort_unstable();
    Ok(classes)
}

/// The upper end of the growth's interval reaches [`LEAST_GROWTH`]. A candidate that misfits (a curve in steps) says little of how well
/// the growth is known: there the growth is that from the first to the last cell.
fn may_grow(candidate: &Candidate, cells: &Cells) -> Result<bool, StatsError> {
    if let (true, [first, .., last]) = (candidate.misfits(), &cells.cells[..]) {
        let quantile = student(0.95, cells.noise.freedom)?;
        let most = last.mean - first.mean + quantile * (first.variance + last.variance).sqrt();
        return Ok(most > LEAST_GROWTH * first.mean.abs());
    }
    let (factor, quantile) = candidate.uncertainty(cells, 0.95)?;
    let reach = candidate.basis(cells.largest()) - candidate.basis(cells.smallest());
    let most = candidate.fit.coefficient + quantile * factor.sqrt() * candidate.fit.error();
    Ok(most * reach > LEAST_GROWTH * candidate.predict(cells.smallest()).abs())
}
