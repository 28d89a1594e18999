//! What the trials of a curve say about its growth.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::candidate::Candidate;
use crate::cells::Cells;
use crate::class::{Class, Model};
use crate::note::FitNote;
use crate::select::Selection;
use crate::{NoiseFloor, Observation, StatsError};

/// Residuals less probable than this are misfit, not noise.
pub(crate) const SIGNIFICANCE: f64 = 0.01;

/// Fewest distinct N that can tell a line from another shape.
const FEWEST_SIZES: usize = 3;

/// Fewest trials of a curve for an interval, where the trials are all that shows the noise.
const FEWEST_TRIALS: usize = 10;

/// The classes that a curve's trials support, the straight line through them, and every candidate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fit {
    /// What the data support and cannot tell apart, simplest first; empty: none, and the notes say why.
    pub classes: Vec<Class>,
    /// Fitted value at the largest N over that at the smallest; null without a class or where a value is not positive.
    pub growth: Option<f64>,
    /// Slope of the straight line in the curve's unit per service; null only when there is one N.
    pub slope_per_service: Option<f64>,
    /// 95% interval of the slope; null when there are too few trials.
    pub slope_ci95: Option<[f64; 2]>,
    /// The line's value at N = 0; null only when there is one N.
    pub intercept: Option<f64>,
    /// Every candidate, best first.
    #[serde(default)]
    pub models: Vec<Model>,
    /// What weakens or explains the fit.
    #[serde(default)]
    pub notes: Vec<FitNote>,
}

impl Fit {
    /// The classes in words: "constant", "linear or n log n", "undetermined".
    #[must_use]
    pub fn label(&self) -> String {
        let names: Vec<_> = self.classes.iter().map(ToString::to_string).collect();
        match names.split_last() {
            None => "undetermined".to_owned(),
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
        }
    }

    /// This is the one class that the data support.
    #[must_use]
    pub fn is(&self, class: Class) -> bool {
        self.classes == [class]
    }

    /// The best of the classes' models.
    #[must_use]
    pub fn model(&self) -> Option<&Model> {
        self.models.iter().find(|model| self.classes.contains(&model.class))
    }

    /// The fitted value at N; `None` without a class.
    #[must_use]
    pub fn predict(&self, services: f64) -> Option<f64> {
        self.model().map(|model| model.predict(services))
    }
}

/// Fits every class to all trials of a curve and says which the data support.
///
/// Weighted least squares on the means of each N, against the replicate error: pooled over the curve as a share of the value,
/// because the noise of a measurement grows with what is measured, with `noise` as the part that trials do not show. Classes are
/// compared by BIC (Schwarz 1978) with a margin of [`crate::MARGIN`] (Raftery 1995), growth below [`crate::LEAST_GROWTH`] is none, a third
/// parameter must be needed, and a lack-of-fit test can leave no class at all. The slope is the straight line's, its interval Student's
/// t on the replicate error, or on the line's misfit where that is larger than noise (p < 0.01).
///
/// # Errors
/// `trials` is empty or holds values that are not finite, `noise` is no share, or a parameter overflows.
pub fn fit(trials: &[Observation], noise: NoiseFloor) -> Result<Fit, StatsError> {
    let cells = Cells::of(trials, noise)?;
    let Some(line) = Line::of(&cells)? else {
        return Ok(Fit { notes: vec![FitNote::OneSize], ..Fit::default() });
    };
    let mut fit = Fit {
        slope_per_service: Some(line.slope),
        slope_ci95: line.ci95,
        intercept: Some(line.intercept),
        ..Fit::default()
    };
    if cells.sizes() < FEWEST_SIZES {
        fit.notes.push(FitNote::TwoSizes);
    } else {
        let selection = Selection::of(&cells)?;
        fit.growth = selection.winner().and_then(|winner| growth(winner, &cells));
        fit.models = models(&selection, &cells);
        fit.classes = selection.classes;
        fit.notes = selection.notes;
    }
    fit.notes.extend(notes(&line, &cells, &fit));
    finite(&fit, &cells)?;
    Ok(fit)
}

/// The straight line, in the curve's unit.
struct Line {
    slope: f64,
    intercept: f64,
    ci95: Option<[f64; 2]>,
    exact: bool,
}

impl Line {
    fn of(cells: &Cells) -> Result<Option<Self>, StatsError> {
        if cells.sizes() < 2 {
            return Ok(None);
        }
        let Some(line) = Candidate::line(cells) else { return Ok(None) };
        let (slope, intercept) = (line.fit.coefficient * cells.unit, line.fit.intercept * cells.unit);
        let on_it = |cell: &crate::cells::Cell| (cell.mean - line.predict(cell.services)).abs() <= 1e-12;
        let exact = cells.cells.iter().all(|cell| cell.squares <= 1e-24 && on_it(cell));
        let known = cells.noise.freedom == f64::INFINITY;
        let enough = known || cells.trials >= FEWEST_TRIALS;
        let free = cells.has_error() || line.freedom >= 1.0;
        let ci95 = if exact && (cells.trials > 2 || known) {
            Some([slope, slope])
        } else if enough && free {
            let (factor, quantile) = line.uncertainty(cells, 0.975)?;
            let half = quantile * factor.sqrt() * line.fit.error() * cells.unit;
            Some([slope - half, slope + half])
        } else {
            None
        };
        Ok(Some(Self { slope, intercept, ci95, exact }))
    }
}

fn growth(winner: &Candidate, cells: &Cells) -> Option<f64> {
    let (start, end) = (winner.predict(cells.smallest()), winner.predict(cells.largest()));
    (start > 0.0 && end > 0.0).then(|| end / start)
}

fn models(selection: &Selection, cells: &Cells) -> Vec<Model> {
    let best = selection.candidates.first().map_or(0.0, |candidate| candidate.bic);
    let model = |candidate: &Candidate| {
        let bend = |class| candidate.bend.filter(|_| candidate.class == class);
        Model {
            class: candidate.class,
            delta_bic: candidate.bic - best,
            intercept: candidate.fit.intercept * cells.unit,
            coefficient: (candidate.class != Class::Constant).then_some(candidate.fit.coefficient * cells.unit),
            exponent: bend(Class::Power).map(|bend| bend.value),
            exponent_ci95: bend(Class::Power).and_then(|bend| bend.ci95),
            knee: bend(Class::Piecewise).map(|bend| bend.value),
            knee_ci95: bend(Class::Piecewise).and_then(|bend| bend.ci95),
            lack_of_fit: candidate.lack_of_fit,
        }
    };
    selection.candidates.iter().map(model).collect()
}

fn notes(line: &Line, cells: &Cells, fit: &Fit) -> Vec<FitNote> {
    let start = fit.predict(cells.smallest());
    let applies = [
        (line.ci95.is_none(), FitNote::NoInterval),
        (line.exact, FitNote::Exact),
        (cells.identical() && !line.exact, FitNote::IdenticalTrials),
        (!cells.has_error() && !line.exact && !cells.identical(), FitNote::NoReplicates),
        (start.is_some_and(|start| start <= 0.0), FitNote::NonPositiveStart),
    ];
    applies.into_iter().filter_map(|(holds, note)| holds.then_some(note)).collect()
}

/// Values that are finite may still have parameters that are not.
fn finite(fit: &Fit, cells: &Cells) -> Result<(), StatsError> {
    let of_line = fit.slope_per_service.into_iter().chain(fit.intercept).chain(fit.slope_ci95.into_iter().flatten());
    let of_models = fit.models.iter().flat_map(|m| [Some(m.intercept), m.coefficient, Some(m.delta_bic)]).flatten();
    if of_line.chain(of_models).chain(fit.growth).all(f64::is_finite) {
        return Ok(());
    }
    Err(StatsError::Overflow { values: cells.trials, largest: cells.unit })
}
