//! The N at which one curve passes another, or a multiple of another.
//!
//! Both curves get a pointwise 95% band, and the band of their difference is inverted (Fieller 1954): the interval of the crossing holds
//! the N at which the difference is not told from zero. A curve's band is that of its class's function where the data support one class
//! of up to two parameters and its residuals agree; else it is interpolated linearly between the measured N. Nothing is
//! extrapolated: only N that both curves were measured at, or between, are looked at.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::band::Band;
use crate::order::{Order, above, below, order};
use crate::{NoiseFloor, Observation, StatsError};

/// Stretches of equal ratio into which the common range is cut.
const STRETCHES: i32 = 256;

/// Halvings that find a crossing within a stretch.
const HALVINGS: usize = 40;

/// Where a curve overtakes its reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Crossover {
    /// Below the reference before, above it after.
    At {
        /// N of the crossing.
        services: f64,
        /// Lower end of its 95% interval; null when not even the smallest common N is certainly below.
        low: Option<f64>,
        /// Upper end; null when not even the largest common N is certainly above.
        high: Option<f64>,
    },
    /// Above at every common N, for certain at one at least.
    Always {
        /// From which N on that is certain; null: at none.
        certain_from: Option<f64>,
    },
    /// Below at every common N, for certain at one at least.
    Never {
        /// From which N on it is not certain; null: certain everywhere.
        possible_from: Option<f64>,
    },
    /// None of these.
    Undetermined {
        /// Why.
        reason: NoCrossover,
    },
}

/// Why no crossover can be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum NoCrossover {
    /// The curves share no range of N.
    #[error("the curves share no range of N")]
    NoCommonRange,
    /// Neither replicates nor a noise floor say how well a curve is known.
    #[error("one trial a point: nothing says how well the curves are known")]
    NoError,
    /// The difference is within the noise at every N.
    #[error("the difference is within the noise at every N")]
    WithinNoise,
    /// It is certainly above at one N and certainly below at a larger one.
    #[error("overtakes and falls behind again")]
    FallsBehind,
    /// It is certain at some N, but the fitted difference has the other sign at others, not in the order of one crossing.
    #[error("certain at some N only, and at others within the noise on the other side")]
    Unordered,
}

/// The N at which curve `a` overtakes curve `b`.
///
/// # Errors
/// As [`crate::fit()`].
pub fn crossover(a: &[Observation], b: &[Observation], noise: NoiseFloor) -> Result<Crossover, StatsError> {
    threshold(a, b, 1.0, noise)
}

/// The N at which `curve` exceeds `factor` times `reference`.
///
/// # Errors
/// As [`crate::fit()`], or `factor` is not a positive number.
pub fn threshold(
    curve: &[Observation],
    reference: &[Observation],
    factor: f64,
    noise: NoiseFloor,
) -> Result<Crossover, StatsError> {
    if !(factor.is_finite() && factor > 0.0) {
        return Err(StatsError::Factor { factor });
    }
    let (curve, reference) = (Band::of(curve, noise)?, Band::of(reference, noise)?);
    let undetermined = |reason| Ok(Crossover::Undetermined { reason });
    let (low, high) = (curve.smallest().max(reference.smallest()), curve.largest().min(reference.largest()));
    if low >= high {
        return undetermined(NoCrossover::NoCommonRange);
    }
    if !(curve.has_error() && reference.has_error()) {
        return undetermined(NoCrossover::NoError);
    }
    Ok(Difference { curve, reference, factor, low, high }.crossover())
}

/// The curve minus a multiple of the reference.
struct Difference {
    curve: Band,
    reference: Band,
    factor: f64,
    low: f64,
    high: f64,
}

impl Difference {
    /// Difference and half width of its band at N, in the larger of the curves' units.
    fn at(&self, services: f64) -> (f64, f64) {
        let unit = self.curve.unit().max(self.reference.unit());
        let (own, own_half) = self.curve.at(services);
        let (other, other_half) = self.reference.at(services);
        let (own_unit, other_unit) = (self.curve.unit() / unit, self.factor * (self.reference.unit() / unit));
        (own * own_unit - other * other_unit, (own_half * own_unit).hypot(other_half * other_unit))
    }

    fn grid(&self) -> Vec<f64> {
        let start = self.low.max(1.0);
        let ratio = self.high / start;
        let inner = (1..STRETCHES).map(|i| start * ratio.powf(f64::from(i) / f64::from(STRETCHES)));
        std::iter::once(self.low).chain(inner).chain([self.high]).collect()
    }

    fn crossover(&self) -> Crossover {
        let grid = self.grid();
        let points: Vec<_> = grid.iter().map(|&services| self.at(services)).collect();
        // Between the last N that is certainly below and the first that is certainly above, the sign may change more than once.
        let possible = points.iter().position(|point| !below(point));
        let certain = points.iter().rposition(|point| !above(point)).map_or(0, |last| last + 1);
        let possible_from = possible.map(|i| self.refine(&grid, i, |(difference, half)| difference + half));
        let certain_from =
            (certain < grid.len()).then(|| self.refine(&grid, certain, |(difference, half)| difference - half));
        match order(&points) {
            Err(reason) => Crossover::Undetermined { reason },
            Ok(Order::Above) => Crossover::Always { certain_from },
            Ok(Order::Below) => Crossover::Never { possible_from },
            Ok(Order::Change(at)) => Crossover::At {
                services: self.refine(&grid, at, |(difference, _)| difference),
                low: possible_from.filter(|_| possible != Some(0)),
                high: certain_from,
            },
        }
    }

    /// The N between a grid point and the one before at which `value` becomes positive.
    fn refine(&self, grid: &[f64], at: usize, value: impl Fn((f64, f64)) -> f64) -> f64 {
        let mut high = grid[at];
        let Some(mut low) = at.checked_sub(1).map(|before| grid[before]) else { return high };
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if value(self.at(middle)) > 0.0 { high = middle } else { low = middle }
        }
        high
    }
}
