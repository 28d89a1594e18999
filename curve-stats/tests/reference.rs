//! The rank statistics against what SciPy 1.17.1 computes on the same input (or, for ties, full enumeration).

use curve_stats::{drift, mann_whitney, ratio, signed_rank};

const A: [f64; 8] = [3.512, 3.498, 3.611, 3.475, 3.702, 3.555, 3.520, 3.481];
const B: [f64; 7] = [3.601, 3.722, 3.588, 3.690, 3.714, 3.530, 3.745];

#[track_caller]
fn same(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{found} is not {expected}");
}

#[test]
fn mann_whitney_is_exact_without_ties() {
    // mannwhitneyu(A, B, method="exact")
    same(mann_whitney(&A, &B).unwrap(), 0.020_512_820_512_820_513);
}

#[test]
fn mann_whitney_is_exact_with_ties() {
    // 264 of the 1,716 ways to choose 7 of 13 midranks have a sum as far off.
    let (a, b) = ([1.0, 2.0, 2.0, 3.0, 5.0, 5.0, 6.0], [2.0, 4.0, 5.0, 6.0, 7.0, 7.0]);
    same(mann_whitney(&a, &b).unwrap(), 264.0 / 1716.0);
}

#[test]
fn mann_whitney_of_larger_samples_is_normal() {
    // mannwhitneyu(a, b, method="asymptotic", use_continuity=True)
    let a: Vec<f64> = (0..30).map(|i| f64::from((i * 7) % 23)).collect();
    let b: Vec<f64> = (0..25).map(|i| f64::from((i * 5) % 19 + 4)).collect();
    same(mann_whitney(&a, &b).unwrap(), 0.503_842_530_688_711_7);
}

#[test]
fn signed_ranks_are_those_of_wilcoxon() {
    // wilcoxon(d, method="exact"); the second has a zero and ties: wilcoxon(d, correction=True, method="asymptotic")
    let differences = [1.1, -0.4, 2.3, 0.7, -0.2, 1.9, 3.1, -1.3, 0.9, 2.8];
    same(signed_rank(&differences).unwrap(), 0.064_453_125);
    let mut many: Vec<f64> = (0..40).map(|i| f64::from((i * 7) % 41 - 15)).collect();
    many.extend([3.0, -3.0]);
    same(signed_rank(&many).unwrap(), 0.031_426_540_474_485_62);
}

#[test]
fn drift_is_kendalls_tau() {
    // kendalltau(range(8), values, method="exact")
    let found = drift(&[5.0, 3.0, 8.0, 1.0, 9.0, 12.0, 7.0, 10.0]).unwrap();
    same(found.tau, 3.0 / 7.0);
    same(found.p, 0.178_869_047_619_047_62);
    // kendalltau's tau-b, and Mann's test for trend with tie and continuity correction.
    let tied = drift(&[5.0, 3.0, 8.0, 3.0, 9.0, 12.0, 7.0, 10.0, 8.0, 8.0, 12.0, 15.0]).unwrap();
    same(tied.tau, 0.551_608_765_794_869_1);
    same(tied.p, 0.018_119_680_460_099_645);
}

#[test]
fn ratio_and_interval_are_the_order_statistics_of_all_pairs() {
    // Enumerated: the 11th of the 56 sorted ratios from both ends, for 2 P(U <= 10) = 1 - 0.9599.
    let estimate = ratio(&A, &B).unwrap();
    same(estimate.ratio, 1.031_628_313_194_407);
    same(estimate.spread.low(), 1.005_125_284_738_041);
    same(estimate.spread.high(), 1.061_870_503_597_122);
    same(estimate.spread.level().unwrap(), 0.959_906_759_906_759_9);
}
