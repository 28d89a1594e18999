//! Direct labels at the lines' ends, moved apart so that none covers another.

/// Heights of labels that want to stand at `wanted`, at least `gap` apart and within `low..=high` where they fit; in the order
/// of the input.
pub(super) fn spread(wanted: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<_> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut placed = vec![0.0; wanted.len()];
    let mut next = low;
    for index in &order {
        placed[*index] = wanted[*index].max(next);
        next = placed[*index] + gap;
    }
    let mut ceiling = high;
    for index in order.iter().rev() {
        placed[*index] = placed[*index].min(ceiling);
        ceiling = placed[*index] - gap;
    }
    placed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lone_labels_stay_and_crowded_ones_part() {
        assert_eq!(spread(&[50.0], 14.0, 0.0, 100.0), [50.0]);
        assert_eq!(spread(&[50.0, 50.0, 99.0], 14.0, 0.0, 100.0), [50.0, 64.0, 99.0]);
        assert_eq!(spread(&[99.0, 100.0], 14.0, 0.0, 100.0), [86.0, 100.0]);
    }

    proptest! {
        #[test]
        fn labels_never_overlap_and_fit(wanted in prop::collection::vec(0.0..300.0_f64, 0..15)) {
            let mut placed = spread(&wanted, 14.0, 0.0, 300.0);
            placed.sort_by(f64::total_cmp);
            prop_assert!(placed.windows(2).all(|pair| pair[1] - pair[0] > 13.99));
            prop_assert!(placed.iter().all(|y| (-0.01..=300.01).contains(y)));
        }
    }
}
