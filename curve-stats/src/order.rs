//! How the sign of a difference of two curves goes over N. A point is the difference and the half width of its band.

use crate::NoCrossover;

/// The difference is certainly positive.
pub(crate) fn above(&(difference, half): &(f64, f64)) -> bool {
    difference - half > 0.0
}

/// It is certainly negative.
pub(crate) fn below(&(difference, half): &(f64, f64)) -> bool {
    difference + half < 0.0
}

/// How the difference's sign goes over the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nowhere negative.
    Above,
    /// Nowhere positive.
    Below,
    /// Negative before this point, positive from it on, but for what is within the noise.
    Change(usize),
}

/// One point on the other side, however little, makes neither "always" nor "never"; and a change has nothing certain on the wrong side.
pub(crate) fn order(points: &[(f64, f64)]) -> Result<Order, NoCrossover> {
    let (first_above, last_below) = (points.iter().position(above), points.iter().rposition(below));
    match (first_above, last_below) {
        (None, None) => return Err(NoCrossover::WithinNoise),
        (Some(first), Some(last)) if first < last => return Err(NoCrossover::FallsBehind),
        _ => {}
    }
    if points.iter().all(|(difference, _)| *difference >= 0.0) {
        return Ok(Order::Above);
    }
    if points.iter().all(|(difference, _)| *difference <= 0.0) {
        return Ok(Order::Below);
    }
    let at = split(points);
    let inside = 0 < at && at < points.len();
    let agrees = first_above.is_none_or(|first| at <= first) && last_below.is_none_or(|last| last < at);
    if inside && agrees { Ok(Order::Change(at)) } else { Err(NoCrossover::Unordered) }
}

/// How many points are before the change from below to above that most of them agree with.
fn split(points: &[(f64, f64)]) -> usize {
    let mut score = points.iter().filter(|(difference, _)| *difference > 0.0).count();
    let mut best = (score, 0);
    for (index, (difference, _)) in points.iter().enumerate() {
        if *difference > 0.0 {
            score -= 1
        } else {
            score += 1
        }
        if score > best.0 {
            best = (score, index + 1);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signs(points: &[(f64, f64)]) -> (bool, bool) {
        (points.iter().any(|point| point.0 > 0.0), points.iter().any(|point| point.0 < 0.0))
    }

    #[test]
    fn a_majority_is_no_always() {
        // Certainly above at the start, and hardly below at the end: most points are above.
        let points = [(5.0, 1.0), (5.0, 1.0), (5.0, 1.0), (-0.5, 1.0)];
        assert_eq!(order(&points), Err(NoCrossover::Unordered));
        assert_eq!(order(&points[..3]), Ok(Order::Above));
        let mirrored = points.map(|(difference, half)| (-difference, half));
        // Certainly below, and at last above within the noise: a crossing whose upper end is open.
        assert_eq!(order(&mirrored), Ok(Order::Change(3)));
        assert_eq!(order(&mirrored[..3]), Ok(Order::Below));
        // Above for certain before the change: no crossing from below.
        assert_eq!(order(&[(5.0, 1.0), (-0.5, 1.0), (-0.5, 1.0), (5.0, 1.0)]), Err(NoCrossover::Unordered));
        assert_eq!(order(&[(-5.0, 1.0), (0.5, 1.0), (-0.5, 1.0), (5.0, 1.0)]), Ok(Order::Change(1)));
    }

    proptest! {
        #[test]
        fn always_and_never_have_no_point_on_the_other_side(
            points in prop::collection::vec((-3.0..3.0_f64, 0.0..2.0_f64), 1..20),
        ) {
            let (positive, negative) = signs(&points);
            match order(&points) {
                Ok(Order::Above) => prop_assert!(!negative && points.iter().any(above)),
                Ok(Order::Below) => prop_assert!(!positive && points.iter().any(below)),
                Ok(Order::Change(at)) => {
                    prop_assert!(0 < at && at < points.len() && positive && negative);
                    prop_assert!(!points[..at].iter().any(above) && !points[at..].iter().any(below));
                }
                Err(NoCrossover::WithinNoise) => prop_assert!(!points.iter().any(|p| above(p) || below(p))),
                Err(_) => prop_assert!(positive && negative),
            }
            // Seen from the other curve, always is never.
            let mirrored: Vec<_> = points.iter().map(|&(difference, half)| (-difference, half)).collect();
            prop_assert_eq!(order(&points) == Ok(Order::Above), order(&mirrored) == Ok(Order::Below));
        }
    }
}
