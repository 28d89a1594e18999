//! Tests the cells of a comparison, all at once.
//!
//! On real time a cell has changed where its Mann-Whitney test is significant after Holm's correction over all tested cells, and
//! its ratio beyond the floor. In the deterministic vm trials repeat one seed: a test would call any instruction significant, so
//! there a cell has changed where the ranges of both sides' trials do not meet, and its ratio is beyond the floor.

use curve_stats::{RatioEstimate, Spread, StatsError, holm, mann_whitney, ratio, smallest_mann_whitney};

use super::entry::Entry;
use super::pairing::Pair;
use super::quantity::Quantity;
use super::verdict::{Letter, Reason, Verdict};

/// Chance of even one false finding among the tested cells of two sides that are alike.
pub const ALPHA: f64 = 0.05;

/// What the statistics say of one pair.
pub(super) struct Judged {
    pub(super) ratio: Option<RatioEstimate>,
    /// Adjusted p; none in the deterministic vm and where nothing was tested.
    pub(super) p: Option<f64>,
    pub(super) verdict: Verdict,
}

/// What is known of a pair before all are tested together.
enum First {
    Not(Reason),
    /// Deterministic: the ranges of both sides meet, or not.
    Ranges {
        estimate: RatioEstimate,
        apart: bool,
    },
    Test {
        estimate: RatioEstimate,
        p: f64,
        trials: [usize; 2],
    },
}

/// Judges all pairs, in their order.
pub(super) fn judge(pairs: &[Pair<'_>], floor: f64) -> Vec<Judged> {
    let mut first: Vec<First> = pairs.iter().map(|pair| look(pair).unwrap_or_else(First::Not)).collect();
    refuse_hopeless(&mut first);
    let p: Vec<f64> =
        first.iter().filter_map(|first| if let First::Test { p, .. } = first { Some(*p) } else { None }).collect();
    // `mann_whitney` gives probabilities only: none is refused.
    let mut adjusted = holm(&p).unwrap_or_default().into_iter();
    let concluded = first.into_iter().map(|first| conclude(first, &mut adjusted, floor));
    concluded.zip(pairs).map(|(judged, pair)| judged.of(pair.cell.quantity)).collect()
}

impl Judged {
    /// The verdict on costs, turned round where more is better.
    fn of(self, quantity: Quantity) -> Self {
        let verdict = match self.verdict {
            Verdict::Improved if quantity.is_rate() => Verdict::Regressed,
            Verdict::Regressed if quantity.is_rate() => Verdict::Improved,
            verdict => verdict,
        };
        Self { verdict, ..self }
    }
}

fn look(pair: &Pair<'_>) -> Result<First, Reason> {
    if let Some(reason) = &pair.reason {
        return Err(reason.clone());
    }
    let (Some(a), Some(b)) = (&pair.a, &pair.b) else {
        let side = if pair.a.is_none() { Letter::A } else { Letter::B };
        return Err(Reason::Missing { side, skipped: None });
    };
    positive(a, Letter::A)?;
    positive(b, Letter::B)?;
    let (values_a, values_b) = (a.values, b.values);
    let failed = |error: StatsError| Reason::Statistics { error: error.to_string() };
    let estimate = ratio(values_a, values_b).map_err(failed)?;
    if a.scale.is_counted() {
        let spread = range(values_a, values_b);
        let apart = spread.low() > 1.0 || spread.high() < 1.0;
        return Ok(First::Ranges { estimate: RatioEstimate { spread, ..estimate }, apart });
    }
    let p = mann_whitney(values_a, values_b).map_err(failed)?;
    Ok(First::Test { estimate, p, trials: [values_a.len(), values_b.len()] })
}

fn positive(entry: &Entry<'_>, side: Letter) -> Result<(), Reason> {
    let least = entry.values.iter().copied().fold(f64::INFINITY, f64::min);
    if least <= 0.0 { Err(Reason::NotPositive { side, least }) } else { Ok(()) }
}

/// Smallest and largest ratio of any trial of one side to any of the other.
fn range(a: &[f64], b: &[f64]) -> Spread {
    let extremes = |values: &[f64]| {
        values.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(*value), high.max(*value)))
    };
    let ((low_a, high_a), (low_b, high_b)) = (extremes(a), extremes(b));
    Spread::Range { low: low_b / high_a, high: high_b / low_a }
}

/// A cell whose trials could not become significant even if every one of one side lay above all of the other must not be
/// called unchanged.
fn refuse_hopeless(first: &mut [First]) {
    let cells = first.iter().filter(|first| matches!(first, First::Test { .. })).count();
    for one in first {
        if let First::Test { trials: [a, b], .. } = *one
            && smallest_mann_whitney(a, b) * cells as f64 > ALPHA
        {
            let count = |trials| u32::try_from(trials).unwrap_or(u32::MAX);
            *one = First::Not(Reason::TooFewTrials { a: count(a), b: count(b), cells });
        }
    }
}

fn conclude(first: First, adjusted: &mut impl Iterator<Item = f64>, floor: f64) -> Judged {
    let (estimate, p, differs) = match first {
        First::Not(reason) => return Judged { ratio: None, p: None, verdict: Verdict::NotComparable { reason } },
        First::Ranges { estimate, apart } => (estimate, None, apart),
        First::Test { estimate, .. } => {
            let p = adjusted.next();
            (estimate, p, p.is_some_and(|p| p <= ALPHA))
        }
    };
    Judged { ratio: Some(estimate), p, verdict: verdict(estimate.ratio, differs, floor) }
}

/// The floor is a factor, so that swapping the sides swaps the verdicts.
fn verdict(ratio: f64, differs: bool, floor: f64) -> Verdict {
    if !differs || ratio.ln().abs() <= floor.ln_1p() {
        Verdict::NoChange
    } else if ratio > 1.0 {
        Verdict::Regressed
    } else {
        Verdict::Improved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_needs_both_significance_and_size() {
        assert_eq!(verdict(1.02, true, 0.01), Verdict::Regressed);
        assert_eq!(verdict(0.98, true, 0.01), Verdict::Improved);
        assert_eq!(verdict(1.02, false, 0.01), Verdict::NoChange);
        assert_eq!(verdict(1.005, true, 0.01), Verdict::NoChange);
        // 0.9901 is 1 / 1.01: just inside, as 1.01 is.
        assert_eq!(verdict(0.990_11, true, 0.01), Verdict::NoChange);
        assert_eq!(verdict(0.990_0, true, 0.01), Verdict::Improved);
    }

    #[test]
    fn ranges_meet_or_not() {
        let apart = range(&[100.0, 102.0], &[103.0, 105.0]);
        assert!(apart.low() > 1.0);
        let meeting = range(&[100.0, 103.0], &[103.0, 105.0]);
        assert!((meeting.low() - 1.0).abs() < 1e-12 && meeting.high() > 1.0);
    }

    fn test(trials: usize) -> First {
        let spread = Spread::Range { low: 1.0, high: 1.0 };
        First::Test { estimate: RatioEstimate { ratio: 1.0, spread }, p: 1.0, trials: [trials; 2] }
    }

    #[test]
    fn trials_that_cannot_reach_significance_are_not_called_unchanged() {
        // Five against five reach 2 / 252: enough for six cells, not for seven.
        let mut six: Vec<_> = (0..6).map(|_| test(5)).collect();
        refuse_hopeless(&mut six);
        assert!(six.iter().all(|first| matches!(first, First::Test { .. })));
        let mut seven: Vec<_> = (0..6).map(|_| test(5)).chain([test(10)]).collect();
        refuse_hopeless(&mut seven);
        let refused = seven.iter().filter(|first| matches!(first, First::Not(Reason::TooFewTrials { cells: 7, .. })));
        assert_eq!(refused.count(), 6);
    }
}
