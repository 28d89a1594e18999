//! Throughput searches on a programmed topology.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use curve_stats::search::{GoalResult, MaximumReceiveRate, Pace, SearchGoal};
use hdrhistogram::Histogram;

use super::MeasureError;
use super::site::Site;
use crate::probe::{Instrument, ProbeError, histogram};
use crate::result::{
    Flow, GoalRecord, LagRecord, LatencyRecord, LoadedRecord, NewShare, NodeCpu, PacketSize, PassageRecord, Position,
    RateMethod, RateRecord, ReceivedRate, encode_histogram,
};
use crate::run::plan::Measure;
use crate::run::planner::FLOWS_A_SEARCH;
use crate::run::record::Record;
use crate::traffic::{
    FIXED_LOAD, Loaded, PaceOrder, Passage, Rates, Road, TIMED_LAG_BOUND, TrafficError, loaded, longest, rates, top,
};

/// Who is not interrupted.
static NEVER: AtomicBool = AtomicBool::new(false);

/// What is searched for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sought {
    pub(super) method: RateMethod,
    pub(super) packet_size: PacketSize,
    pub(super) new_share: Option<NewShare>,
}

impl Site<'_> {
    /// One search of a cell's rates, and the latency under shares of the loss-free one.
    pub(super) fn search(
        &self,
        instrument: &mut Instrument,
        measure: &Measure,
        Sought { method, packet_size, new_share }: Sought,
        (flow, position): (Flow, Position),
    ) -> Result<Record, MeasureError> {
        let traffic = self.order(measure, flow, position);
        let longest = longest(method, flow).map_err(TrafficError::from)?;
        let cancel = self.cancel.unwrap_or(&NEVER);
        let (size, numbers) = (packet_size, FLOWS_A_SEARCH);
        let order = PaceOrder { traffic: &traffic, size, new_share, numbers, longest, cancel };
        let searched = instrument.pace(&order, |road| {
            let found = rates(road, method)?;
            let loads = under_load(road, &found)?;
            Ok((found, road.passages().to_vec(), loads))
        });
        let (found, passages, loads) = searched.map_err(|error| match error {
            TrafficError::Interrupted => MeasureError::Interrupted,
            other => MeasureError::Traffic(other),
        })?;
        let is_valid = |passage: &&Passage| passage.pace() == Pace::Kept;
        let valid: Vec<_> = passages.iter().filter(is_valid).collect();
        Ok(Record::Rates(Box::new(RateRecord {
            cell: self.cell(flow, position),
            trial: measure.trial,
            method,
            packet_size,
            new_share,
            sender_pps: found.sender,
            max_load_pps: found.max_load,
            goals: goals(&found, &valid),
            received: found.received.as_ref().map(|rate| received(rate, cpu_at(found.max_load, &valid))),
            top: top(&passages).map(passage),
            valid: valid.len() as u32,
            invalid: (passages.len() - valid.len()) as u32,
            fixed_cpu: cpu_at(FIXED_LOAD.min(found.max_load), &valid),
            accounts: Some(found.accounts),
            lag: lag(valid.iter().map(|passage| &passage.lag))?,
            loaded: loads.iter().map(loaded_record).collect::<Result<_, _>>()?,
        })))
    }
}

/// Shares of the loss-free rate, where one was found: each is offered for as long as a load of the search is decided by.
fn under_load(road: &mut Road<'_>, found: &Rates) -> Result<Vec<Loaded>, TrafficError> {
    let Some((goal, rate)) = found.searched.as_ref().and_then(|(goals, output)| {
        let of_goals = goals.iter().zip(&output.results);
        of_goals.filter(|(goal, _)| goal.loss_ratio.get() == 0.0).find_map(|(goal, result)| {
            Some((*goal, result.conditional_throughput()?.0)).filter(|(_, rate)| rate.get() > 0.0)
        })
    }) else {
        return Ok(Vec::new());
    };
    loaded(road, rate, trials(&goal), goal.final_trial_duration)
}

/// Trials that decide a load.
fn trials(goal: &SearchGoal) -> u32 {
    let (sum, each): (Duration, Duration) = (goal.duration_sum, goal.final_trial_duration);
    u32::try_from(sum.as_nanos().div_ceil(each.as_nanos().max(1))).unwrap_or(u32::MAX).max(1)
}

fn loaded_record(load: &Loaded) -> Result<LoadedRecord, MeasureError> {
    let at = |quantile| load.latency.value_at_quantile(quantile);
    let latency = || -> Result<_, MeasureError> {
        let (max, histogram) = (load.max_ns, encode_histogram(&load.latency)?);
        let (p50, p90, p99, p999, p9999) = (at(0.5), at(0.9), at(0.99), at(0.999), at(0.9999));
        Ok(LatencyRecord { p50, p90, p99, p999, p9999, max, histogram })
    };
    Ok(LoadedRecord {
        share_percent: load.share_percent,
        load_pps: load.load.get(),
        valid: load.valid,
        invalid: load.invalid,
        lag_bound_ns: TIMED_LAG_BOUND.as_nanos() as u64,
        offered: load.offered,
        carried: load.carried,
        misdirected: load.misdirected,
        latency: (load.carried > 0).then(latency).transpose()?,
        lag: lag(std::iter::once(&load.lag))?,
    })
}

fn goals(found: &Rates, valid: &[&Passage]) -> Vec<GoalRecord> {
    let Some((goals, output)) = &found.searched else { return Vec::new() };
    goals.iter().zip(&output.results).map(|(goal, result)| goal_record(goal, result, valid)).collect()
}

fn goal_record(goal: &SearchGoal, result: &GoalResult, valid: &[&Passage]) -> GoalRecord {
    let (lower, upper) = match result {
        GoalResult::Regular(found) => (Some(found.relevant_lower_bound), Some(found.relevant_upper_bound)),
        GoalResult::Irregular(found) => (found.effective_lower_bound, found.relevant_upper_bound),
    };
    GoalRecord {
        loss_ratio: goal.loss_ratio.get(),
        lower_pps: lower.map(|rate| rate.get()),
        upper_pps: upper.map(|rate| rate.get()),
        throughput_pps: result.conditional_throughput().map(|throughput| throughput.0.get()),
        irregular: result.irregularity().map(|reason| reason.to_string()),
        cpu: lower.and_then(|load| cpu_at(load.get(), valid)),
    }
}

fn received(rate: &MaximumReceiveRate, cpu: Option<NodeCpu>) -> ReceivedRate {
    ReceivedRate {
        mean_pps: rate.mean.get(),
        stdev_pps: rate.stdev.map(|stdev| stdev.get()),
        bursts: rate.values.len() as u32,
        lossless: rate.lossless,
        invalid: rate.invalid,
        cpu,
    }
}

/// What the node took in the trials at a load; `None` without one.
fn cpu_at(load: f64, valid: &[&Passage]) -> Option<NodeCpu> {
    let at_load: Vec<_> = valid.iter().filter(|passage| passage.load == load).collect();
    let sum = |of: fn(&Passage) -> u64| at_load.iter().map(|passage| of(passage)).sum();
    (!at_load.is_empty()).then(|| NodeCpu {
        load_pps: load,
        trials: at_load.len() as u32,
        duration_ns: sum(|passage| nanoseconds(passage.duration + passage.standing)),
        offered: sum(|passage| passage.offered),
        carried: sum(Passage::arrived),
        receive_ns: sum(|passage| passage.receive_ns),
        ksoftirqd_ns: sum(|passage| passage.ksoftirqd_ns),
    })
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn passage(passage: &Passage) -> PassageRecord {
    PassageRecord {
        load_pps: passage.load,
        duration_ns: nanoseconds(passage.duration),
        unsent: passage.unsent(),
        offered: passage.offered,
        carried: passage.carried,
        queued: Some(passage.queued),
        misdirected: passage.misdirected,
        at_ring: passage.at_ring,
        in_node: passage.in_node,
        at_egress: passage.at_egress,
        unexplained: passage.unexplained(),
        cpu_ns: Some(passage.receive_ns + passage.ksoftirqd_ns),
        conntrack_entries: Some(passage.conntrack_entries),
    }
}

fn lag<'a>(lags: impl Iterator<Item = &'a Histogram<u64>>) -> Result<LagRecord, MeasureError> {
    let unfit = |lowest| MeasureError::Probe(ProbeError::Histogram { lowest });
    let mut all = histogram([])?;
    for lag in lags {
        all.add(lag).map_err(|_| unfit(lag.max()))?;
    }
    let at = |quantile| all.value_at_quantile(quantile);
    Ok(LagRecord { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: all.max(), histogram: encode_histogram(&all)? })
}

#[cfg(test)]
mod tests {
    use curve_stats::search::{ConditionalThroughput, IrregularGoalResult, Irregularity, OfferLimit, PacketsPerSecond};

    use super::*;

    #[test]
    fn as_many_trials_are_timed_as_decide_a_load() {
        assert_eq!(trials(&SearchGoal::NDR), 21);
        let whole = Duration::from_millis(100);
        assert_eq!(trials(&SearchGoal { duration_sum: whole, final_trial_duration: whole, ..SearchGoal::NDR }), 1);
    }

    #[test]
    fn an_irregular_result_keeps_what_is_known_and_says_why() {
        let rate = |value| PacketsPerSecond::new(value).unwrap();
        let result = GoalResult::Irregular(IrregularGoalResult {
            reason: Irregularity::NotOverloaded(OfferLimit::Sender),
            effective_lower_bound: Some(rate(5e5)),
            relevant_upper_bound: None,
            conditional_throughput: Some(ConditionalThroughput(rate(4e5))),
        });
        let record = goal_record(&SearchGoal::PDR, &result, &[]);
        assert_eq!((record.loss_ratio, record.lower_pps, record.upper_pps), (0.005, Some(5e5), None));
        assert_eq!(record.throughput_pps, Some(4e5));
        assert!(record.irregular.unwrap().contains("the sender did not keep its rate"));
    }
}
