//! How well a count predicts what was measured.

use crate::StatsError;
use crate::error::check_finite;
use crate::line::{Line, line};

/// Least R^2 of a prediction by a line that holds.
pub const LEAST_R_SQUARED: f64 = 0.99;

/// Most that a prediction by a line may miss, as a share of what was measured: where counts span decades the largest alone make R^2.
pub const MOST_LINE_MISS: f64 = 0.1;

/// Most that a prediction by the mean may miss, as a share of what was measured.
pub const MOST_MISS: f64 = 0.03;

/// What a count says of a measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// The measurement over the count; none where the count is the same everywhere.
    pub line: Option<Line>,
    /// What does not depend on the count: the line's intercept, or the mean where there is no line.
    pub fixed: f64,
    /// The furthest that a point is from what is predicted, as a share of what was measured.
    pub furthest: f64,
}

impl Prediction {
    /// What is predicted for a count.
    #[must_use]
    pub fn at(&self, count: f64) -> f64 {
        self.line.map_or(self.fixed, |line| line.at(count))
    }

    /// Whether the count predicts the measurement: where it varies, R^2 above [`LEAST_R_SQUARED`] and no point further off than
    /// [`MOST_LINE_MISS`]; where it does not, no point further off than [`MOST_MISS`].
    #[must_use]
    pub fn holds(&self) -> bool {
        match self.line {
            Some(line) => line.r_squared > LEAST_R_SQUARED && self.furthest < MOST_LINE_MISS,
            None => self.furthest < MOST_MISS,
        }
    }
}

/// Predicts the second of each pair by the first: by a line where the first varies, by the mean where it does not.
///
/// # Errors
/// Fewer than three points, values that are not finite or whose sums are not, and a measurement of zero or less.
pub fn predict(points: &[(f64, f64)]) -> Result<Prediction, StatsError> {
    check_finite(points.iter().flat_map(|(x, y)| [*x, *y]))?;
    if points.len() < 3 {
        return Err(StatsError::Empty { what: "prediction (three points)" });
    }
    if let Some((index, (_, value))) = points.iter().enumerate().find(|(_, (_, y))| *y <= 0.0) {
        return Err(StatsError::NotPositive { index, value: *value });
    }
    let varies = points.iter().any(|point| point.0 != points[0].0);
    let line = if varies { Some(line(points)?) } else { None };
    let mean = points.iter().map(|point| point.1).sum::<f64>() / points.len() as f64;
    let fixed = line.map_or(mean, |line| line.intercept);
    let mut prediction = Prediction { line, fixed, furthest: 0.0 };
    let misses = points.iter().map(|(x, y)| (y - prediction.at(*x)).abs() / y);
    prediction.furthest = misses.fold(0.0, f64::max);
    let sums = line.map_or([0.0; 2], |line| [line.slope, line.r_squared]);
    if sums.iter().chain([&fixed, &prediction.furthest]).all(|value| value.is_finite()) {
        return Ok(prediction);
    }
    let largest = points.iter().flat_map(|(x, y)| [x.abs(), *y]).fold(0.0, f64::max);
    Err(StatsError::Overflow { values: points.len(), largest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_step_costs_is_found_again() {
        let points = [1.0, 10.0, 100.0, 1000.0].map(|count| (count, 9_000.0 + 25.0 * count));
        let found = predict(&points).unwrap();
        let line = found.line.expect("the count varies");
        assert!((line.slope - 25.0).abs() < 1e-9 && (found.fixed - 9_000.0).abs() < 1e-6, "{found:?}");
        assert!(line.r_squared > 0.999_999 && found.furthest < 1e-9 && found.holds());
    }

    #[test]
    fn growth_of_another_kind_is_not_predicted() {
        let squared = |counts: &[f64]| {
            predict(&counts.iter().map(|count| (*count, 9_000.0 + count * count)).collect::<Vec<_>>()).unwrap()
        };
        let found = squared(&[1.0, 10.0, 100.0, 1000.0, 2000.0]);
        assert!(found.line.is_some_and(|line| line.r_squared < LEAST_R_SQUARED) && !found.holds(), "{found:?}");
        let decades = squared(&[1.0, 10.0, 100.0, 1000.0]);
        assert!(decades.line.is_some_and(|line| line.r_squared > LEAST_R_SQUARED) && !decades.holds(), "{decades:?}");
    }

    #[test]
    fn where_the_count_is_the_same_everywhere_all_must_lie_by_the_mean() {
        let near = predict(&[(7.0, 990.0), (7.0, 1000.0), (7.0, 1010.0)]).unwrap();
        assert_eq!((near.line, near.fixed, near.holds()), (None, 1000.0, true));
        assert!((near.furthest - 10.0 / 990.0).abs() < 1e-12);
        let far = predict(&[(7.0, 960.0), (7.0, 1000.0), (7.0, 1040.0)]).unwrap();
        assert!((far.furthest - 40.0 / 960.0).abs() < 1e-12 && !far.holds());
    }

    #[test]
    fn what_cannot_be_predicted_is_refused() {
        let refused = |points: &[(f64, f64)]| predict(points).unwrap_err();
        assert!(matches!(refused(&[(1.0, 1.0), (2.0, 2.0)]), StatsError::Empty { .. }));
        assert!(matches!(refused(&[(1.0, 1.0), (2.0, 0.0), (3.0, 1.0)]), StatsError::NotPositive { index: 1, .. }));
        assert!(matches!(refused(&[(1.0, 1.0), (2.0, f64::NAN), (3.0, 1.0)]), StatsError::NotFinite { .. }));
        let huge = f64::MAX;
        assert!(matches!(refused(&[(1.0, huge), (1.0, huge), (1.0, huge)]), StatsError::Overflow { .. }));
        assert!(matches!(refused(&[(1.0, huge), (2.0, 1.0), (3.0, huge)]), StatsError::Overflow { .. }));
    }
}
