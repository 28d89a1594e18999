//! Throughput search on simulated devices, of which the truth is known.

#![expect(clippy::unwrap_used, reason = "inputs are constants; helpers of tests are not seen as tests")]

mod anything;
mod cost;
mod devices;
mod draft;
mod limits;
mod receive_rate;
mod steady;
mod unsteady;

use std::time::Duration;

use curve_stats::search::{
    Budget, ControllerInput, ControllerOutput, Measurer, PacketsPerSecond, Ratio, RegularGoalResult, SearchGoal, search,
};

const MIN_LOAD: f64 = 1e4;
const MAX_LOAD: f64 = 1e7;

fn rate(value: f64) -> PacketsPerSecond {
    PacketsPerSecond::new(value).unwrap()
}

fn input(goals: &[SearchGoal]) -> ControllerInput {
    let budget = Budget { trials: 10_000, time: Duration::from_secs(100_000) };
    ControllerInput { goals: goals.to_vec(), min_load: rate(MIN_LOAD), max_load: rate(MAX_LOAD), budget }
}

fn run<M: Measurer>(mut device: M, goals: &[SearchGoal]) -> ControllerOutput {
    search(&mut device, &input(goals)).unwrap()
}

fn regular(output: &ControllerOutput, goal: usize) -> RegularGoalResult {
    *output.results[goal].regular().unwrap_or_else(|| panic!("{:?}", output.results[goal]))
}

/// No loss in one long trial, as RFC 2544 wants it, but for half a minute.
fn one_long_trial() -> SearchGoal {
    let half_a_minute = Duration::from_secs(30);
    SearchGoal {
        exceed_ratio: Ratio::ZERO,
        final_trial_duration: half_a_minute,
        duration_sum: half_a_minute,
        ..SearchGoal::NDR
    }
}

fn exceeding(exceed_ratio: f64) -> SearchGoal {
    SearchGoal { exceed_ratio: Ratio::new(exceed_ratio).unwrap(), ..SearchGoal::NDR }
}
