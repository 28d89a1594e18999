//! Exponent of a power and knee of a piecewise curve: where the residuals are least, and how far they may move.
//!
//! For a given exponent or knee the rest is linear least squares, so both are searched in one dimension. The interval holds what raises
//! the squared residuals by no more than the 95% point of one parameter (profile likelihood; Bates and Watts 1988, ch. 6; for a knee
//! Hinkley 1969).

use crate::candidate::Weighted;
use crate::cells::Cells;
use crate::class::Class;
use crate::distribution::student;

/// Exponents that are searched. Below, a power is not to be told from a logarithm.
const EXPONENTS: [f64; 2] = [0.05, 5.0];

/// Stretches in which the least residual is looked for.
const STRETCHES: usize = 24;

/// Steps of golden section in a stretch: its width shrinks to 1e-6.
const SECTIONS: usize = 30;

/// Halvings when a bound of an interval is looked for.
const HALVINGS: usize = 40;

/// An exponent or a knee.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bend {
    pub(crate) value: f64,
    /// `None` where the interval reaches the end of the range that is searched.
    pub(crate) ci95: Option<[f64; 2]>,
}

/// The squared residuals as a function of the logarithm of exponent or knee.
struct Profile<'a> {
    cells: &'a Cells,
    class: Class,
}

impl Profile<'_> {
    fn at(&self, log: f64) -> f64 {
        Weighted::fit(self.cells, self.class, log.exp()).map_or(f64::INFINITY, |fit| fit.chi_square)
    }

    /// Ends of the stretches, ascending. A knee has a kink at every N.
    fn knots(&self) -> Vec<f64> {
        if self.class == Class::Power {
            let [low, high] = EXPONENTS.map(f64::ln);
            return (0..=STRETCHES).map(|i| low + (high - low) * i as f64 / STRETCHES as f64).collect();
        }
        self.cells.cells.iter().map(|cell| cell.services.max(1.0).ln()).collect()
    }

    /// The least value within a stretch.
    fn least(&self, mut low: f64, mut high: f64) -> (f64, f64) {
        let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
        let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
        let (mut at_a, mut at_b) = (self.at(a), self.at(b));
        for _ in 0..SECTIONS {
            if at_a <= at_b {
                (high, b, at_b) = (b, a, at_a);
                a = high - ratio * (high - low);
                at_a = self.at(a);
            } else {
                (low, a, at_a) = (a, b, at_b);
                b = low + ratio * (high - low);
                at_b = self.at(b);
            }
        }
        if at_a <= at_b { (a, at_a) } else { (b, at_b) }
    }

    /// The outermost place between a knot beyond `limit` and the best one where the residuals reach `limit`.
    fn bound(&self, knots: impl Iterator<Item = f64>, best: f64, limit: f64) -> Option<f64> {
        let mut inside = best;
        let mut outside = None;
        for knot in knots {
            if self.at(knot) > limit {
                outside = outside.or(Some(knot));
            } else {
                (inside, outside) = (knot, None);
            }
        }
        let mut outside = outside?;
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(inside, outside);
            if self.at(middle) > limit { outside = middle } else { inside = middle }
        }
        Some(outside)
    }
}

/// The best exponent or knee. A knee leaves at least two N at or below it, and two above.
pub(crate) fn bend(cells: &Cells, class: Class) -> Option<Bend> {
    let profile = Profile { cells, class };
    let knots = profile.knots();
    let inner = if class == Class::Power { &knots[..] } else { knots.get(1..knots.len().checked_sub(1)?)? };
    let ends: Vec<_> = inner.iter().map(|&knot| (knot, profile.at(knot))).collect();
    let lowest = ends.iter().min_by(|a, b| a.1.total_cmp(&b.1))?.0;
    // Smooth in the exponent: the least value lies beside the lowest knot. A knee may have several valleys.
    let near = |pair: &&[f64]| class == Class::Piecewise || pair.contains(&lowest);
    let within = inner.windows(2).filter(near).map(|pair| profile.least(pair[0], pair[1]));
    // At the last inner knot one N is left above: any slope fits it.
    let allowed = |&(at, _): &(f64, f64)| class == Class::Power || Some(&at) != inner.last();
    let (best, least) = ends.iter().copied().chain(within).filter(allowed).min_by(|a, b| a.1.total_cmp(&b.1))?;
    let limit = least + threshold(cells, least);
    let below = profile.bound(knots.iter().rev().copied().filter(|knot| *knot < best), best, limit);
    let above = profile.bound(inner.iter().copied().filter(|knot| *knot > best), best, limit);
    let ci95 = below.zip(above).map(|(low, high)| [low.exp(), high.exp()]);
    Some(Bend { value: best.exp(), ci95 })
}

/// By how much the squared residuals may rise within a 95% interval.
fn threshold(cells: &Cells, least: f64) -> f64 {
    let residual = cells.sizes() as f64 - Class::Power.parameters() as f64;
    let (factor, freedom) = if cells.has_error() {
        ((least / residual).max(1.0), cells.noise.freedom)
    } else {
        (least / residual, residual)
    };
    // F of one and `freedom` degrees of freedom is t squared; the freedom is positive, so the quantile is there.
    student(0.975, freedom).map_or(f64::INFINITY, |t| factor * t * t)
}
