//! Devices that do the same in every trial.

use std::time::Duration;

use curve_stats::search::{ControllerOutput, Ratio, SearchGoal, TrialResult, Width};
use proptest::prelude::*;

use super::devices::{exact, livelocked, queueing};
use super::{MAX_LOAD, MIN_LOAD, one_long_trial, regular, run};

/// The largest load of which a device of this capacity loses no more than the share.
fn truth(capacity: f64, loss_ratio: f64) -> f64 {
    capacity / (1.0 - loss_ratio)
}

/// The bounds hold the truth between them, no further apart than the width. Half a packet of a second's trial is no loss.
fn assert_brackets(output: &ControllerOutput, index: usize, truth: f64, width: f64) {
    let result = regular(output, index);
    let (lower, upper) = (result.relevant_lower_bound.get(), result.relevant_upper_bound.get());
    let half = 0.5 / truth;
    assert!(lower <= truth * (1.0 + half) && truth * (1.0 - half) <= upper, "{lower} to {upper} is not round {truth}");
    assert!((upper - lower) / upper <= width * (1.0 + 1e-6), "{lower} to {upper} is wider than {width}");
}

proptest! {
    #[test]
    fn the_bounds_are_round_the_capacity(
        log in MIN_LOAD.ln()..MAX_LOAD.ln(), width in 0.001..0.05_f64, loss in 0.0..0.2_f64, preceding_targets in 0..6_u8,
    ) {
        let capacity = log.exp();
        prop_assume!(capacity < 0.75 * MAX_LOAD && capacity > 1.1 * MIN_LOAD);
        let fine = SearchGoal { width: Width::new(width).unwrap(), preceding_targets, ..SearchGoal::NDR };
        let tolerant = SearchGoal { loss_ratio: Ratio::new(loss).unwrap(), ..SearchGoal::NDR };
        let output = run(exact(capacity), &[SearchGoal::NDR, SearchGoal::PDR, fine, tolerant, one_long_trial()]);
        let expected = [(0.0, 0.005), (0.005, 0.005), (0.0, width), (loss, 0.005), (0.0, 0.005)];
        for (index, (loss, width)) in expected.into_iter().enumerate() {
            assert_brackets(&output, index, truth(capacity, loss), width);
            // What is carried is the capacity, whatever load the goal's loss ratio allows.
            let carried = output.results[index].conditional_throughput().unwrap().0.get();
            prop_assert!(carried <= capacity * (1.0 + 1e-3) && carried >= capacity * (1.0 - width - 1e-3), "{carried} of {capacity}");
        }
    }

    #[test]
    fn a_device_that_carries_less_when_overloaded_is_found_too(log in MIN_LOAD.ln()..MAX_LOAD.ln()) {
        let capacity = log.exp();
        prop_assume!(capacity < 0.9 * MAX_LOAD && capacity > 1.1 * MIN_LOAD);
        let output = run(livelocked(capacity), &[SearchGoal::NDR]);
        assert_brackets(&output, 0, capacity, 0.005);
    }
}

/// At 1% above capacity the queue takes 10 seconds to fill: short trials lose nothing there.
#[test]
fn a_queue_does_not_pass_for_capacity_where_trials_are_long() {
    let (capacity, queue) = (1e6, 1e5);
    let long = one_long_trial();
    let output = run(queueing(capacity, queue), &[long]);
    let seconds = long.final_trial_duration.as_secs_f64();
    assert_brackets(&output, 0, capacity + queue / seconds, 0.005);
    let lower = regular(&output, 0).relevant_lower_bound;
    let there = output.trials.iter().filter(|result| result.trial.load == lower);
    assert!(there.clone().any(|result| result.trial.duration == long.final_trial_duration));
    // Seconds were not enough to see it: the same goal with trials of a second finds what the queue hides.
    let short = run(queueing(capacity, queue), &[SearchGoal::NDR]);
    assert_brackets(&short, 0, capacity + queue, 0.005);
}

/// A long trial is a full-length one for a goal of short trials too, and outweighs many of them (section 4.6.1 advises against such
/// goals in one search): both goals then have the bounds of the long trials, never the looser ones.
#[test]
fn a_goal_of_long_trials_makes_one_of_short_trials_strict() {
    let (capacity, queue) = (1e6, 1e5);
    let long = one_long_trial();
    let output = run(queueing(capacity, queue), &[SearchGoal::NDR, long]);
    for index in [0, 1] {
        assert_brackets(&output, index, capacity + queue / long.final_trial_duration.as_secs_f64(), 0.005);
    }
}

/// Short trials at the lower bound lose nothing, since the queue takes it; long ones lose what the goal allows.
#[test]
fn the_throughput_is_that_of_full_length_trials() {
    let goal = SearchGoal { loss_ratio: Ratio::new(0.005).unwrap(), ..one_long_trial() };
    let output = run(queueing(1e6, 1e5), &[goal]);
    let result = regular(&output, 0);
    let (lower, throughput) = (result.relevant_lower_bound, result.conditional_throughput.0);
    let there = output.trials.iter().filter(|result| result.trial.load == lower);
    let (full, short): (Vec<&TrialResult>, Vec<_>) =
        there.partition(|result| result.trial.duration >= goal.final_trial_duration);
    assert!(!short.is_empty() && short.iter().all(|result| result.outcome.lost() == 0), "{short:?}");
    assert_eq!(full.iter().map(|result| result.forwarding_rate()).collect::<Vec<_>>(), [throughput]);
    // 30 million packets, and the queue's 100,000, in 30 seconds.
    assert!(throughput < lower && (throughput.get() - 1e6 - 1e5 / 30.0).abs() < 1.0, "{throughput}");
}

/// Section 4.10.2: bounds and throughput are RFC 2544's, and one trial of a minute is all that the lower bound takes.
#[test]
fn the_goal_of_rfc_2544_gives_its_throughput() {
    let output = run(exact(1e6), &[SearchGoal::rfc2544(Width::new(0.01).unwrap())]);
    assert_brackets(&output, 0, 1e6, 0.01);
    let result = regular(&output, 0);
    assert_eq!(result.conditional_throughput.0, result.relevant_lower_bound);
    let there = output.trials.iter().filter(|trial| trial.trial.load == result.relevant_lower_bound);
    let minute = Duration::from_secs(60);
    assert_eq!(there.filter(|trial| trial.trial.duration == minute && trial.outcome.lost() == 0).count(), 1);
}
