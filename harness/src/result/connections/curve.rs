//! Connections over N: what the trials of each cell make.

use std::collections::BTreeMap;
use std::fmt;

use curve_stats::{Spread, StatsError, median, spread};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConnectionRecord, FailureKind, Times};
use crate::result::{BackendKind, Bracket, Cell, ConnectionLoad, Flow, Position, VenueKind, name};
use crate::workload::{Protocol, VipLayout};

/// What tells one curve of connections from another: every axis but N.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionKey {
    /// Where.
    pub venue: VenueKind,
    /// Kernel release.
    pub kernel: String,
    /// Datapath.
    pub backend: BackendKind,
    /// The backend's own bracket; no packet is timed.
    #[serde(default, skip_serializing_if = "Bracket::is_tc")]
    pub bracket: Bracket,
    /// VIP layout.
    pub layout: VipLayout,
    /// Protocol.
    pub protocol: Protocol,
    /// M.
    pub endpoints: u32,
    /// Flow.
    pub flow: Flow,
    /// Position.
    pub position: Position,
    /// The load.
    pub load: ConnectionLoad,
}

/// Connections of one backend under one load over N: an entry of `run.json`'s `connections`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionCurve {
    /// Which.
    #[serde(flatten)]
    pub key: ConnectionKey,
    /// One a measured N, ascending.
    pub points: Vec<ConnectionPoint>,
}

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
    /// Successes a second, over the valid trials; `None` without one.
    pub per_second: Option<Estimate>,
    /// Time to connect, nanoseconds; `None` where no connection was made in a valid trial.
    pub connect: Option<Percentiles>,
    /// Time of the whole exchange, nanoseconds; `None` where none succeeded in a valid trial.
    pub exchange: Option<Percentiles>,
    /// The generator's own lag, nanoseconds: the 99th percentile of every valid trial. Open loop only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_p99: Option<Estimate>,
    /// Successes by the index of the endpoint that answered, over all trials; empty where several services were asked.
    pub reached: Vec<u64>,
    /// Packets that the node's connection tracking dropped during the trials.
    pub conntrack_dropped: u64,
}

/// A value of every trial, their median, and how far they lie apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// Median over trials.
    pub value: f64,
    /// An interval of the median, or where there are too few trials, their range.
    pub spread: Spread,
    /// The value of each trial, in the order of the trial's index.
    pub values: Vec<f64>,
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

/// Curves of all trials, in the order of their keys.
///
/// # Errors
/// A trial's rate is not finite; the key is its curve's.
pub fn connection_curves(
    records: &[ConnectionRecord],
) -> Result<Vec<ConnectionCurve>, (Box<ConnectionKey>, StatsError)> {
    let mut by_key = BTreeMap::<ConnectionKey, BTreeMap<u32, BTreeMap<u32, &ConnectionRecord>>>::new();
    for record in records {
        let trials = by_key.entry(ConnectionKey::of(record)).or_default().entry(record.cell.services).or_default();
        // Of a trial that was recorded twice the last counts, as everywhere.
        trials.insert(record.trial, record);
    }
    let curve = |(key, by_services): (ConnectionKey, BTreeMap<u32, BTreeMap<u32, &ConnectionRecord>>)| {
        let points = by_services
            .into_iter()
            .map(|(services, trials)| ConnectionPoint::of(services, &trials.into_values().collect::<Vec<_>>()));
        match points.collect() {
            Ok(points) => Ok(ConnectionCurve { key, points }),
            Err(source) => Err((Box::new(key), source)),
        }
    };
    by_key.into_iter().map(curve).collect()
}

impl ConnectionKey {
    fn of(record: &ConnectionRecord) -> Self {
        let Cell { venue, kernel, backend, bracket, layout, protocol, endpoints, flow, position, .. } =
            record.cell.clone();
        let load = record.load;
        Self { venue, kernel, backend, bracket, layout, protocol, endpoints, flow, position, load }
    }

    /// The cell of the curve at one N.
    #[must_use]
    pub fn cell(&self, services: u32) -> Cell {
        let Self { venue, backend, bracket, layout, protocol, endpoints, flow, position, .. } = *self;
        let kernel = self.kernel.clone();
        Cell { venue, kernel, backend, bracket, layout, protocol, services, endpoints, flow, position }
    }
}

impl fmt::Display for ConnectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { venue, kernel, backend, layout, protocol, endpoints, flow, position, load, .. } = self;
        let (venue, backend, layout) = (name(venue), name(backend), name(layout));
        let (protocol, flow, position) = (name(protocol), name(flow), name(position));
        write!(f, "{venue} {kernel} {backend} {layout} {protocol} M={endpoints} {flow} {position} at {load}")
    }
}

impl ConnectionPoint {
    /// Of trials in the order of their index.
    fn of(services: u32, trials: &[&ConnectionRecord]) -> Result<Self, StatsError> {
        let valid: Vec<_> = trials.iter().copied().filter(|trial| trial.is_valid()).collect();
        let sum = |count: fn(&ConnectionRecord) -> u64| trials.iter().map(|trial| count(trial)).sum();
        let mut failures = BTreeMap::new();
        for (kind, count) in trials.iter().flat_map(|trial| &trial.failures) {
            *failures.entry(*kind).or_default() += count;
        }
        let times = |of: fn(&ConnectionRecord) -> Option<&Times>| -> Vec<_> {
            valid.iter().filter_map(|trial| of(trial)).collect()
        };
        Ok(Self {
            services,
            trials: count(trials.len()),
            invalid: count(trials.len() - valid.len()),
            attempted: sum(|trial| trial.attempted),
            succeeded: sum(|trial| trial.succeeded),
            failures,
            per_second: Estimate::of(valid.iter().map(|trial| trial.per_second))?,
            connect: Percentiles::of(&times(|trial| trial.connect.as_ref()))?,
            exchange: Percentiles::of(&times(|trial| trial.exchange.as_ref()))?,
            lag_p99: Estimate::of(times(|trial| trial.lag.as_ref()).iter().map(|lag| lag.p99 as f64))?,
            reached: reached(trials),
            conntrack_dropped: sum(|trial| trial.conntrack.map_or(0, |conntrack| conntrack.dropped)),
        })
    }

    /// Every estimate of the point.
    pub(in crate::result) fn estimates(&self) -> impl Iterator<Item = &Estimate> {
        let times = [&self.connect, &self.exchange].into_iter().flatten();
        let times = times.flat_map(|times| [&times.p50, &times.p99, &times.p999]);
        self.per_second.iter().chain(&self.lag_p99).chain(times)
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

impl Estimate {
    /// `None` without a value.
    fn of(values: impl Iterator<Item = f64>) -> Result<Option<Self>, StatsError> {
        let values: Vec<_> = values.collect();
        if values.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { value: median(&values)?, spread: spread(&values)?, values }))
    }
}

impl Percentiles {
    fn of(times: &[&Times]) -> Result<Option<Self>, StatsError> {
        let over = |quantile: fn(&Times) -> u64| Estimate::of(times.iter().map(|times| quantile(times) as f64));
        let (p50, p99, p999) = (over(|times| times.p50)?, over(|times| times.p99)?, over(|times| times.p999)?);
        Ok(p50.zip(p99).zip(p999).map(|((p50, p99), p999)| Self { p50, p99, p999 }))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn record(services: u32, trial: u32, per_second: f64) -> ConnectionRecord {
        let cell = Cell {
            venue: VenueKind::Host,
            kernel: "6.18".to_owned(),
            backend: BackendKind::IptablesLegacy,
            bracket: Bracket::Tc,
            layout: VipLayout::Sequential,
            protocol: Protocol::Tcp,
            services,
            endpoints: 2,
            flow: Flow::New,
            position: Position::Last,
        };
        let times = Times { count: 8, p50: 80, p90: 90, p99: 99, p999: 100, max: 100, histogram: String::new() };
        ConnectionRecord {
            cell,
            load: ConnectionLoad::Open(NonZeroU32::new(1_000).unwrap()),
            trial,
            attempted: 10,
            succeeded: 8,
            failures: BTreeMap::from([(FailureKind::Refused, 2)]),
            per_second,
            started_per_second: Some(1_000.0),
            connect: Some(times.clone()),
            exchange: Some(times.clone()),
            lag: Some(times),
            reached: vec![5, 3],
            conntrack: None,
        }
    }

    #[test]
    fn trials_of_a_cell_make_a_point_and_cells_a_curve() {
        let records = [record(100, 0, 10.0), record(1, 1, 30.0), record(1, 0, 20.0), record(1, 2, 70.0)];
        let curves = connection_curves(&records).unwrap();
        assert_eq!(curves.len(), 1);
        let [one, hundred] = &curves[0].points[..] else { panic!("{curves:?}") };
        assert_eq!((one.services, hundred.services, one.trials, one.attempted), (1, 100, 3, 30));
        let rate = one.per_second.as_ref().unwrap();
        assert_eq!((rate.value, &rate.values[..]), (30.0, &[20.0, 30.0, 70.0][..]));
        assert_eq!(rate.spread, Spread::Range { low: 20.0, high: 70.0 });
        assert_eq!((&one.reached[..], one.failed()), (&[15, 9][..], 6));
        assert_eq!(one.connect.as_ref().unwrap().p99.value, 99.0);
    }

    #[test]
    fn a_trial_that_did_not_keep_its_rate_is_invalid_not_slow() {
        let late = ConnectionRecord { started_per_second: Some(900.0), ..record(1, 1, 5.0) };
        assert!(!late.is_valid());
        let curves = connection_curves(&[record(1, 0, 50.0), late.clone()]).unwrap();
        let point = &curves[0].points[0];
        assert_eq!((point.trials, point.invalid, point.attempted), (2, 1, 20));
        assert_eq!(point.per_second.as_ref().unwrap().values, [50.0]);
        let none = &connection_curves(&[late]).unwrap()[0].points[0];
        assert_eq!((none.per_second.clone(), none.connect.clone()), (None, None));
    }
}
