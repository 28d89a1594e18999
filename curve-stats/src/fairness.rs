//! How alike shares are.

use crate::StatsError;
use crate::error::check_finite;

/// Jain's fairness index of `shares`, in any unit: (sum)^2 / (count x sum of squares). 1 where all are equal, 1/count where one has all
/// (Jain, Chiu, Hawe, "A quantitative measure of fairness and discrimination", DEC-TR-301, 1984).
///
/// # Errors
/// No share above 0, a share that is negative or not finite.
pub fn jain(shares: &[f64]) -> Result<f64, StatsError> {
    check_finite(shares.iter().copied())?;
    if let Some(index) = shares.iter().position(|share| *share < 0.0) {
        return Err(StatsError::NotPositive { index, value: shares[index] });
    }
    let largest = shares.iter().copied().fold(0.0, f64::max);
    if largest == 0.0 {
        return Err(StatsError::Empty { what: "fairness index" });
    }
    // Scaled, so that no square overflows.
    let (sum, squares) = shares
        .iter()
        .map(|share| share / largest)
        .fold((0.0, 0.0), |(sum, squares), share| (sum + share, squares + share * share));
    Ok(sum * sum / (shares.len() as f64 * squares))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_shares_are_1_and_one_for_all_is_1_over_their_number() {
        assert_eq!(jain(&[5.0, 5.0, 5.0]).unwrap(), 1.0);
        assert_eq!(jain(&[9.0, 0.0, 0.0, 0.0]).unwrap(), 0.25);
        // By hand: (1 + 2 + 3)^2 / (3 x 14).
        assert!((jain(&[1.0, 2.0, 3.0]).unwrap() - 36.0 / 42.0).abs() < 1e-12);
        assert!((jain(&[f64::MAX, f64::MAX]).unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_shared_has_no_fairness() {
        assert!(jain(&[]).is_err() && jain(&[0.0, 0.0]).is_err() && jain(&[1.0, -1.0]).is_err());
        assert!(jain(&[1.0, f64::NAN]).is_err());
    }

    proptest! {
        #[test]
        fn an_index_lies_between_one_share_and_equal_ones(shares in prop::collection::vec(0.0..1e9_f64, 1..20), scale in 0.01..100.0_f64) {
            prop_assume!(shares.iter().any(|share| *share > 0.0));
            let index = jain(&shares).unwrap();
            prop_assert!(index >= 1.0 / shares.len() as f64 - 1e-9 && index <= 1.0 + 1e-9);
            let scaled: Vec<_> = shares.iter().map(|share| share * scale).collect();
            prop_assert!((jain(&scaled).unwrap() - index).abs() < 1e-9);
        }
    }
}
