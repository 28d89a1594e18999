//! Median and quantiles of a handful of values (trials, not packets: packets are in histograms).

use crate::StatsError;
use crate::error::check_finite;

/// The median: the middle value, or the mean of the two middle ones.
///
/// # Errors
/// `values` is empty or holds a NaN or an infinity.
pub fn median(values: &[f64]) -> Result<f64, StatsError> {
    quantile(values, 0.5)
}

/// The `probability` quantile by linear interpolation between order statistics (Hyndman and Fan's type 7, R's default).
///
/// # Errors
/// `values` is empty or holds a NaN or an infinity, or `probability` is outside 0..=1.
pub fn quantile(values: &[f64], probability: f64) -> Result<f64, StatsError> {
    if !(0.0..=1.0).contains(&probability) {
        return Err(StatsError::NotAProbability { probability });
    }
    check_finite(values.iter().copied())?;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return Err(StatsError::Empty { what: "quantile" });
    };
    let rank = probability * last as f64;
    let (below, above) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
    // Weighted form: `below + (above - below) * w` overflows when the two have opposite signs and huge magnitudes.
    let weight = rank.fract();
    Ok(below * (1.0 - weight) + above * weight)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn median_of_odd_and_even_counts() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Ok(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Ok(2.5));
    }

    #[test]
    fn quantile_agrees_with_type_7() {
        // Ranks 0.4 and 3.6 of 1, 2, 4, 8, 16: 1 + 0.4 and 8 + 0.6 * 8.
        let values = [16.0, 1.0, 8.0, 2.0, 4.0];
        assert!((quantile(&values, 0.1).unwrap() - 1.4).abs() < 1e-12);
        assert!((quantile(&values, 0.9).unwrap() - 12.8).abs() < 1e-12);
    }

    #[test]
    fn bad_input_is_named() {
        assert_eq!(median(&[]), Err(StatsError::Empty { what: "quantile" }));
        assert!(matches!(median(&[1.0, f64::NAN]), Err(StatsError::NotFinite { index: 1, .. })));
        assert_eq!(quantile(&[1.0], 1.5), Err(StatsError::NotAProbability { probability: 1.5 }));
        assert!(quantile(&[1.0], f64::NAN).is_err());
    }

    proptest! {
        #[test]
        fn quantiles_are_ordered_and_inside_the_range(
            values in prop::collection::vec(-1e12..1e12_f64, 1..40), low in 0.0..=1.0_f64, high in 0.0..=1.0_f64,
        ) {
            let (low, high) = if low <= high { (low, high) } else { (high, low) };
            let (a, b) = (quantile(&values, low).unwrap(), quantile(&values, high).unwrap());
            let (min, max) = (quantile(&values, 0.0).unwrap(), quantile(&values, 1.0).unwrap());
            let slack = 1e-9 * (max.abs() + min.abs() + 1.0);
            prop_assert!(a <= b + slack && min <= a + slack && b <= max + slack);
        }

        #[test]
        fn order_does_not_matter(mut values in prop::collection::vec(-1e12..1e12_f64, 1..40)) {
            let before = median(&values).unwrap();
            values.reverse();
            prop_assert_eq!(before, median(&values).unwrap());
        }
    }
}
