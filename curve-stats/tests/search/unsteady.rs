//! Devices that do now this, now that.

use curve_stats::search::SearchGoal;
use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::devices::{bistable, noisy};
use super::{exceeding, one_long_trial, regular, run};

const CAPACITY: f64 = 1e6;
const SEEDS: u64 = 200;

fn carried(seed: u64, spread: f64, goals: &[SearchGoal]) -> Vec<f64> {
    let output = run(noisy(CAPACITY, spread, seed), goals);
    output.results.iter().map(|result| result.conditional_throughput().unwrap().0.get()).collect()
}

/// With half of the trials allowed to lose, noise to both sides leaves the median, which is the capacity.
#[test]
fn noise_moves_the_throughput_by_little() {
    for (spread, near) in [(0.005, 0.01), (0.02, 0.025)] {
        let errors: Vec<Vec<f64>> = (0..SEEDS)
            .map(|seed| carried(seed, spread, &[SearchGoal::NDR, SearchGoal::PDR]))
            .map(|values| values.iter().map(|value| value / CAPACITY - 1.0).collect())
            .collect();
        for goal in [0, 1] {
            let (low, high) = range(errors.iter().map(|errors| errors[goal]));
            println!("spread {spread}, goal {goal}: {:+.2}% to {:+.2}%", 100.0 * low, 100.0 * high);
            assert!(low >= -near && high <= near, "spread {spread}, goal {goal}: {low} to {high}");
        }
    }
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

/// Allowing a quarter to lose leaves the slow state, three quarters the fast one, half something between.
#[test]
fn the_exceed_ratio_chooses_between_two_states() {
    let (slow, fast) = (0.7e6, 1e6);
    let result = |exceed| regular(&run(bistable(slow, fast), &[exceeding(exceed)]), 0);
    for exceed in [0.0, 0.25] {
        let result = result(exceed);
        assert!(result.relevant_lower_bound.get() <= slow && slow <= result.relevant_upper_bound.get(), "{result:?}");
    }
    let between = result(0.5).conditional_throughput.0.get();
    assert!((0.995 * slow..=fast).contains(&between), "{between}");
    let result = result(0.75);
    assert!(result.relevant_lower_bound.get() <= fast && fast <= result.relevant_upper_bound.get(), "{result:?}");
}

/// The first in order of goals is not the first to be measured.
#[test]
fn the_order_of_goals_changes_nothing() {
    let goals = vec![SearchGoal::NDR, SearchGoal::PDR, one_long_trial(), exceeding(0.75), exceeding(0.1)];
    let strategy = (0..1000_u64, subsequence(goals, 2..=5).prop_shuffle());
    let mut runner = TestRunner::deterministic();
    for _ in 0..30 {
        let (seed, shuffled) = strategy.new_tree(&mut runner).unwrap().current();
        let mut reversed = shuffled.clone();
        reversed.reverse();
        let [one, mut other] = [&shuffled, &reversed].map(|goals| run(noisy(CAPACITY, 0.02, seed), goals));
        other.results.reverse();
        assert_eq!(one, other, "{shuffled:?}");
    }
}
