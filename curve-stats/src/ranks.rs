//! Two-sample and paired rank tests: whether values differ, with nothing assumed about their distribution.
//!
//! Small samples are judged by the permutation distribution itself, ties included; larger ones by the normal approximation
//! with tie and continuity correction.

use statrs::function::erf::erfc;

use crate::StatsError;
use crate::error::check_finite;

/// Largest sample (each of two) whose rank sums [`mann_whitney`] counts one by one.
pub const EXACT_MANN_WHITNEY: usize = 20;

/// Most differences (zeros aside) whose signed rank sums [`signed_rank`] counts one by one.
pub const EXACT_SIGNED_RANK: usize = 30;

/// Two-sided p of the hypothesis that `a` and `b` come from one distribution (Mann and Whitney 1947). With up to
/// [`EXACT_MANN_WHITNEY`] values a side it is exact, given the ties: the share of all assignments of the pooled (mid)ranks to the
/// sides whose rank sum lies at least as far from its expectation. Otherwise normal, with tie and continuity correction (as R's
/// `wilcox.test`). Symmetric in its arguments; 1 where all values are equal.
///
/// # Errors
/// A sample is empty or holds a NaN or an infinity.
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Result<f64, StatsError> {
    if a.is_empty() || b.is_empty() {
        return Err(StatsError::Empty { what: "Mann-Whitney test" });
    }
    check_finite(a.iter().copied())?;
    check_finite(b.iter().copied())?;
    let pooled: Vec<f64> = a.iter().chain(b).copied().collect();
    let ranks = Ranks::of(&pooled);
    let sum: usize = ranks.doubled[..a.len()].iter().sum();
    // Twice the expected rank sum, in doubled ranks: n (n + m + 1), a whole number.
    let expected = a.len() * (pooled.len() + 1);
    let off = sum.abs_diff(expected);
    if off == 0 {
        return Ok(1.0);
    }
    if a.len().max(b.len()) <= EXACT_MANN_WHITNEY {
        return Ok(tails(&sums_of_subsets(&ranks.doubled, a.len()), expected, off));
    }
    let (n, m, all) = (a.len() as f64, b.len() as f64, pooled.len() as f64);
    let variance = n * m / 12.0 * (all + 1.0 - ranks.ties / (all * (all - 1.0)));
    Ok(normal_p(off as f64 / 2.0, variance))
}

/// Smallest two-sided p that [`mann_whitney`] can give two samples of these sizes: all of one above all of the other.
#[must_use]
pub fn smallest_mann_whitney(a: usize, b: usize) -> f64 {
    // 2 / C(a + b, a), as a product that cannot overflow.
    let share: f64 = (1..=a.min(b)).map(|i| i as f64 / (a.max(b) + i) as f64).product();
    (2.0 * share).min(1.0)
}

/// Two-sided p of the hypothesis that paired differences lie symmetrically round zero (Wilcoxon 1945). Zeros are left out. Up to
/// [`EXACT_SIGNED_RANK`] differences it is exact, given the ties: the share of all assignments of signs to the (mid)ranks whose
/// sum lies at least as far from its expectation. Otherwise normal, with tie and continuity correction. 1 where all are zero.
///
/// # Errors
/// `differences` is empty or holds a NaN or an infinity.
pub fn signed_rank(differences: &[f64]) -> Result<f64, StatsError> {
    if differences.is_empty() {
        return Err(StatsError::Empty { what: "signed-rank test" });
    }
    check_finite(differences.iter().copied())?;
    let moved: Vec<f64> = differences.iter().copied().filter(|difference| *difference != 0.0).collect();
    let sizes: Vec<f64> = moved.iter().map(|difference| difference.abs()).collect();
    let ranks = Ranks::of(&sizes);
    let positive: usize =
        ranks.doubled.iter().zip(&moved).filter(|(_, moved)| **moved > 0.0).map(|(rank, _)| rank).sum();
    // All doubled ranks sum to n (n + 1); twice the distance keeps its half whole.
    let total = moved.len() * (moved.len() + 1);
    let off = (2 * positive).abs_diff(total);
    if off == 0 {
        return Ok(1.0);
    }
    if moved.len() <= EXACT_SIGNED_RANK {
        let doubled: Vec<usize> = ranks.doubled.iter().map(|rank| 2 * rank).collect();
        return Ok(tails(&sums_of_any_subset(&doubled), total, off));
    }
    let n = moved.len() as f64;
    let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ranks.ties / 48.0;
    Ok(normal_p(off as f64 / 4.0, variance))
}

/// Midranks of some values.
struct Ranks {
    /// Twice the rank (from 1) of each value: ties share the middle of theirs, which may be a half.
    doubled: Vec<usize>,
    /// Sum of t^3 - t over groups of t tied values.
    ties: f64,
}

impl Ranks {
    fn of(values: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
        let (mut doubled, mut ties, mut before) = (vec![0; values.len()], 0.0, 0);
        // `==` so that 0.0 and -0.0, which total_cmp puts side by side, are one value.
        for tied in order.chunk_by(|&i, &j| values[i] == values[j]) {
            // First and last rank of the group are `before + 1` and `before + len`.
            tied.iter().for_each(|&index| doubled[index] = 2 * before + tied.len() + 1);
            ties += (tied.len() as f64).powi(3) - tied.len() as f64;
            before += tied.len();
        }
        Self { doubled, ties }
    }
}

/// How many subsets of `size` of the `values` have each sum.
pub(crate) fn sums_of_subsets(values: &[usize], size: usize) -> Vec<f64> {
    // More than `size` values can never be taken, so the largest `size` bound the sum.
    let mut descending = values.to_vec();
    descending.sort_unstable_by(|a, b| b.cmp(a));
    let most: usize = descending.iter().take(size).sum();
    let mut counts = vec![vec![0.0; most + 1]; size + 1];
    counts[0][0] = 1.0;
    for &value in values {
        for taken in (1..=size).rev() {
            let (fewer, more) = counts.split_at_mut(taken);
            let (from, to) = (&fewer[taken - 1], &mut more[0]);
            to.iter_mut().skip(value).zip(from).for_each(|(to, from)| *to += from);
        }
    }
    counts.swap_remove(size)
}

/// How many subsets of any size of the `values` have each sum.
pub(crate) fn sums_of_any_subset(values: &[usize]) -> Vec<f64> {
    let most: usize = values.iter().sum();
    let mut counts = vec![0.0; most + 1];
    counts[0] = 1.0;
    for &value in values {
        for sum in (value..=most).rev() {
            counts[sum] += counts[sum - value];
        }
    }
    counts
}

/// Share of the counted sums that lie at least `off` from `expected`.
fn tails(counts: &[f64], expected: usize, off: usize) -> f64 {
    let all: f64 = counts.iter().sum();
    let far = counts.iter().enumerate().filter(|(sum, _)| sum.abs_diff(expected) >= off);
    (far.map(|(_, count)| count).sum::<f64>() / all).min(1.0)
}

/// Two-sided p of a whole-numbered statistic `off` its expectation, with continuity correction.
pub(crate) fn normal_p(off: f64, variance: f64) -> f64 {
    if variance <= 0.0 {
        return 1.0;
    }
    let z = (off - 0.5).max(0.0) / variance.sqrt();
    erfc(z / std::f64::consts::SQRT_2).min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * b.abs().max(1e-3)
    }

    /// `n` values of which those at `low` ranks make the first sample.
    fn split(all: usize, low: &[usize]) -> (Vec<f64>, Vec<f64>) {
        let (a, b): (Vec<usize>, Vec<usize>) = (1..=all).partition(|rank| low.contains(rank));
        let values = |ranks: Vec<usize>| ranks.into_iter().map(|rank| rank as f64 * 1.5).collect();
        (values(a), values(b))
    }

    #[test]
    fn separated_samples_reach_the_smallest_p() {
        for (n, m) in [(3, 3), (4, 4), (5, 5), (10, 10), (3, 7), (20, 20)] {
            let (a, b) = split(n + m, &(1..=n).collect::<Vec<_>>());
            assert!(close(mann_whitney(&a, &b).unwrap(), smallest_mann_whitney(n, m)), "{n} {m}");
        }
        // 2 / C(6, 3), 2 / C(20, 10).
        assert!(close(smallest_mann_whitney(3, 3), 0.1));
        assert!(close(smallest_mann_whitney(10, 10), 2.0 / 184_756.0));
    }

    #[test]
    fn critical_values_are_those_of_the_tables() {
        // Mann and Whitney's table (two-sided 5%): the largest U that is significant, by sample sizes.
        for (n, m, critical) in [(5, 5, 2), (5, 8, 6), (8, 8, 13), (10, 10, 23), (12, 15, 49), (20, 20, 127)] {
            let counts = sums_of_subsets(&(1..=n + m).collect::<Vec<_>>(), n);
            let all: f64 = counts.iter().sum();
            let least = n * (n + 1) / 2;
            let p = |u: usize| 2.0 * counts[..=least + u].iter().sum::<f64>() / all;
            assert!(p(critical) <= 0.05 && p(critical + 1) > 0.05, "{n} {m}: {} {}", p(critical), p(critical + 1));
        }
        // Wilcoxon's table (two-sided 5%): the largest sum of the rarer sign that is significant.
        for (n, critical) in [(6, 0), (8, 3), (10, 8), (15, 25), (20, 52), (25, 89), (30, 137)] {
            let counts = sums_of_any_subset(&(1..=n).collect::<Vec<_>>());
            let p = |w: usize| 2.0 * counts[..=w].iter().sum::<f64>() / 2_f64.powi(n as i32);
            assert!(p(critical) <= 0.05 && p(critical + 1) > 0.05, "{n}: {} {}", p(critical), p(critical + 1));
        }
    }

    #[test]
    fn ties_are_permuted_too() {
        // By hand: pooled midranks 1, 2.5, 2.5, 4 of which the first two fall to a. Of the six pairs the sums are 3.5, 3.5, 5, 5,
        // 6.5, 6.5 round 5: as far off as 3.5 are four.
        assert!(close(mann_whitney(&[1.0, 2.0], &[2.0, 3.0]).unwrap(), 4.0 / 6.0));
        // Signs of midranks 1.5, 1.5, 3 (sums 0, 1.5, 1.5, 3, 3, 4.5, 4.5, 6 round 3): all positive is one of two.
        assert!(close(signed_rank(&[1.0, 1.0, 2.0]).unwrap(), 2.0 / 8.0));
        assert!(close(signed_rank(&[1.0, -1.0, 2.0, 0.0]).unwrap(), 6.0 / 8.0));
    }

    #[test]
    fn equal_samples_are_never_different() {
        assert_eq!(mann_whitney(&[5.0; 4], &[5.0; 30]), Ok(1.0));
        assert_eq!(mann_whitney(&[0.0, -0.0], &[-0.0]), Ok(1.0));
        assert_eq!(signed_rank(&[0.0; 8]), Ok(1.0));
    }

    #[test]
    fn bad_input_is_named() {
        assert_eq!(mann_whitney(&[], &[1.0]), Err(StatsError::Empty { what: "Mann-Whitney test" }));
        assert!(matches!(mann_whitney(&[1.0], &[2.0, f64::NAN]), Err(StatsError::NotFinite { index: 1, .. })));
        assert!(matches!(signed_rank(&[f64::INFINITY]), Err(StatsError::NotFinite { index: 0, .. })));
        assert!(signed_rank(&[]).is_err());
    }

    /// Values with many ties.
    fn coarse(most: usize) -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec((0..12_i32).prop_map(f64::from), 1..most)
    }

    proptest! {
        #[test]
        fn any_bits_give_a_probability_or_an_error(
            a in prop::collection::vec(any::<f64>(), 0..30), b in prop::collection::vec(any::<f64>(), 0..30),
        ) {
            for p in [mann_whitney(&a, &b), signed_rank(&a)].into_iter().flatten() {
                prop_assert!((0.0..=1.0).contains(&p));
            }
            let usable = |values: &[f64]| !values.is_empty() && values.iter().all(|value| value.is_finite());
            prop_assert_eq!(mann_whitney(&a, &b).is_ok(), usable(&a) && usable(&b));
        }

        #[test]
        fn swapping_the_samples_changes_nothing(a in coarse(26), b in coarse(26)) {
            let (there, back) = (mann_whitney(&a, &b).unwrap(), mann_whitney(&b, &a).unwrap());
            prop_assert!(close(there, back), "{} {}", there, back);
            let negated: Vec<f64> = a.iter().map(|value| -value).collect();
            prop_assert!(close(signed_rank(&a).unwrap(), signed_rank(&negated).unwrap()));
        }

        #[test]
        fn only_ranks_matter(a in coarse(26), b in coarse(26)) {
            let cube = |values: &[f64]| values.iter().map(|value| value.powi(3) + 1.0).collect::<Vec<_>>();
            prop_assert_eq!(mann_whitney(&a, &b).unwrap(), mann_whitney(&cube(&a), &cube(&b)).unwrap());
        }

        #[test]
        fn the_normal_approximation_continues_the_exact_test(
            low in prop::sample::subsequence((1..=40).collect::<Vec<usize>>(), 20),
        ) {
            let (a, b) = split(40, &low);
            let off = (2 * low.iter().sum::<usize>()).abs_diff(20 * 41) as f64 / 2.0;
            let normal = normal_p(off, f64::from(20 * 20 * 41) / 12.0);
            prop_assert!((mann_whitney(&a, &b).unwrap() - normal).abs() < 0.005);
        }
    }
}
