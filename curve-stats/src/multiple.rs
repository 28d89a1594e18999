//! Many tests at once.

use crate::StatsError;

/// Adjusted p of each of several tests (Holm 1979), in their order: where those at or below alpha are rejected, the chance of even one
/// false rejection is at most alpha, however the tests depend on each other. The same as R's `p.adjust(p, "holm")`.
///
/// # Errors
/// A value is no probability.
pub fn holm(p: &[f64]) -> Result<Vec<f64>, StatsError> {
    if let Some(&probability) = p.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        return Err(StatsError::NotAProbability { probability });
    }
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&i, &j| p[i].total_cmp(&p[j]));
    let (mut adjusted, mut least) = (vec![0.0; p.len()], 0.0_f64);
    for (before, index) in order.into_iter().enumerate() {
        // A larger p is never adjusted to less than a smaller one.
        least = least.max(((p.len() - before) as f64 * p[index]).min(1.0));
        adjusted[index] = least;
    }
    Ok(adjusted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_r() {
        // By hand, as p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") prints: 0.03 0.06 0.06 0.02.
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]).unwrap();
        for (found, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - expected).abs() < 1e-12, "{adjusted:?}");
        }
        assert_eq!(holm(&[0.9, 0.8]), Ok(vec![1.0, 1.0]));
        assert_eq!(holm(&[]), Ok(vec![]));
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        assert_eq!(holm(&[0.5, 1.5]), Err(StatsError::NotAProbability { probability: 1.5 }));
        assert!(holm(&[f64::NAN]).is_err() && holm(&[-0.1]).is_err());
    }

    proptest! {
        #[test]
        fn any_bits_give_probabilities_or_an_error(p in prop::collection::vec(any::<f64>(), 0..20)) {
            prop_assert_eq!(holm(&p).is_ok(), p.iter().all(|p| (0.0..=1.0).contains(p)));
        }

        #[test]
        fn adjusting_keeps_the_order_and_never_lowers(p in prop::collection::vec(0.0..=1.0_f64, 1..40)) {
            let adjusted = holm(&p).unwrap();
            for (i, one) in p.iter().enumerate() {
                prop_assert!((*one..=1.0).contains(&adjusted[i]));
                for (j, other) in p.iter().enumerate() {
                    prop_assert!(one > other || adjusted[i] <= adjusted[j]);
                }
            }
        }
    }
}
