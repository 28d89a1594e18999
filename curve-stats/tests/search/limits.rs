//! Goals without a regular result, inputs without a search, and budgets.

use std::time::Duration;

use curve_stats::search::{
    Budget, Budgeted, GoalAttribute, GoalResult, InputError, Irregularity, Measurer, OfferLimit, OutcomeError, Pace,
    PacketsPerSecond, Ratio, SearchError, SearchGoal, TrialOutcome, Width, search,
};

use super::devices::{exact, lossy, noisy, unlimited};
use super::{MAX_LOAD, MIN_LOAD, input, one_long_trial, rate, regular, run};

const GOALS: [SearchGoal; 2] = [SearchGoal::NDR, SearchGoal::PDR];

#[test]
fn a_device_that_carries_max_load_has_a_lower_bound_only() {
    let output = run(unlimited(), &GOALS);
    for result in &output.results {
        let GoalResult::Irregular(result) = result else { panic!("{result:?}") };
        assert_eq!(result.reason, Irregularity::NotOverloaded(OfferLimit::MaxLoad));
        assert_eq!((result.effective_lower_bound, result.relevant_upper_bound), (Some(rate(MAX_LOAD)), None));
        assert_eq!(result.conditional_throughput.unwrap().0, rate(MAX_LOAD));
        assert!(result.reason.to_string().contains("never exceeded what was carried"));
    }
    assert_eq!(output.trials.len(), 11, "eleven of 21 trials are certain to be enough");
}

#[test]
fn a_device_that_always_loses_has_an_upper_bound_only() {
    let output = run(lossy(0.1), &GOALS);
    for result in &output.results {
        let GoalResult::Irregular(result) = result else { panic!("{result:?}") };
        assert_eq!(result.reason, Irregularity::FailsAtMinLoad);
        assert_eq!((result.effective_lower_bound, result.relevant_upper_bound), (None, Some(rate(MIN_LOAD))));
        assert_eq!(result.conditional_throughput, None);
    }
}

/// 0.3% are lost always: too much for one goal, not for the other.
#[test]
fn goals_are_irregular_each_for_itself() {
    let output = run(lossy(0.003), &GOALS);
    let reasons: Vec<_> = output.results.iter().map(|result| result.irregularity().unwrap()).collect();
    assert_eq!(reasons, [Irregularity::FailsAtMinLoad, Irregularity::NotOverloaded(OfferLimit::MaxLoad)]);
}

#[test]
fn a_sender_that_is_too_slow_is_not_taken_for_the_device() {
    let output = run(exact(5e6).behind_sender(2e6), &GOALS);
    for result in &output.results {
        let GoalResult::Irregular(result) = result else { panic!("{result:?}") };
        assert_eq!(result.reason, Irregularity::NotOverloaded(OfferLimit::Sender));
        let lower = result.effective_lower_bound.unwrap().get();
        assert!((1.96e6..=2e6).contains(&lower), "{lower}");
    }
    assert_eq!(output.invalid.len(), 3, "an invalid trial is repeated twice");
    assert!(output.invalid.iter().all(|result| result.outcome.pace() == Pace::Missed));
    assert!(output.trials.iter().all(|result| result.outcome.lost() == 0));
}

#[test]
fn a_sender_that_overloads_the_device_is_fast_enough() {
    let output = run(exact(1e6).behind_sender(2e6), &GOALS);
    assert!(
        regular(&output, 0).relevant_lower_bound.get() <= 1e6 && 1e6 <= regular(&output, 0).relevant_upper_bound.get()
    );
    let top = output.most_offered().unwrap();
    assert!(top.trial.load.get() > 1.9e6 && top.outcome.offered() as f64 > 1.9 * top.outcome.forwarded() as f64);
}

#[test]
fn a_sender_that_sends_hardly_anything_says_nothing_of_the_device() {
    let output = run(exact(1e6).behind_sender(MIN_LOAD / 2.0), &GOALS);
    for result in &output.results {
        assert_eq!(result.irregularity(), Some(Irregularity::NothingOffered));
    }
    assert!(output.trials.is_empty() && output.invalid.len() <= 6, "{}", output.invalid.len());
}

#[test]
fn a_spent_budget_is_told_with_what_was_found() {
    let full = run(exact(1e6), &GOALS);
    for trials in 0..full.trials.len() {
        let limited = Budget { trials, time: Duration::MAX };
        let output = search(&mut exact(1e6), &super::ControllerInput { budget: limited, ..input(&GOALS) }).unwrap();
        assert_eq!(output.trials, full.trials[..trials], "it only stops earlier");
        assert!(
            output
                .results
                .iter()
                .any(|result| result.irregularity() == Some(Irregularity::BudgetSpent(Budgeted::Trials)))
        );
    }
    let time = Budget { trials: usize::MAX, time: Duration::from_secs(10) };
    let output = search(&mut exact(1e6), &super::ControllerInput { budget: time, ..input(&GOALS) }).unwrap();
    assert_eq!(output.results[0].irregularity(), Some(Irregularity::BudgetSpent(Budgeted::Time)));
    assert!(output.spent <= time.time);
}

#[test]
fn noise_never_takes_more_than_the_budget() {
    let budget = Budget { trials: 40, time: Duration::MAX };
    for seed in 0..50 {
        let mut device = noisy(1e6, 0.2, seed);
        search(&mut device, &super::ControllerInput { budget, ..input(&GOALS) }).unwrap();
        assert!(device.trials <= budget.trials);
    }
}

struct Broken;

#[derive(Debug, thiserror::Error)]
#[error("the cable is out")]
struct CableOut;

impl Measurer for Broken {
    type Error = CableOut;

    fn measure(&mut self, _: PacketsPerSecond, _: Duration) -> Result<TrialOutcome, CableOut> {
        Err(CableOut)
    }
}

#[test]
fn a_failure_of_the_measurer_is_carried_with_its_trial() {
    let error = search(&mut Broken, &input(&GOALS)).unwrap_err();
    assert_eq!(error.to_string(), "the trial of 1s at 10000000 packets/s failed");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the cable is out");
}

#[test]
fn inputs_that_cannot_be_searched_are_named() {
    let refused = |input: &super::ControllerInput| match search(&mut unlimited(), input).unwrap_err() {
        SearchError::Input(error) => error,
        error => panic!("{error}"),
    };
    let with = |goal| refused(&input(&[SearchGoal::NDR, goal]));
    assert_eq!(refused(&input(&[])), InputError::NoGoals);
    let one = Ratio::new(1.0).unwrap();
    let goal = SearchGoal { loss_ratio: one, ..SearchGoal::NDR };
    assert_eq!(with(goal), InputError::MetByAll { attribute: GoalAttribute::LossRatio, goal });
    let goal = SearchGoal { exceed_ratio: one, ..SearchGoal::NDR };
    assert_eq!(with(goal), InputError::MetByAll { attribute: GoalAttribute::ExceedRatio, goal });
    let goal = SearchGoal { duration_sum: Duration::ZERO, ..SearchGoal::NDR };
    let none = with(goal);
    assert_eq!(none, InputError::NoDuration { attribute: GoalAttribute::DurationSum, goal });
    assert!(none.to_string().starts_with("a goal duration sum of zero: SearchGoal {"), "{none}");
    let backwards = SearchGoal { initial_trial_duration: Duration::from_secs(31), ..one_long_trial() };
    let (initial, last) = (Duration::from_secs(31), Duration::from_secs(30));
    assert_eq!(with(backwards), InputError::InitialAboveFinal { initial, last });
    let (min, max) = (rate(1e6), rate(1e6));
    let limits = super::ControllerInput { min_load: min, max_load: max, ..input(&GOALS) };
    assert_eq!(refused(&limits), InputError::Limits { min, max });
    let min = rate(0.5);
    let shortest = Duration::from_secs(1);
    assert_eq!(
        refused(&super::ControllerInput { min_load: min, ..input(&GOALS) }),
        InputError::NoPacket { min, shortest }
    );
    let hair = SearchGoal { width: Width::new(1e-12).unwrap(), ..SearchGoal::NDR };
    assert!(matches!(with(hair), InputError::TooFine { .. }));
}

#[test]
fn values_that_are_none_are_refused() {
    for value in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(PacketsPerSecond::new(value).is_err() && Ratio::new(value).is_err() && Width::new(value).is_err());
    }
    assert_eq!(Width::new(0.0), Err(InputError::NotAWidth { value: 0.0 }));
    assert_eq!(Ratio::new(1.5), Err(InputError::NotARatio { value: 1.5 }));
    let second = Duration::from_secs(1);
    assert_eq!(TrialOutcome::new(0, 0, second, Pace::Kept), Err(OutcomeError::NothingOffered));
    let more = OutcomeError::MoreThanOffered { offered: 1, forwarded: 2 };
    assert_eq!(TrialOutcome::new(1, 2, second, Pace::Kept), Err(more));
}
