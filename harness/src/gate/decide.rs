//! The decision: values of a baseline's seeds against a candidate's. Pure.
//!
//! With three to five values a side no rank test can reach the usual levels (Mann-Whitney at 3 against 5 ends at p = 0.036), so
//! *significant* is what its extreme case says: the ranges are disjoint. It is one of three conditions, which must all hold.

use curve_stats::{StatsError, fence, median};

use super::{GateVerdict, Statistic};

/// What came of one statistic.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: GateVerdict,
    /// Candidate's median over the baseline's; none where that is not above zero.
    pub ratio: Option<f64>,
    /// Why, in words.
    pub reason: String,
}

/// Judges one statistic. A change counts where the medians lie further apart than `least` (absolute, in the values' unit), the
/// candidate's range and the baseline's do not touch, and the candidate's median lies beyond the baseline's fence
/// ([`curve_stats::fence`]). Where only the first holds, something moved that the data cannot tell from chance.
///
/// # Errors
/// A side is empty or holds a value that is not finite.
pub fn judge(baseline: &[f64], candidate: &[f64], least: f64) -> Result<Judgement, StatsError> {
    let (before, after) = (median(baseline)?, median(candidate)?);
    let ratio = (before > 0.0).then_some(after / before);
    let change = after - before;
    let (verdict, reason) = if change.abs() <= least {
        (GateVerdict::Pass, "within the floor".to_owned())
    } else if touch(baseline, candidate) {
        (GateVerdict::Inconclusive, "beyond the floor, but the ranges overlap".to_owned())
    } else if within(fence(baseline)?, after) {
        (GateVerdict::Inconclusive, "beyond the floor, but within what the baseline's own seeds do".to_owned())
    } else {
        let verdict = if change > 0.0 { GateVerdict::Regression } else { GateVerdict::Improvement };
        (verdict, "beyond the floor and the baseline's fence, ranges disjoint".to_owned())
    };
    Ok(Judgement { verdict, ratio, reason })
}

/// The verdict over a cell's statistics: a change where two of them agree and none says the opposite. Quantiles of one
/// distribution move together when the code path does; one alone is a mode that a few packets more fell into.
pub fn of_cell(statistics: &[(Statistic, GateVerdict)]) -> (GateVerdict, String) {
    let named = |wanted: GateVerdict| -> Vec<String> {
        statistics.iter().filter(|(_, verdict)| *verdict == wanted).map(|(name, _)| name.to_string()).collect()
    };
    let (slower, faster) = (named(GateVerdict::Regression), named(GateVerdict::Improvement));
    let unsure = named(GateVerdict::Inconclusive);
    let agree = |names: &[String]| format!("{} agree", names.join(" and "));
    if slower.len() >= AGREEING && faster.is_empty() {
        (GateVerdict::Regression, agree(&slower))
    } else if faster.len() >= AGREEING && slower.is_empty() {
        (GateVerdict::Improvement, agree(&faster))
    } else if slower.len() + faster.len() > 0 {
        let moved: Vec<_> = slower.iter().chain(&faster).cloned().collect();
        (GateVerdict::Inconclusive, format!("{} moved, the others do not agree", moved.join(" and ")))
    } else if unsure.len() >= AGREEING {
        (GateVerdict::Inconclusive, format!("{} moved, but not beyond chance", unsure.join(" and ")))
    } else {
        (GateVerdict::Pass, "no change that counts".to_owned())
    }
}

/// Statistics that must agree.
const AGREEING: usize = 2;

fn touch(a: &[f64], b: &[f64]) -> bool {
    let low = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = |values: &[f64]| values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    low(a) <= high(b) && low(b) <= high(a)
}

fn within([low, high]: [f64; 2], value: f64) -> bool {
    (low..=high).contains(&value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(baseline: &[f64], candidate: &[f64]) -> GateVerdict {
        judge(baseline, candidate, 10.0).unwrap().verdict
    }

    #[test]
    fn all_three_conditions_are_needed() {
        let baseline = [1000.0, 1001.0, 1002.0, 1003.0, 1004.0];
        assert_eq!(verdict(&baseline, &[1011.0, 1012.0, 1012.0]), GateVerdict::Pass, "on the floor");
        assert_eq!(verdict(&baseline, &[1013.0, 1013.0, 1013.0]), GateVerdict::Regression);
        assert_eq!(verdict(&baseline, &[991.0, 980.0, 970.0]), GateVerdict::Improvement);
        assert_eq!(verdict(&baseline, &[1003.0, 1030.0, 1030.0]), GateVerdict::Inconclusive, "ranges touch");
        // Quartiles 1000 and 1020: the fence ends at 1080.
        let wide = [990.0, 1000.0, 1010.0, 1020.0, 1030.0];
        assert_eq!(verdict(&wide, &[1079.0, 1079.0, 1079.0]), GateVerdict::Inconclusive, "within the fence");
        assert_eq!(verdict(&wide, &[1081.0, 1081.0, 1081.0]), GateVerdict::Regression);
    }

    #[test]
    fn two_of_three_decide() {
        use GateVerdict::{Improvement as I, Inconclusive as U, Pass as P, Regression as R};
        let of = |min, p10, p50| of_cell(&[(Statistic::Min, min), (Statistic::P10, p10), (Statistic::P50, p50)]).0;
        assert_eq!(of(P, R, R), R);
        assert_eq!(of(R, R, P), R);
        assert_eq!(of(P, P, R), U);
        assert_eq!(of(I, R, R), U);
        assert_eq!(of(I, P, I), I);
        assert_eq!(of(P, U, P), P);
        assert_eq!(of(U, U, P), U);
        assert_eq!(of(P, P, P), P);
        let (_, reason) = of_cell(&[(Statistic::Min, P), (Statistic::P10, R), (Statistic::P50, R)]);
        assert_eq!(reason, "p10 and p50 agree");
    }

    #[test]
    fn what_cannot_be_judged_is_an_error() {
        assert!(judge(&[], &[1.0], 0.0).is_err());
        assert!(judge(&[1.0], &[f64::NAN], 0.0).is_err());
        assert_eq!(judge(&[-5.0; 3], &[-5.0; 3], 0.0).unwrap().ratio, None);
    }

    fn values(count: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec((1_000_u32..100_000).prop_map(f64::from), count)
    }

    proptest! {
        #[test]
        fn seeds_that_are_among_the_baselines_pass(baseline in values(3..=5), least in 0.0..1000.0_f64) {
            let judged = judge(&baseline, &baseline[..3], least).unwrap();
            prop_assert!(!matches!(judged.verdict, GateVerdict::Regression | GateVerdict::Improvement));
        }

        #[test]
        fn order_does_not_matter(mut a in values(3..=5), mut b in values(3..=5), least in 0.0..1000.0_f64) {
            let before = judge(&a, &b, least).unwrap();
            a.reverse();
            b.rotate_left(1);
            prop_assert_eq!(judge(&a, &b, least).unwrap(), before);
        }

        #[test]
        fn a_regression_is_all_that_it_is_said_to_be(a in values(3..=5), b in values(3..=5), least in 0.0..1000.0_f64) {
            let judged = judge(&a, &b, least).unwrap();
            if judged.verdict == GateVerdict::Regression {
                prop_assert!(a.iter().all(|before| b.iter().all(|after| after > before)));
                prop_assert!(median(&b).unwrap() - median(&a).unwrap() > least);
                prop_assert!(median(&b).unwrap() > fence(&a).unwrap()[1]);
                // Slower still is no less of a regression.
                let slower: Vec<_> = b.iter().map(|value| value * 1.5).collect();
                prop_assert_eq!(judge(&a, &slower, least).unwrap().verdict, GateVerdict::Regression);
            }
        }

        #[test]
        fn the_mirror_image_of_a_regression_is_an_improvement(
            a in values(3..=5), b in values(3..=5), least in 0.0..1000.0_f64,
        ) {
            let mirror = |values: &[f64]| values.iter().map(|value| -value).collect::<Vec<_>>();
            let (judged, mirrored) =
                (judge(&a, &b, least).unwrap().verdict, judge(&mirror(&a), &mirror(&b), least).unwrap().verdict);
            let expected = match judged {
                GateVerdict::Regression => GateVerdict::Improvement,
                GateVerdict::Improvement => GateVerdict::Regression,
                other => other,
            };
            prop_assert_eq!(mirrored, expected);
        }
    }
}
