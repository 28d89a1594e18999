//! Ordinary least squares of one value per trial over N, with an interval of the slope that survives decades of N.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::StatsError;
use crate::error::check_finite;

/// One trial: its N and its value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// N, the number of services.
    pub services: u32,
    /// The trial's value (its median), in the curve's unit.
    pub value: f64,
}

/// A fitted line `value = intercept + slope * services`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Growth for each further service.
    pub slope: f64,
    /// Value at N = 0.
    pub intercept: f64,
    /// 95% interval of the slope, `None` when no degree of freedom is left (two observations).
    pub slope_ci95: Option<[f64; 2]>,
    /// No residual is larger than rounding: the interval is the slope itself.
    pub exact: bool,
}

/// Residuals below this share of the largest value are rounding, not measurement.
const ROUNDING: f64 = 1e-12;

/// Sums round the means, which keep full precision where raw sums of N = 10,000 squared would not.
struct Moments {
    count: f64,
    mean_n: f64,
    mean_value: f64,
    spread_n: f64,
    product: f64,
}

impl Moments {
    fn of(trials: &[Observation]) -> Self {
        let count = trials.len() as f64;
        let mean_n = trials.iter().map(|t| f64::from(t.services)).sum::<f64>() / count;
        let mean_value = trials.iter().map(|t| t.value).sum::<f64>() / count;
        let spread_n = trials.iter().map(|t| (f64::from(t.services) - mean_n).powi(2)).sum();
        let product = trials.iter().map(|t| (f64::from(t.services) - mean_n) * (t.value - mean_value)).sum();
        Self { count, mean_n, mean_value, spread_n, product }
    }

    fn leverage(&self, trial: &Observation) -> f64 {
        1.0 / self.count + (f64::from(trial.services) - self.mean_n).powi(2) / self.spread_n
    }
}

impl Line {
    /// Fits every trial (not the medians of trials) by ordinary least squares. `None` when all trials have the same N.
    ///
    /// The interval is Student's t with n - 2 degrees of freedom on the larger of two standard errors: the classic one, and
    /// the heteroscedasticity-consistent HC3 (MacKinnon and White 1985). Noise of a measurement grows with its size, and
    /// with N over decades the largest N alone carries nearly all the leverage: at 5% noise over N = 1..10,000 the classic error,
    /// which pools the small residuals of the small N, covers the true slope in two draws of three; this one in 93% with ten
    /// trials of each N, 91% with five and 88% with three (`tests/synthetic.rs` asserts the first).
    ///
    /// # Errors
    /// `trials` is empty, holds a value that is not finite, or values so large that their sums overflow.
    pub fn fit(trials: &[Observation]) -> Result<Option<Self>, StatsError> {
        if trials.is_empty() {
            return Err(StatsError::Empty { what: "line" });
        }
        check_finite(trials.iter().map(|t| t.value))?;
        let moments = Moments::of(trials);
        if moments.spread_n == 0.0 {
            return Ok(None);
        }
        let slope = moments.product / moments.spread_n;
        let intercept = moments.mean_value - slope * moments.mean_n;
        let error = standard_error(trials, &moments, slope)?;
        let largest = largest(trials);
        if !(slope.is_finite() && intercept.is_finite() && error.is_none_or(f64::is_finite)) {
            return Err(StatsError::Overflow { values: trials.len(), largest });
        }
        let exact = error.is_some_and(|error| error * moments.spread_n.sqrt() <= ROUNDING * largest);
        let half = if exact { Some(0.0) } else { error.map(|e| half_width(e, moments.count - 2.0)).transpose()? };
        let slope_ci95 = half.map(|half| [slope - half, slope + half]);
        if slope_ci95.is_some_and(|interval| interval.iter().any(|bound| !bound.is_finite())) {
            return Err(StatsError::Overflow { values: trials.len(), largest });
        }
        Ok(Some(Self { slope, intercept, slope_ci95, exact }))
    }
}

fn largest(trials: &[Observation]) -> f64 {
    trials.iter().map(|t| t.value.abs()).fold(0.0, f64::max)
}

/// The larger of the classic and the HC3 standard error of the slope; `None` without a degree of freedom.
fn standard_error(trials: &[Observation], moments: &Moments, slope: f64) -> Result<Option<f64>, StatsError> {
    let freedom = moments.count - 2.0;
    if freedom < 1.0 {
        return Ok(None);
    }
    let (mut squares, mut sandwich) = (0.0, 0.0);
    for trial in trials {
        let distance = f64::from(trial.services) - moments.mean_n;
        let residual = (trial.value - moments.mean_value) - slope * distance;
        squares += residual * residual;
        let free = 1.0 - moments.leverage(trial);
        // A trial that alone fixes the line (leverage 1) has no residual to speak of.
        if free > 1e-9 {
            sandwich += (distance * residual / free).powi(2);
        }
    }
    let classic = (squares / freedom / moments.spread_n).sqrt();
    let consistent = sandwich.sqrt() / moments.spread_n;
    Ok(Some(classic.max(consistent)))
}

fn half_width(error: f64, freedom: f64) -> Result<f64, StatsError> {
    let student = StudentsT::new(0.0, 1.0, freedom).map_err(|source| StatsError::Freedom { freedom, source })?;
    Ok(student.inverse_cdf(0.975) * error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trials(pairs: &[(u32, f64)]) -> Vec<Observation> {
        pairs.iter().map(|&(services, value)| Observation { services, value }).collect()
    }

    #[test]
    fn t_quantiles_are_those_of_the_tables() {
        for (freedom, expected) in [(1.0, 12.7062), (2.0, 4.3027), (10.0, 2.2281), (38.0, 2.0244)] {
            assert!((half_width(1.0, freedom).unwrap() - expected).abs() < 1e-3, "{freedom}");
        }
    }

    #[test]
    fn classic_interval_is_the_one_worked_by_hand() {
        // Worked by hand: residual sum of squares 0.107, standard error sqrt(0.107 / 3 / 10) = 0.0597, t(3) = 3.182.
        let line = Line::fit(&trials(&[(1, 2.1), (2, 3.9), (3, 6.2), (4, 7.8), (5, 10.1)])).unwrap().unwrap();
        let moments = Moments::of(&trials(&[(1, 2.1), (2, 3.9), (3, 6.2), (4, 7.8), (5, 10.1)]));
        assert!((line.slope - 1.99).abs() < 1e-9 && (line.intercept - 0.05).abs() < 1e-9);
        assert!((moments.spread_n - 10.0).abs() < 1e-12);
        let [low, high] = line.slope_ci95.unwrap();
        assert!(low <= 1.8 + 1e-3 && high >= 2.18 - 1e-3 && !line.exact);
    }

    #[test]
    fn an_exact_line_has_a_degenerate_interval() {
        let line = Line::fit(&trials(&[(1, 7826.0), (10, 8060.0), (10_000, 267_800.0)])).unwrap().unwrap();
        assert!(line.exact);
        assert_eq!(line.slope_ci95, Some([line.slope, line.slope]));
        assert!((line.slope - 26.0).abs() < 1e-9);
    }

    #[test]
    fn too_little_data_gives_no_interval_or_no_line() {
        assert_eq!(Line::fit(&trials(&[(5, 1.0), (5, 2.0)])), Ok(None));
        let two = Line::fit(&trials(&[(5, 1.0), (6, 2.0)])).unwrap().unwrap();
        assert_eq!((two.slope, two.slope_ci95), (1.0, None));
        assert_eq!(Line::fit(&[]), Err(StatsError::Empty { what: "line" }));
    }

    #[test]
    fn overflow_is_an_error_not_an_infinity() {
        let huge = trials(&[(1, f64::MAX), (2, -f64::MAX), (3, f64::MAX)]);
        assert!(matches!(Line::fit(&huge), Err(StatsError::Overflow { values: 3, .. })));
        assert!(matches!(Line::fit(&trials(&[(1, f64::NAN)])), Err(StatsError::NotFinite { index: 0, .. })));
    }
}
