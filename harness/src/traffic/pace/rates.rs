//! The rates of a road: what it receives at most, and by MLRsearch what it carries without loss and nearly so.

use std::time::Duration;

use curve_stats::search::{
    Budget, ControllerInput, ControllerOutput, InputError, MaximumReceiveRate, Measurer, Pace, PacketsPerSecond,
    SearchError, SearchGoal, Width, mrr, search,
};

use super::super::TrafficError;
use super::super::napi::NodeTime;
use super::{Passage, Road};
use crate::result::{CpuAccounts, Flow, RateMethod};
use crate::usage::CpuTicks;

/// The smallest load: the slowest backend at the largest N carries a few thousand packets a second.
const MIN_LOAD: f64 = 1_000.0;
/// Max load, as a share of what the generator does at its fastest: it keeps a schedule only below that.
const SHARE_OF_SENDER: f64 = 0.8;
/// A flood before the search, which warms the path up, measures the generator, and fills the connection table of a backend that
/// cannot be emptied.
const WARM_UP: Duration = Duration::from_millis(200);
const FLOODS: u32 = 3;
/// Bursts of a maximum receive rate.
const BURSTS: u32 = 10;
/// Trials with new flows: each takes a connection, so that they are no longer than the connection table allows.
const NEW_FLOWS: Duration = Duration::from_millis(100);

/// A load that is the same for every backend, packets a second: what the node's CPU time is compared at.
pub const FIXED_LOAD: f64 = 20_000.0;
/// Trials at it.
const FIXED_TRIALS: u32 = 10;
const FIXED_DURATION: Duration = Duration::from_millis(100);

/// What was found on a road.
#[derive(Debug)]
pub struct Rates {
    /// Packets a second of the generator at its fastest.
    pub sender: f64,
    /// The largest load that was tried, packets a second.
    pub max_load: f64,
    /// Absent where the generator kept its rate in no burst.
    pub received: Option<MaximumReceiveRate>,
    /// The goals searched for, and what came of them; absent where only the maximum receive rate was asked for.
    pub searched: Option<(Vec<SearchGoal>, ControllerOutput)>,
    /// CPU time since the warm-up, by the scheduler and by ticks.
    pub accounts: CpuAccounts,
}

/// The longest trial of a method.
///
/// # Errors
/// As [`goals`].
pub fn longest(method: RateMethod, flow: Flow) -> Result<Duration, InputError> {
    Ok(goals(method, flow)?.first().map_or(NEW_FLOWS, |goal| goal.final_trial_duration))
}

/// Measures what `method` asks for.
///
/// # Errors
/// [`TrafficError`].
pub fn rates(road: &mut Road<'_>, method: RateMethod) -> Result<Rates, TrafficError> {
    let goals = goals(method, road.flow())?;
    let burst = longest(method, road.flow())?;
    let sender = warm_up(road)?;
    let most = road.room()?.map_or(f64::INFINITY, |packets| packets as f64 / burst.as_secs_f64());
    let max_load = (sender * SHARE_OF_SENDER).min(most).max(2.0 * MIN_LOAD);
    let before = road.time()?;
    for _ in 0..FIXED_TRIALS {
        road.measure(rate(FIXED_LOAD.min(max_load))?, FIXED_DURATION)?;
    }
    let received = match mrr(road, rate(max_load)?, BURSTS, burst) {
        Ok(received) => Some(received),
        Err(SearchError::NoValidBurst { .. }) => None,
        Err(error) => return Err(unwrapped(error)),
    };
    let searched = if goals.is_empty() { None } else { Some(searched(road, goals, max_load)?) };
    Ok(Rates { sender, max_load, received, searched, accounts: accounts(before, road.time()?) })
}

fn accounts(before: (NodeTime, CpuTicks), after: (NodeTime, CpuTicks)) -> CpuAccounts {
    let threads = |time: NodeTime| time.receive_ns + time.ksoftirqd_ns;
    CpuAccounts {
        threads_ns: threads(after.0).saturating_sub(threads(before.0)),
        kernel_ns: after.1.kernel_ns_since(before.1),
    }
}

fn searched<M: Measurer<Error = TrafficError>>(
    road: &mut M,
    goals: Vec<SearchGoal>,
    max_load: f64,
) -> Result<(Vec<SearchGoal>, ControllerOutput), TrafficError> {
    let longest = goals.iter().map(|goal| goal.duration_sum).max().unwrap_or_default();
    let input = ControllerInput {
        goals: goals.clone(),
        min_load: rate(MIN_LOAD)?,
        max_load: rate(max_load)?,
        budget: Budget { trials: 2_000, time: longest * 40 },
    };
    Ok((goals, search(road, &input).map_err(unwrapped)?))
}

/// The generator's greatest speed.
fn warm_up(road: &mut Road<'_>) -> Result<f64, TrafficError> {
    let mut fastest = 0.0_f64;
    for _ in 0..FLOODS {
        let flood = road.flood(WARM_UP)?;
        fastest = fastest.max(flood.offered as f64 / flood.duration.as_secs_f64());
    }
    Ok(fastest)
}

/// The goals of a method: no loss and a loss of 0.5%. FD.io CSIT's take 21 s for each load near the result, which no curve has time for;
/// `quick` decides a load by 10 trials of 100 ms, and its bounds lie up to 2% apart.
///
/// # Errors
/// None in fact: the widths are constants.
pub fn goals(method: RateMethod, flow: Flow) -> Result<Vec<SearchGoal>, InputError> {
    let both = |of: fn(SearchGoal) -> Result<SearchGoal, InputError>| {
        [SearchGoal::NDR, SearchGoal::PDR].into_iter().map(of).collect()
    };
    match (method, flow) {
        (RateMethod::Mrr, _) => Ok(Vec::new()),
        (RateMethod::Quick, _) => both(quick),
        (RateMethod::Csit, Flow::Established) => both(Ok),
        (RateMethod::Csit, Flow::New) => both(|goal| {
            Ok(SearchGoal {
                initial_trial_duration: NEW_FLOWS,
                final_trial_duration: NEW_FLOWS,
                duration_sum: NEW_FLOWS * 21,
                ..goal
            })
        }),
    }
}

fn quick(goal: SearchGoal) -> Result<SearchGoal, InputError> {
    Ok(SearchGoal {
        initial_trial_duration: Duration::from_millis(50),
        final_trial_duration: Duration::from_millis(100),
        duration_sum: Duration::from_secs(1),
        width: Width::new(0.02)?,
        ..goal
    })
}

/// The trial at the top of a search: of those at the highest load at which the generator kept its rate, the one that carried most.
#[must_use]
pub fn top(passages: &[Passage]) -> Option<&Passage> {
    let valid = passages.iter().filter(|passage| passage.pace() == Pace::Kept);
    valid.max_by(|a, b| a.load.total_cmp(&b.load).then(a.carried.cmp(&b.carried)))
}

fn rate(value: f64) -> Result<PacketsPerSecond, InputError> {
    PacketsPerSecond::new(value)
}

fn unwrapped(error: SearchError<TrafficError>) -> TrafficError {
    match error {
        SearchError::Measurer { source, .. } => source,
        other => TrafficError::Search(Box::new(other)),
    }
}

#[cfg(test)]
mod tests {
    use curve_stats::search::TrialOutcome;

    use super::*;

    /// Carries 100,000 packets a second.
    struct Device;

    impl Measurer for Device {
        type Error = TrafficError;

        fn measure(&mut self, load: PacketsPerSecond, duration: Duration) -> Result<TrialOutcome, TrafficError> {
            let packets = |rate: f64| (rate * duration.as_secs_f64()) as u64;
            let carried = packets(load.get().min(1e5));
            Ok(TrialOutcome::new(packets(load.get()), carried, duration, Pace::Kept)?)
        }
    }

    #[test]
    fn the_goals_of_every_method_find_a_steady_capacity_within_their_width() {
        for (method, flow, seconds) in [
            (RateMethod::Quick, Flow::New, 6.0),
            (RateMethod::Csit, Flow::New, 15.0),
            (RateMethod::Csit, Flow::Established, 150.0),
        ] {
            let (goals, output) = searched(&mut Device, goals(method, flow).unwrap(), 2e6).unwrap();
            for (goal, result) in goals.iter().zip(&output.results) {
                let found = result.regular().unwrap();
                let [low, high] = [found.relevant_lower_bound.get(), found.relevant_upper_bound.get()];
                let carried = 1e5 / (1.0 - goal.loss_ratio.get());
                assert!(low <= carried * 1.0001 && carried <= high * 1.0001, "{method:?} {low} {high}");
                assert!(1.0 - low / high <= goal.width.get() * 1.0001, "{method:?} {low} {high}");
            }
            assert!(output.spent.as_secs_f64() < seconds, "{method:?} took {:?}", output.spent);
        }
    }

    #[test]
    fn a_maximum_receive_rate_alone_has_no_goal() {
        assert!(goals(RateMethod::Mrr, Flow::New).unwrap().is_empty());
    }

    #[test]
    fn trials_of_new_flows_are_short_whatever_the_method() {
        for method in [RateMethod::Quick, RateMethod::Csit] {
            let goals = goals(method, Flow::New).unwrap();
            assert!(goals.iter().all(|goal| goal.final_trial_duration <= NEW_FLOWS));
        }
    }
}
