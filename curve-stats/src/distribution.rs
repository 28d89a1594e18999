//! Quantiles and tails, with infinitely many degrees of freedom for a variance that is known.

use statrs::distribution::{ContinuousCDF, StudentsT};
use statrs::function::{beta, erf, gamma};

use crate::StatsError;

/// Degrees of freedom from which t is expanded round the normal distribution: the first term that is left out is below 1e-8 there, and
/// statrs' own search was seen not to end at 1.5e7.
const EXPANDED: f64 = 200.0;

/// Degrees of freedom from which F is chi-square over its freedom, to six digits.
const KNOWN: f64 = 1e7;

/// Quantile of Student's t, of the normal distribution at infinite `freedom`.
pub(crate) fn student(probability: f64, freedom: f64) -> Result<f64, StatsError> {
    if freedom >= EXPANDED {
        return Ok(expanded(std::f64::consts::SQRT_2 * erf::erf_inv(2.0 * probability - 1.0), freedom));
    }
    let student = StudentsT::new(0.0, 1.0, freedom).map_err(|source| StatsError::Freedom { freedom, source })?;
    Ok(student.inverse_cdf(probability))
}

/// Abramowitz and Stegun 26.7.5.
fn expanded(normal: f64, freedom: f64) -> f64 {
    let square = normal * normal;
    let terms = [
        (square + 1.0) / 4.0,
        ((5.0 * square + 16.0) * square + 3.0) / 96.0,
        (((3.0 * square + 19.0) * square + 17.0) * square - 15.0) / 384.0,
    ];
    let [first, second, third] = terms.map(|term| normal * term / freedom);
    normal + first + second / freedom + third / freedom / freedom
}

/// Probability that F with `over` and `under` degrees of freedom exceeds `ratio`; chi-square over its freedom at infinite `under`.
/// `None` where there is no such distribution.
pub(crate) fn fisher_tail(ratio: f64, over: f64, under: f64) -> Option<f64> {
    if !(ratio >= 0.0 && over > 0.0 && under > 0.0) {
        return None;
    }
    if ratio == 0.0 || ratio == f64::INFINITY {
        return Some(if ratio == 0.0 { 1.0 } else { 0.0 });
    }
    if under >= KNOWN {
        return gamma::checked_gamma_ur(over / 2.0, over * ratio / 2.0).ok();
    }
    beta::checked_beta_reg(under / 2.0, over / 2.0, under / (under + over * ratio)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t_quantiles_are_those_of_the_tables() {
        let table = [(1.0, 12.7062), (2.0, 4.3027), (10.0, 2.2281), (38.0, 2.0244), (f64::INFINITY, 1.95996)];
        for (freedom, expected) in table {
            assert!((student(0.975, freedom).unwrap() - expected).abs() < 1e-3, "{freedom}");
        }
        assert!(matches!(student(0.975, 0.0), Err(StatsError::Freedom { .. })));
    }

    #[test]
    fn t_quantiles_fall_smoothly_at_any_freedom() {
        let freedoms = (0..400).map(|step| 1.0 * 1.06_f64.powi(step)).chain([1e300, f64::INFINITY]);
        let quantiles: Vec<_> = freedoms.map(|freedom| student(0.975, freedom).unwrap()).collect();
        let rising = quantiles.windows(2).find(|pair| pair[0] < pair[1] - 1e-9);
        assert_eq!(rising, None);
        assert!((student(0.975, 15_093_587.3).unwrap() - 1.959_964).abs() < 1e-6);
        assert!((student(0.975, 199.999).unwrap() - student(0.975, 200.0).unwrap()).abs() < 1e-6);
    }

    #[test]
    fn f_tails_are_those_of_the_tables() {
        let table = [(4.0662, 3.0, 8.0, 0.05), (7.5910, 3.0, 8.0, 0.01), (7.8147 / 3.0, 3.0, f64::INFINITY, 0.05)];
        for (ratio, over, under, expected) in table {
            assert!((fisher_tail(ratio, over, under).unwrap() - expected).abs() < 1e-4, "{ratio}");
        }
        assert_eq!(fisher_tail(f64::INFINITY, 3.0, 8.0), Some(0.0));
        assert_eq!(fisher_tail(0.0, 3.0, f64::INFINITY), Some(1.0));
        assert_eq!(fisher_tail(1.0, 0.0, 8.0), None);
        assert_eq!(fisher_tail(f64::NAN, 3.0, 8.0), None);
    }
}
