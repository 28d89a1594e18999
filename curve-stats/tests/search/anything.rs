//! Whatever a device does, a result is what the trials say.

use std::time::Duration;

use curve_stats::search::{
    Budget, ControllerInput, ControllerOutput, GoalResult, LoadClassification, Measurer, OutcomeError, Pace,
    PacketsPerSecond, Ratio, SearchGoal, Trial, TrialOutcome, TrialResult, Width, search,
};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::input;

/// Loses nothing, something or everything, and keeps a rate or does not, as it pleases.
struct Whim {
    random: ChaCha8Rng,
    lossless: f64,
    keeps: f64,
    trials: usize,
}

impl Measurer for Whim {
    type Error = OutcomeError;

    fn measure(&mut self, load: PacketsPerSecond, duration: Duration) -> Result<TrialOutcome, OutcomeError> {
        self.trials += 1;
        let offered = (load.get() * duration.as_secs_f64()).max(1.0) as u64;
        let lost = if self.random.random_bool(self.lossless) { 0 } else { self.random.random_range(0..=offered) };
        let pace = if self.random.random_bool(self.keeps) { Pace::Kept } else { Pace::Missed };
        TrialOutcome::new(offered, offered - lost, duration, pace)
    }
}

fn any_goal() -> impl Strategy<Value = SearchGoal> {
    let ratios = (prop_oneof![Just(0.0), 0.0..0.99_f64], prop_oneof![Just(0.0), 0.0..0.99_f64]);
    let milliseconds = (1..5_000_u64, 1..5_000_u64, 1..20_000_u64);
    (ratios, milliseconds, 0.001..0.5_f64, 0..5_u8).prop_map(
        |((loss, exceed), (one, other, sum), width, preceding_targets)| SearchGoal {
            loss_ratio: Ratio::new(loss).unwrap(),
            exceed_ratio: Ratio::new(exceed).unwrap(),
            initial_trial_duration: Duration::from_millis(one.min(other)),
            final_trial_duration: Duration::from_millis(one.max(other)),
            duration_sum: Duration::from_millis(sum),
            width: Width::new(width).unwrap(),
            preceding_targets,
        },
    )
}

fn at(output: &ControllerOutput, load: PacketsPerSecond) -> Vec<TrialResult> {
    output.trials.iter().filter(|result| result.trial.load == load).copied().collect()
}

fn assert_is_what_the_trials_say(output: &ControllerOutput, goal: &SearchGoal, result: &GoalResult) {
    let (lower, upper) = match result {
        GoalResult::Regular(result) => (Some(result.relevant_lower_bound), Some(result.relevant_upper_bound)),
        GoalResult::Irregular(result) => (result.effective_lower_bound, result.relevant_upper_bound),
    };
    let class = |load| goal.classify(&at(output, load));
    for load in output.trials.iter().map(|result| result.trial.load) {
        if upper.is_none_or(|upper| load < upper) {
            assert_ne!(class(load), LoadClassification::UpperBound, "{load} under {upper:?}");
            let above = lower.is_none_or(|lower| load > lower);
            assert!(!above || class(load) == LoadClassification::Undecided, "{load} over {lower:?}");
        }
    }
    assert!(upper.is_none_or(|upper| class(upper) == LoadClassification::UpperBound));
    assert!(lower.is_none_or(|lower| class(lower) == LoadClassification::LowerBound));
    let throughput = lower.and_then(|lower| goal.conditional_throughput(lower, &at(output, lower)));
    assert_eq!(result.conditional_throughput(), throughput);
    if let (Some(lower), Some(throughput)) = (lower, throughput) {
        let least = lower.get() * (1.0 - goal.loss_ratio.get());
        assert!(throughput.0 <= lower && throughput.0.get() >= least * (1.0 - 1e-9), "{throughput:?} at {lower}");
    }
    if let (GoalResult::Regular(_), Some(lower), Some(upper)) = (result, lower, upper) {
        let width = (upper.get() - lower.get()) / upper.get();
        assert!(width > 0.0 && width <= goal.width.get() * (1.0 + 1e-6), "{lower} to {upper}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_result_is_what_the_trials_say(
        goals in prop::collection::vec(any_goal(), 1..4), seed: u64, lossless in 0.0..=1.0_f64,
        keeps in prop_oneof![Just(1.0), 0.2..1.0_f64], trials in 1..400_usize, seconds in 1..2_000_u64,
    ) {
        let budget = Budget { trials, time: Duration::from_secs(seconds) };
        let input = ControllerInput { budget, ..input(&goals) };
        let mut device = Whim { random: ChaCha8Rng::seed_from_u64(seed), lossless, keeps, trials: 0 };
        let output = search(&mut device, &input).unwrap();
        prop_assert_eq!(output.trials.len() + output.invalid.len(), device.trials);
        prop_assert!(device.trials <= trials && output.spent <= budget.time);
        prop_assert!(output.trials.iter().all(|result| result.outcome.pace() == Pace::Kept));
        let loads = input.min_load..=input.max_load;
        prop_assert!(output.trials.iter().chain(&output.invalid).all(|result| loads.contains(&result.trial.load)));
        prop_assert_eq!(output.results.len(), goals.len());
        for (goal, result) in goals.iter().zip(&output.results) {
            assert_is_what_the_trials_say(&output, goal, result);
        }
    }
}

/// 0.426 s have no exact float: three times added and three times taken away again leave something.
#[test]
fn a_lower_bound_never_lacks_a_trial_by_rounding() {
    let (duration, load) = (Duration::from_millis(426), PacketsPerSecond::new(1e6).unwrap());
    let goal = SearchGoal {
        exceed_ratio: Ratio::ZERO,
        initial_trial_duration: duration,
        final_trial_duration: duration,
        duration_sum: Duration::from_millis(853),
        ..SearchGoal::NDR
    };
    let outcome = TrialOutcome::new(426_000, 426_000, duration, Pace::Kept).unwrap();
    let trials = [TrialResult { trial: Trial { load, duration }, outcome }; 3];
    assert_eq!(goal.classify(&trials), LoadClassification::LowerBound);
    assert_eq!(goal.conditional_throughput(load, &trials).unwrap().0, load);
}
