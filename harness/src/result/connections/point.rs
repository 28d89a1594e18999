//! One N of a curve of connections: what its trials say together.

use std::collections::BTreeMap;

use curve_stats::StatsError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConnectionRecord, ExchangeCpu, FailureKind, Times};
use crate::result::{Estimate, is_zero, name};

/// One N of a curve of connections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionPoint {
    /// N.
    pub services: u32,
    /// Trials, the invalid ones included.
    pub trials: u32,
    /// Trials in which the generator did not keep its rate: they enter nothing but the counts.
    pub invalid: u32,
    /// Exchanges that were begun, over all trials.
    pub attempted: u64,
    /// Exchanges that succeeded, over all trials.
    pub succeeded: u64,
    /// The others, by kind.
    pub failures: BTreeMap<FailureKind, u64>,
    /// Successes a second, over the valid trials; `None` without one, and of streams.
    pub per_second: Option<Estimate>,
    /// Bits a second, over the trials; of streams only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_second: Option<Estimate>,
    /// Time to connect, nanoseconds; `None` where no connection was made in a valid trial.
    pub connect: Option<Percentiles>,
    /// Time of the whole exchange, nanoseconds; `None` where none succeeded in a valid trial.
    pub exchange: Option<Percentiles>,
    /// The generator's own lag, nanoseconds: the 99th percentile of every valid trial. Open loop only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_p99: Option<Estimate>,
    /// Connections that took a second or longer by themselves, over all trials.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeated: u64,
    /// Successes by the index of the endpoint that answered, over all trials; empty where several services were asked.
    pub reached: Vec<u64>,
    /// Packets that the node's connection tracking dropped during the trials.
    pub conntrack_dropped: u64,
    /// Entries in the node's connection table after each trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conntrack_entries: Option<Estimate>,
    /// CPU time of an exchange; `None` where no valid trial says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<ExchangeCpu>,
}

/// Percentiles of durations, estimated over trials; nanoseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Percentiles {
    /// Medians of the trials.
    pub p50: Estimate,
    /// 99th percentiles of the trials.
    pub p99: Estimate,
    /// 99.9th percentiles of the trials.
    pub p999: Estimate,
}

impl ConnectionPoint {
    /// Of trials in the order of their index.
    pub(super) fn of(services: u32, trials: &[&ConnectionRecord]) -> Result<Self, StatsError> {
        let valid: Vec<_> = trials.iter().copied().filter(|trial| trial.is_valid()).collect();
        let sum = |count: fn(&ConnectionRecord) -> u64| trials.iter().map(|trial| count(trial)).sum();
        let mut failures = BTreeMap::new();
        for (kind, count) in trials.iter().flat_map(|trial| &trial.failures) {
            *failures.entry(*kind).or_default() += count;
        }
        let times = |of: fn(&ConnectionRecord) -> Option<&Times>| -> Vec<_> {
            valid.iter().filter_map(|trial| of(trial)).collect()
        };
        let exchanging = valid.iter().filter(|trial| !trial.load.is_stream());
        Ok(Self {
            services,
            trials: count(trials.len()),
            invalid: count(trials.len() - valid.len()),
            attempted: sum(|trial| trial.attempted),
            succeeded: sum(|trial| trial.succeeded),
            failures,
            per_second: Estimate::of(exchanging.map(|trial| trial.per_second))?,
            bits_per_second: Estimate::of(valid.iter().filter_map(|trial| trial.bits_per_second))?,
            connect: Percentiles::of(&times(|trial| trial.connect.as_ref()))?,
            exchange: Percentiles::of(&times(|trial| trial.exchange.as_ref()))?,
            lag_p99: Estimate::of(times(|trial| trial.lag.as_ref()).iter().map(|lag| lag.p99 as f64))?,
            repeated: sum(|trial| trial.repeated),
            reached: reached(trials),
            conntrack_dropped: sum(|trial| trial.conntrack.map_or(0, |conntrack| conntrack.dropped)),
            conntrack_entries: Estimate::of(valid.iter().filter_map(|trial| Some(trial.conntrack?.entries as f64)))?,
            cpu: ExchangeCpu::of(&valid)?,
        })
    }

    /// Every estimate of the point.
    pub(in crate::result) fn estimates(&self) -> impl Iterator<Item = &Estimate> {
        let times = [&self.connect, &self.exchange].into_iter().flatten();
        let times = times.flat_map(|times| [&times.p50, &times.p99, &times.p999]);
        let cpu = self.cpu.iter().flat_map(ExchangeCpu::estimates);
        let others = self.bits_per_second.iter().chain(&self.lag_p99).chain(&self.conntrack_entries);
        self.per_second.iter().chain(others).chain(cpu).chain(times)
    }

    /// What a reader must know of the point: failures by kind, trials that do not count, packets that connection tracking dropped.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let mut parts = Vec::new();
        if self.failed() > 0 {
            let kinds = self.failures.iter().map(|(kind, count)| format!("{count} {}", name(kind)));
            parts.push(format!(
                "{} of {} failed ({})",
                self.failed(),
                self.attempted,
                kinds.collect::<Vec<_>>().join(", ")
            ));
        }
        if self.repeated > 0 {
            parts.push(format!(
                "{} connections took a second or longer, as long as the answer to a SYN is waited for",
                self.repeated
            ));
        }
        if self.invalid > 0 {
            let Self { invalid, trials, .. } = self;
            parts.push(format!(
                "in {invalid} of {trials} trials the generator did not keep its rate, which are left out"
            ));
        }
        if self.conntrack_dropped > 0 {
            parts.push(format!("connection tracking dropped {} packets", self.conntrack_dropped));
        }
        let silent = self.reached.iter().filter(|count| **count == 0).count();
        if silent > 0 && self.succeeded >= ENOUGH_FOR_EVERY_ENDPOINT * self.reached.len() as u64 {
            parts.push(format!("{silent} of {} endpoints never answered", self.reached.len()));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// Attempts that failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}

/// Answers an endpoint, from which on one that gave none is no chance: of random choices it has a probability below exp(-50).
const ENOUGH_FOR_EVERY_ENDPOINT: u64 = 50;

fn count(trials: usize) -> u32 {
    u32::try_from(trials).unwrap_or(u32::MAX)
}

fn reached(trials: &[&ConnectionRecord]) -> Vec<u64> {
    let mut sums = Vec::new();
    for trial in trials {
        sums.resize(sums.len().max(trial.reached.len()), 0);
        sums.iter_mut().zip(&trial.reached).for_each(|(sum, count)| *sum += count);
    }
    sums
}

impl Percentiles {
    fn of(times: &[&Times]) -> Result<Option<Self>, StatsError> {
        let over = |quantile: fn(&Times) -> u64| Estimate::of(times.iter().map(|times| quantile(times) as f64));
        let (p50, p99, p999) = (over(|times| times.p50)?, over(|times| times.p99)?, over(|times| times.p999)?);
        Ok(p50.zip(p99).zip(p999).map(|((p50, p99), p999)| Self { p50, p99, p999 }))
    }
}
