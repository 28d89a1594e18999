//! The complexity class that the trials support.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::StatsError;
use crate::regression::{Line, Observation};

/// Growth over the measured range, relative to the intercept, that still counts as none.
pub const TOLERANCE: f64 = 0.10;

/// Fewest distinct N that can tell a line from another shape.
const FEWEST_SIZES: usize = 3;

/// Complexity class of a curve over N.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The whole interval of the growth lies within [`TOLERANCE`] of the intercept.
    Constant,
    /// The whole interval of the growth lies above [`TOLERANCE`] of the intercept.
    Linear,
    /// Neither: the data do not decide, or the curve falls.
    Undetermined,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Constant => "constant",
            Self::Linear => "linear",
            Self::Undetermined => "undetermined",
        })
    }
}

/// What a reader must know to weigh a fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FitNote {
    /// Only one N: there is no slope.
    OneSize,
    /// Only two distinct N: a line always fits them, so no class is given.
    TwoSizes,
    /// Too few trials for an interval.
    NoInterval,
    /// Every trial lies on the line: the interval is the slope itself.
    Exact,
    /// The trials of every N are identical: the interval measures the line's misfit, not noise.
    IdenticalTrials,
    /// The intercept is zero or negative: growth is judged against its magnitude.
    NonPositiveIntercept,
}

impl fmt::Display for FitNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OneSize => "measured at one N only: no slope",
            Self::TwoSizes => "measured at two N only: any two points lie on a line, so no class is given",
            Self::NoInterval => "too few trials for an interval",
            Self::Exact => "every trial lies on the line: the interval is the slope itself",
            Self::IdenticalTrials => "trials of one N are identical: the interval shows the line's misfit, not noise",
            Self::NonPositiveIntercept => "intercept not positive: growth is judged against its magnitude",
        })
    }
}

/// The straight line through a curve's trials, and what it says about growth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fit {
    /// Complexity class.
    pub class: Class,
    /// Least-squares slope in the curve's unit per service; null only when there is one N.
    pub slope_per_service: Option<f64>,
    /// 95% interval of the slope; null when there are too few trials.
    pub slope_ci95: Option<[f64; 2]>,
    /// The line's value at N = 0; null only when there is one N.
    pub intercept: Option<f64>,
    /// What weakens or explains the fit.
    #[serde(default)]
    pub notes: Vec<FitNote>,
}

/// Fits a line to all trials of a curve and classifies its growth.
///
/// The growth is `slope * (largest N - smallest N)`; its 95% interval is judged against `|intercept|`: `constant` when all of
/// it lies within +-10%, `linear` when all of it lies above +10%, else `undetermined` (a falling curve included). A class
/// needs three distinct N. The interval takes trials as independent: where the trials of an N repeat each other exactly
/// ([`FitNote::IdenticalTrials`]), more of them narrow it without adding knowledge.
///
/// # Errors
/// `trials` is empty, or holds values that are not finite or whose sums overflow.
pub fn fit(trials: &[Observation]) -> Result<Fit, StatsError> {
    let Some(line) = Line::fit(trials)? else {
        let notes = vec![FitNote::OneSize];
        return Ok(Fit {
            class: Class::Undetermined,
            slope_per_service: None,
            slope_ci95: None,
            intercept: None,
            notes,
        });
    };
    let sizes = Sizes::of(trials);
    Ok(Fit {
        class: classify(&line, &sizes),
        slope_per_service: Some(line.slope),
        slope_ci95: line.slope_ci95,
        intercept: Some(line.intercept),
        notes: notes(&line, &sizes),
    })
}

/// The distinct N of a curve.
struct Sizes {
    distinct: usize,
    range: f64,
    /// At least one N has several trials, and no N has two that differ.
    identical: bool,
}

impl Sizes {
    fn of(trials: &[Observation]) -> Self {
        let mut sorted = trials.to_vec();
        sorted.sort_by(|a, b| a.services.cmp(&b.services).then(a.value.total_cmp(&b.value)));
        let groups: Vec<_> = sorted.chunk_by(|a, b| a.services == b.services).collect();
        let bounds = (sorted.first().map(|t| t.services), sorted.last().map(|t| t.services));
        let range = if let (Some(low), Some(high)) = bounds { f64::from(high - low) } else { 0.0 };
        let identical = groups.len() < sorted.len() && groups.iter().all(|g| g.iter().all(|t| t.value == g[0].value));
        Self { distinct: groups.len(), range, identical }
    }
}

fn classify(line: &Line, sizes: &Sizes) -> Class {
    let Some([low, high]) = line.slope_ci95.map(|bounds| bounds.map(|slope| slope * sizes.range)) else {
        return Class::Undetermined;
    };
    let allowed = TOLERANCE * line.intercept.abs();
    if sizes.distinct < FEWEST_SIZES {
        Class::Undetermined
    } else if -allowed <= low && high <= allowed {
        Class::Constant
    } else if low > allowed {
        Class::Linear
    } else {
        Class::Undetermined
    }
}

fn notes(line: &Line, sizes: &Sizes) -> Vec<FitNote> {
    let applies = [
        (sizes.distinct < FEWEST_SIZES, FitNote::TwoSizes),
        (line.slope_ci95.is_none(), FitNote::NoInterval),
        (line.exact, FitNote::Exact),
        (sizes.identical && !line.exact, FitNote::IdenticalTrials),
        (line.intercept <= 0.0, FitNote::NonPositiveIntercept),
    ];
    applies.into_iter().filter_map(|(holds, note)| holds.then_some(note)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every N with `repeat` identical trials, as a deterministic vm gives them.
    fn repeated(points: &[(u32, f64)], repeat: usize) -> Vec<Observation> {
        let one = points.iter().map(|&(services, value)| Observation { services, value });
        one.flat_map(|trial| std::iter::repeat_n(trial, repeat)).collect()
    }

    // Medians of new UDP flows on a 6.1 kernel under icount.
    const IPTABLES_LAST: [(u32, f64); 5] =
        [(1, 7813.0), (10, 8045.0), (100, 10_398.0), (1000, 33_798.0), (10_000, 267_796.0)];
    const IPVS_LAST: [(u32, f64); 5] = [(1, 4546.0), (10, 4719.0), (100, 4719.0), (1000, 4738.0), (10_000, 4913.0)];
    const NFTABLES_LAST: [(u32, f64); 4] = [(1, 8632.0), (10, 8634.0), (100, 8675.0), (1000, 8683.0)];
    const IPVS_STRIDE_256: [(u32, f64); 4] = [(1, 4546.0), (10, 4660.0), (100, 5850.0), (1000, 17_578.0)];

    #[test]
    fn iptables_is_linear_at_26_per_service() {
        for sizes in [4, 5] {
            for repeat in [1, 2, 3, 10] {
                let fit = fit(&repeated(&IPTABLES_LAST[..sizes], repeat)).unwrap();
                assert_eq!(fit.class, Class::Linear);
                assert!((fit.slope_per_service.unwrap() - 26.0).abs() < 0.1, "{fit:?}");
            }
        }
    }

    #[test]
    fn ipvs_and_nftables_are_constant_despite_their_steps() {
        for points in [&IPVS_LAST[..4], &IPVS_LAST[..], &NFTABLES_LAST[..]] {
            for repeat in [2, 3, 5, 10] {
                let fit = fit(&repeated(points, repeat)).unwrap();
                assert_eq!(fit.class, Class::Constant, "{points:?} x {repeat}: {fit:?}");
                assert_eq!(fit.notes, [FitNote::IdenticalTrials]);
            }
        }
    }

    #[test]
    fn one_trial_a_size_is_too_little_to_call_the_step_of_ipvs_constant() {
        assert_eq!(fit(&repeated(&IPVS_LAST[..4], 1)).unwrap().class, Class::Undetermined);
    }

    #[test]
    fn the_256_bucket_table_shows_itself_on_stride_256() {
        assert_eq!(fit(&repeated(&IPVS_STRIDE_256, 3)).unwrap().class, Class::Linear);
    }

    #[test]
    fn a_falling_curve_is_neither_constant_nor_linear() {
        let falling = repeated(&[(1, 1000.0), (500, 750.0), (1000, 500.0)], 3);
        assert_eq!(fit(&falling).unwrap().class, Class::Undetermined);
    }

    #[test]
    fn added_may_have_a_zero_or_negative_intercept() {
        let zero = fit(&repeated(&[(1, 0.0), (10, 0.0), (100, 0.0)], 2)).unwrap();
        assert_eq!((zero.class, zero.slope_ci95), (Class::Constant, Some([0.0, 0.0])));
        assert_eq!(zero.notes, [FitNote::Exact, FitNote::NonPositiveIntercept]);
        let negative = fit(&repeated(&[(1, -700.0), (10, -701.0), (100, -699.0)], 3)).unwrap();
        assert_eq!(negative.class, Class::Constant);
        let rising = fit(&repeated(&[(1, -50.0), (10, 200.0), (100, 2540.0)], 3)).unwrap();
        assert_eq!(rising.class, Class::Linear);
        assert!(rising.notes.contains(&FitNote::NonPositiveIntercept));
    }

    #[test]
    fn too_few_sizes_give_no_class_but_a_slope() {
        let two = fit(&repeated(&[(1, 100.0), (1000, 30_000.0)], 5)).unwrap();
        assert_eq!(two.class, Class::Undetermined);
        assert!(two.slope_per_service.is_some() && two.notes.contains(&FitNote::TwoSizes));
        let one = fit(&repeated(&[(1, 100.0)], 5)).unwrap();
        assert_eq!((one.slope_per_service, one.notes), (None, vec![FitNote::OneSize]));
    }
}
