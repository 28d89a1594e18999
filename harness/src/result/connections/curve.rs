//! Connections over N: what the trials of each cell make.

use std::collections::BTreeMap;
use std::fmt;

use curve_stats::StatsError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConnectionPoint, ConnectionRecord};
use crate::result::{Axes, ConnectionLoad};

/// What tells one curve of connections from another. No packet is timed: the bracket is the backend's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionKey {
    /// Every axis but N.
    #[serde(flatten)]
    pub axes: Axes,
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

/// Curves of all trials, in the order of their keys.
///
/// # Errors
/// A trial's rate is not finite; the key is its curve's.
pub fn connection_curves(
    records: &[ConnectionRecord],
) -> Result<Vec<ConnectionCurve>, (Box<ConnectionKey>, StatsError)> {
    let mut by_key = BTreeMap::<ConnectionKey, BTreeMap<u32, BTreeMap<u32, &ConnectionRecord>>>::new();
    for record in records {
        let trials = by_key
            .entry(ConnectionKey { axes: Axes::from(&record.cell), load: record.load })
            .or_default()
            .entry(record.cell.services)
            .or_default();
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

impl fmt::Display for ConnectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.axes, self.load)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::num::NonZeroU32;

    use curve_stats::Spread;

    use super::super::{ConnectionCpu, FailureKind, ThreadCpu, Times};
    use super::*;
    use crate::result::{BackendKind, Bracket, Cell, Flow, Position, VenueKind};
    use crate::workload::{Protocol, VipLayout};

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
        let thread = |total_ns, kernel_ns| ThreadCpu { total_ns, kernel_ns };
        let (client, servers) = (thread(400, 300), thread(320, 240));
        let cpu = ConnectionCpu { client, servers, ksoftirqd_ns: 80, machine_softirq_ns: 160 };
        ConnectionRecord {
            cell,
            load: ConnectionLoad::Open(NonZeroU32::new(1_000).unwrap()),
            trial,
            attempted: 10,
            succeeded: 8,
            failures: BTreeMap::from([(FailureKind::Refused, 2)]),
            per_second,
            bits_per_second: None,
            started_per_second: Some(1_000.0),
            connect: Some(times.clone()),
            exchange: Some(times.clone()),
            lag: Some(times),
            repeated: 0,
            reached: vec![5, 3],
            conntrack: None,
            conn_reuse_mode: None,
            ipvs_entries: None,
            cpu: Some(cpu),
            servers_failed: None,
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
        let connect = one.connect.as_ref().unwrap();
        // Eight times have no 99th percentile.
        assert_eq!((connect.p50.value, &connect.p99, &connect.p999), (80.0, &None, &None));
        // Eight of ten succeeded; soft interrupts of the machine are not added.
        let cpu = one.cpu.as_ref().unwrap();
        assert_eq!((cpu.total.value, cpu.client.value, cpu.kernel.value), (100.0, 50.0, 67.5));
        assert_eq!(
            (cpu.ksoftirqd.value, cpu.machine_softirq.value, one.conntrack_entries.as_ref()),
            (10.0, 20.0, None)
        );
    }

    #[test]
    fn a_trial_whose_servers_failed_is_counted_and_named_and_in_no_figure() {
        let why = "the servers' thread panicked".to_owned();
        let failed = ConnectionRecord { servers_failed: Some(why.clone()), cpu: None, ..record(1, 1, 5.0) };
        let late = ConnectionRecord { started_per_second: Some(900.0), ..record(1, 2, 7.0) };
        assert!(!failed.is_valid());
        let curves = connection_curves(&[record(1, 0, 50.0), failed, late]).unwrap();
        let point = &curves[0].points[0];
        assert_eq!((point.trials, point.invalid, point.attempted, point.failed()), (3, 2, 30, 6));
        assert_eq!(point.servers_failed, [why]);
        assert_eq!(point.per_second.as_ref().unwrap().values, [50.0]);
        let trouble = point.trouble().unwrap();
        assert!(trouble.contains("in 1 of 3 trials the servers failed (the servers' thread panicked)"), "{trouble}");
        assert!(trouble.contains("in 1 of 3 trials the generator did not keep its rate"), "{trouble}");
        assert_eq!(super::super::check(&curves[0]), Ok(()));
    }

    #[test]
    fn what_ipvs_holds_and_how_it_takes_ports_that_come_again_are_the_points() {
        let load = ConnectionLoad::Reuse { ports: NonZeroU32::new(8).unwrap(), mode: None };
        let reused = |trial, mode, entries| ConnectionRecord {
            load,
            conn_reuse_mode: Some(mode),
            ipvs_entries: Some(entries),
            ..record(1, trial, 50.0)
        };
        let point = &connection_curves(&[reused(0, 1, 8), reused(1, 1, 10)]).unwrap()[0].points[0];
        assert_eq!(point.conn_reuse_modes, BTreeSet::from([1]));
        assert_eq!(point.ipvs_entries.as_ref().unwrap().value, 9.0);
        let others = &connection_curves(&[record(1, 0, 50.0)]).unwrap()[0].points[0];
        assert!(others.conn_reuse_modes.is_empty() && others.ipvs_entries.is_none());
    }

    #[test]
    fn a_stream_has_bits_and_no_rate_and_repeated_syns_are_named() {
        let load = ConnectionLoad::Stream(NonZeroU32::MIN);
        let stream = |trial, bits| ConnectionRecord { load, bits_per_second: Some(bits), ..record(1, trial, 0.0) };
        let repeated = ConnectionRecord { repeated: 3, ..stream(1, 4e9) };
        let point = &connection_curves(&[stream(0, 2e9), repeated]).unwrap()[0].points[0];
        assert_eq!((point.per_second.clone(), point.repeated), (None, 3));
        assert_eq!(point.bits_per_second.as_ref().unwrap().value, 3e9);
        assert!(point.trouble().unwrap().contains("3 connections took a second or longer"), "{:?}", point.trouble());
    }

    #[test]
    fn a_trial_that_did_not_keep_its_rate_is_invalid_not_slow() {
        let earlier = ConnectionRecord { cpu: None, ..record(1, 0, 50.0) };
        assert_eq!(connection_curves(&[earlier]).unwrap()[0].points[0].cpu, None);
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
