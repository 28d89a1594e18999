//! One N of a curve of connections: what its trials say together.

use std::collections::{BTreeMap, BTreeSet};

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
    /// Trials in which the generator did not keep its rate or the servers failed: they enter nothing but the counts.
    pub invalid: u32,
    /// Why the servers failed, of each trial in which they did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers_failed: Vec<String>,
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
    /// Entries in IPVS's own connection table after each trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipvs_entries: Option<Estimate>,
    /// `net.ipv4.vs.conn_reuse_mode` of the trials' nodes, IPVS only: it says what becomes of ports that come again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub conn_reuse_modes: BTreeSet<u8>,
    /// CPU time of an exchange; `None` where no valid trial says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<ExchangeCpu>,
}

/// Percentiles of durations, estimated over trials; nanoseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Percentiles {
    /// Medians of the trials.
    pub p50: Estimate,
    /// 99th percentiles of the trials; absent where one of them timed so few that no time lies beyond it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<Estimate>,
    /// 99.9th percentiles of the trials; absent as `p99` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p999: Option<Estimate>,
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
            servers_failed: trials.iter().filter_map(|trial| trial.servers_failed.clone()).collect(),
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
            ipvs_entries: Estimate::of(valid.iter().filter_map(|trial| Some(trial.ipvs_entries? as f64)))?,
            conn_reuse_modes: trials.iter().filter_map(|trial| trial.conn_reuse_mode).collect(),
            cpu: ExchangeCpu::of(&valid)?,
        })
    }

    /// Every estimate of the point.
    pub(in crate::result) fn estimates(&self) -> impl Iterator<Item = &Estimate> {
        let times = [&self.connect, &self.exchange].into_iter().flatten();
        let times = times.flat_map(|times| std::iter::once(&times.p50).chain(&times.p99).chain(&times.p999));
        let cpu = self.cpu.iter().flat_map(ExchangeCpu::estimates);
        let entries = self.conntrack_entries.iter().chain(&self.ipvs_entries);
        let others = self.bits_per_second.iter().chain(&self.lag_p99).chain(entries);
        self.per_second.iter().chain(others).chain(cpu).chain(times)
    }

    /// What a reader must know of the point: failures by kind, servers that failed, trials that do not count, packets that connection tracking
    /// dropped.
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
        if !self.servers_failed.is_empty() {
            let why = self.servers_failed.iter().collect::<BTreeSet<_>>().into_iter().map(String::as_str);
            parts.push(format!(
                "in {} of {} trials the servers failed ({}), which are left out",
                self.servers_failed.len(),
                self.trials,
                why.collect::<Vec<_>>().join(", ")
            ));
        }
        let late = self.invalid.saturating_sub(count(self.servers_failed.len()));
        if late > 0 {
            let trials = self.trials;
            parts.push(format!("in {late} of {trials} trials the generator did not keep its rate, which are left out"));
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
        // With fewer it would be the longest time of a trial, under another name.
        let beyond_which = |one_in: u64, quantile: fn(&Times) -> u64| {
            let has_one = times.iter().all(|times| times.count >= one_in);
            if has_one { over(quantile) } else { Ok(None) }
        };
        let (p99, p999) = (beyond_which(100, |times| times.p99)?, beyond_which(1_000, |times| times.p999)?);
        Ok(over(|times| times.p50)?.map(|p50| Self { p50, p99, p999 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(count: u64, longest: u64) -> Times {
        Times { count, p50: 50, p90: 90, p99: 99, p999: longest, max: longest, histogram: String::new() }
    }

    #[test]
    fn a_percentile_that_no_time_lies_beyond_is_absent() {
        let of = |trials: &[Times]| Percentiles::of(&trials.iter().collect::<Vec<_>>()).unwrap();
        let values = |trials: &[Times]| {
            let Percentiles { p50, p99, p999 } = of(trials).unwrap();
            (p50.value, p99.map(|p99| p99.value), p999.map(|p999| p999.value))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(values(&[times(99, 500)]), (50.0, None, None));
        assert_eq!(values(&[times(100, 500)]), (50.0, Some(99.0), None));
        assert_eq!(values(&[times(1_000, 500), times(1_000, 700)]), (50.0, Some(99.0), Some(600.0)));
        // Of every trial, for the estimate is one over trials.
        assert_eq!(values(&[times(5_000, 500), times(999, 700)]), (50.0, Some(99.0), None));
    }

    #[test]
    fn what_is_absent_is_not_written_and_what_earlier_versions_wrote_is_read() {
        let of = |count| Percentiles::of(&[&times(count, 500)]).unwrap().unwrap();
        let written = serde_json::to_value(of(99)).unwrap();
        assert_eq!(written.as_object().unwrap().keys().collect::<Vec<_>>(), ["p50"]);
        assert_eq!(serde_json::from_value::<Percentiles>(written).unwrap(), of(99));
        let whole = serde_json::to_value(of(1_000)).unwrap();
        assert!(whole["p999"]["value"].is_number(), "{whole}");
        assert_eq!(serde_json::from_value::<Percentiles>(whole).unwrap(), of(1_000));
    }
}
