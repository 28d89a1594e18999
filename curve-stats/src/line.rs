//! A straight line through points, unweighted: how well one count predicts another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::StatsError;
use crate::error::check_finite;

/// The least-squares line of `y` over `x`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// y at x = 0.
    pub intercept: f64,
    /// y per x.
    pub slope: f64,
    /// Share of the variance of y that the line explains, 0 to 1; 1 where y does not vary and neither does the line.
    pub r_squared: f64,
}

impl Line {
    /// y at `x`.
    #[must_use]
    pub fn at(&self, x: f64) -> f64 {
        self.intercept + self.slope * x
    }
}

/// Fits a line to `(x, y)`.
///
/// # Errors
/// Fewer than three points, one value that is not finite, or one x only.
pub fn line(points: &[(f64, f64)]) -> Result<Line, StatsError> {
    check_finite(points.iter().flat_map(|(x, y)| [*x, *y]))?;
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x_mean, y_mean) = (mean(|point| point.0), mean(|point| point.1));
    let sum = |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|(x, y)| of(x - x_mean, y - y_mean)).sum::<f64>();
    let (xx, xy, yy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
    if points.len() < 3 || xx == 0.0 {
        return Err(StatsError::Empty { what: "line (three points at more than one x)" });
    }
    let slope = xy / xx;
    let r_squared = if yy == 0.0 { 1.0 } else { (slope * xy / yy).clamp(0.0, 1.0) };
    Ok(Line { intercept: y_mean - slope * x_mean, slope, r_squared })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn anscombes_quartet() {
        // Anscombe 1973: all four sets have y = 3.00 + 0.500 x and R^2 = 0.67; the first of them.
        let x = [10.0, 8.0, 13.0, 9.0, 11.0, 14.0, 6.0, 4.0, 12.0, 7.0, 5.0];
        let y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68];
        let found = line(&x.into_iter().zip(y).collect::<Vec<_>>()).unwrap();
        assert!((found.intercept - 3.0).abs() < 0.01 && (found.slope - 0.5).abs() < 0.001, "{found:?}");
        assert!((found.r_squared - 0.6665).abs() < 5e-4, "{found:?}");
    }

    #[test]
    fn what_has_no_line_is_refused() {
        assert!(line(&[(1.0, 1.0), (2.0, 2.0)]).is_err());
        assert!(line(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]).is_err());
        assert!(line(&[(1.0, 1.0), (2.0, f64::NAN), (1.0, 3.0)]).is_err());
        assert_eq!(line(&[(1.0, 5.0), (2.0, 5.0), (3.0, 5.0)]).unwrap().r_squared, 1.0);
    }

    proptest! {
        #[test]
        fn a_line_is_found_again(a in -1e3..1e3_f64, b in -1e3..1e3_f64, x in prop::collection::vec(-1e3..1e3_f64, 3..20)) {
            prop_assume!(x.iter().any(|one| (one - x[0]).abs() > 1.0) && b.abs() > 1e-3);
            let found = line(&x.iter().map(|x| (*x, a + b * x)).collect::<Vec<_>>()).unwrap();
            prop_assert!((found.slope - b).abs() < 1e-6 * b.abs().max(1.0), "{:?}", found);
            prop_assert!(found.r_squared > 0.999_999);
        }
    }
}
