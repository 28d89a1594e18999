//! Rates over N: what the searches of each cell found, with both bounds. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use curve_stats::{FEWEST, Spread, median, spread};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Axes, Cell, CpuPoint, GoalRecord, NewShare, NodeCpu, PacketSize, PassageRecord, RateMethod, RateRecord, is_zero,
};

/// Which rate a curve shows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum RateKind {
    /// Conditional throughput without loss (FD.io CSIT's NDR).
    NoLoss,
    /// Conditional throughput with a loss of at most 0.5% (PDR).
    PartialLoss,
    /// Maximum receive rate.
    Received,
}

impl fmt::Display for RateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoLoss => "no loss (NDR)",
            Self::PartialLoss => "0.5% loss (PDR)",
            Self::Received => "maximum receive rate (MRR)",
        })
    }
}

/// One rate of one backend over N: an entry of `run.json`'s `rates`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RateCurve {
    /// Which curve.
    #[serde(flatten)]
    pub key: RateKey,
    /// One a measured N, ascending.
    pub points: Vec<RatePoint>,
}

/// What tells one curve of rates from another. Rates are counted at the same place in every bracket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct RateKey {
    /// Every axis but N.
    #[serde(flatten)]
    pub axes: Axes,
    /// How it was searched for.
    pub method: RateMethod,
    /// Bytes of its packets.
    #[serde(default, skip_serializing_if = "PacketSize::is_default")]
    pub packet_size: PacketSize,
    /// Share of its packets that open a flow, where the others belong to established ones; absent where all are of the one kind of flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_share: Option<NewShare>,
    /// Which rate.
    pub rate: RateKind,
}

/// One N: what its searches found, in packets a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RatePoint {
    /// N.
    pub services: u32,
    /// Searches.
    pub trials: u32,
    /// The rate that each found, in the order of trials; without those that found none and those that `left_out` counts.
    pub values: Vec<f64>,
    /// Median of the values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// How far the values lie apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Spread>,
    /// Median of the relevant lower bounds that are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<f64>,
    /// Median of the relevant upper bounds that are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<f64>,
    /// Searches whose result is irregular.
    pub irregular: u32,
    /// Irregular searches that values, bounds and `cpu` leave out: all where six regular ones remain, else none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u32,
    /// Why, each reason once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// The trial at the top of each search, where most was offered.
    pub tops: Vec<PassageRecord>,
    /// CPU time of the node at the rate: for goals at their lower bounds, for the maximum receive rate in its bursts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<CpuPoint>,
    /// CPU time of the node at a load that is the same for every backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_cpu: Option<CpuPoint>,
    /// Kernel time of that CPU by `/proc/stat`, over that of the node's threads: median over searches. More than 1 where other work of the
    /// kernel shared the CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticks_ratio: Option<f64>,
}

impl RatePoint {
    /// Whether the rate is one: no irregular search is among the values.
    #[must_use]
    pub fn is_regular(&self) -> bool {
        self.irregular == self.left_out
    }

    /// Whether a search is of an earlier version, which took for carried what a queue held when sending ended.
    #[must_use]
    pub fn counts_queues(&self) -> bool {
        self.tops.iter().any(|top| top.queued.is_none())
    }

    /// Offered packets for each that was carried, at the top of the search where that is least.
    #[must_use]
    pub fn least_overload(&self) -> Option<f64> {
        self.tops.iter().map(PassageRecord::overload).min_by(f64::total_cmp)
    }
}

/// What one search says of one rate.
struct Found<'a> {
    value: Option<f64>,
    goal: Option<&'a GoalRecord>,
    irregular: Option<String>,
    cpu: Option<&'a NodeCpu>,
    search: &'a RateRecord,
}

/// The curves of some searches; of several records of one search the last counts.
#[must_use]
pub fn rate_curves(records: &[RateRecord]) -> Vec<RateCurve> {
    let mut searches = BTreeMap::<(&Cell, RateMethod, PacketSize, Option<NewShare>, u32), &RateRecord>::new();
    for record in records {
        searches.insert((&record.cell, record.method, record.packet_size, record.new_share, record.trial), record);
    }
    let mut curves = BTreeMap::<RateKey, BTreeMap<u32, Vec<Found<'_>>>>::new();
    for record in searches.into_values() {
        for (rate, found) in found(record) {
            let by_services = curves.entry(key(record, rate)).or_default();
            by_services.entry(record.cell.services).or_default().push(found);
        }
    }
    let curve = |(key, by_services): (RateKey, BTreeMap<u32, Vec<Found<'_>>>)| RateCurve {
        key,
        points: by_services.iter().map(|(services, found)| point(*services, found)).collect(),
    };
    curves.into_iter().map(curve).collect()
}

fn key(record: &RateRecord, rate: RateKind) -> RateKey {
    let (method, packet_size, new_share) = (record.method, record.packet_size, record.new_share);
    RateKey { axes: Axes::from(&record.cell), method, packet_size, new_share, rate }
}

fn found(record: &RateRecord) -> Vec<(RateKind, Found<'_>)> {
    let mut found = Vec::with_capacity(record.goals.len() + 1);
    for goal in &record.goals {
        let kind = if goal.loss_ratio == 0.0 { RateKind::NoLoss } else { RateKind::PartialLoss };
        let (value, irregular) = (goal.throughput_pps, goal.irregular.clone());
        found.push((kind, Found { value, goal: Some(goal), irregular, cpu: goal.cpu.as_ref(), search: record }));
    }
    let irregular = match &record.received {
        None => Some("the generator kept its rate in no burst".to_owned()),
        Some(received) => (received.lossless > 0).then(|| {
            format!("of {} bursts {} lost nothing: they measure the generator", received.bursts, received.lossless)
        }),
    };
    let value = record.received.as_ref().map(|received| received.mean_pps);
    let cpu = record.received.as_ref().and_then(|received| received.cpu.as_ref());
    found.push((RateKind::Received, Found { value, goal: None, irregular, cpu, search: record }));
    found
}

fn point(services: u32, found: &[Found<'_>]) -> RatePoint {
    let regular: Vec<_> = found.iter().filter(|found| found.irregular.is_none()).collect();
    let irregular = (found.len() - regular.len()) as u32;
    // Fewer have no interval: then irregular ones stay among the values, and say that they are there. So they do where a search found no rate: the
    // device may carry less than what the others found.
    let is_enough = found.iter().all(|found| found.irregular.is_none() || found.value.is_some())
        && regular.iter().filter(|found| found.value.is_some()).count() >= FEWEST;
    let kept = if is_enough { regular } else { found.iter().collect() };
    let values: Vec<f64> = kept.iter().filter_map(|found| found.value).collect();
    let bounds = |of: fn(&GoalRecord) -> Option<f64>| {
        let known: Vec<f64> = kept.iter().filter_map(|found| found.goal.and_then(of)).collect();
        median(&known).ok()
    };
    let reasons: BTreeSet<_> = found.iter().filter_map(|found| found.irregular.clone()).collect();
    RatePoint {
        services,
        trials: u32::try_from(found.len()).unwrap_or(u32::MAX),
        value: median(&values).ok(),
        spread: spread(&values).ok(),
        values,
        lower: bounds(|goal| goal.lower_pps),
        upper: bounds(|goal| goal.upper_pps),
        irregular,
        left_out: if is_enough { irregular } else { 0 },
        reasons: reasons.into_iter().collect(),
        tops: found.iter().filter_map(|found| found.search.top.clone()).collect(),
        cpu: CpuPoint::of(kept.iter().filter_map(|found| found.cpu)),
        fixed_cpu: CpuPoint::of(found.iter().filter_map(|found| found.search.fixed_cpu.as_ref())),
        ticks_ratio: ticks_ratio(found),
    }
}

/// The two accounts of CPU time, one over the other.
fn ticks_ratio(found: &[Found<'_>]) -> Option<f64> {
    let accounts = found.iter().filter_map(|found| found.search.accounts).filter(|accounts| accounts.threads_ns > 0);
    let ratios: Vec<_> = accounts.map(|accounts| accounts.kernel_ns as f64 / accounts.threads_ns as f64).collect();
    median(&ratios).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::{BackendKind, Bracket, CpuAccounts, Flow, LagRecord, Position, ReceivedRate, VenueKind};
    use super::*;
    use crate::workload::{Protocol, VipLayout};

    /// A search that found `rate` without loss, a tenth more with some, and twice as much at most.
    pub(crate) fn record(services: u32, trial: u32, rate: f64) -> RateRecord {
        let cell = Cell {
            venue: VenueKind::Host,
            kernel: "6.18".into(),
            backend: BackendKind::IptablesLegacy,
            bracket: Bracket::Tc,
            layout: VipLayout::Sequential,
            protocol: Protocol::Udp,
            services,
            endpoints: 2,
            flow: Flow::New,
            position: Position::Last,
        };
        // 2 us a packet.
        let cpu = |load: f64| NodeCpu {
            load_pps: load,
            trials: 10,
            duration_ns: 1_000_000_000,
            offered: load as u64,
            carried: load as u64,
            receive_ns: 2_000 * load as u64,
            ksoftirqd_ns: 0,
        };
        let goal = |loss_ratio, throughput: f64| GoalRecord {
            loss_ratio,
            lower_pps: Some(throughput),
            upper_pps: Some(throughput * 1.02),
            throughput_pps: Some(throughput),
            irregular: None,
            cpu: Some(cpu(throughput)),
        };
        let received =
            ReceivedRate { mean_pps: 2.0 * rate, stdev_pps: Some(1.0), bursts: 10, lossless: 0, invalid: 0, cpu: None };
        RateRecord {
            cell,
            trial,
            method: RateMethod::Quick,
            packet_size: PacketSize::default(),
            new_share: None,
            sender_pps: 5e6,
            max_load_pps: 4e6,
            received: Some(received),
            goals: vec![goal(0.0, rate), goal(0.005, 1.1 * rate)],
            top: Some(PassageRecord {
                load_pps: 4e6,
                duration_ns: 100_000_000,
                unsent: 0,
                offered: 400_000,
                carried: (rate / 5.0) as u64,
                queued: Some(0),
                misdirected: 0,
                at_ring: 400_000 - (rate / 5.0) as u64,
                in_node: 0,
                at_egress: 0,
                unexplained: 0,
                cpu_ns: None,
                conntrack_entries: None,
            }),
            valid: 40,
            invalid: 1,
            lag: LagRecord { p50: 100, p99: 1_000, p999: 5_000, max: 20_000, histogram: String::new() },
            fixed_cpu: Some(cpu(20_000.0)),
            accounts: Some(CpuAccounts { threads_ns: 2_000_000_000, kernel_ns: 2_500_000_000 }),
            loaded: Vec::new(),
        }
    }

    #[test]
    fn searches_become_one_curve_a_rate() {
        let mut irregular = record(10, 1, 200_000.0);
        irregular.goals[0] =
            GoalRecord { upper_pps: None, irregular: Some("max load meets it".into()), ..irregular.goals[0].clone() };
        let again = record(1, 0, 310_000.0);
        let records = [record(1, 0, 1.0), again, irregular, record(10, 0, 100_000.0)];
        let curves = rate_curves(&records);
        let kinds: Vec<_> = curves.iter().map(|curve| curve.key.rate).collect();
        assert_eq!(kinds, [RateKind::NoLoss, RateKind::PartialLoss, RateKind::Received]);
        let [first, second] = &curves[0].points[..] else { panic!("{curves:?}") };
        assert_eq!((first.trials, &first.values[..], first.irregular), (1, &[310_000.0][..], 0));
        assert_eq!((second.services, &second.values[..]), (10, &[100_000.0, 200_000.0][..]));
        assert_eq!((second.value, second.lower, second.upper), (Some(150_000.0), Some(150_000.0), Some(102_000.0)));
        assert_eq!((second.irregular, &second.reasons[..]), (1, &["max load meets it".to_owned()][..]));
        // 400,000 offered, 40,000 of them carried.
        assert_eq!(second.least_overload(), Some(10.0));
        assert_eq!(curves[2].points[1].value, Some(300_000.0));
    }

    #[test]
    fn irregular_searches_are_left_out_where_six_regular_ones_remain() {
        let of = |trial: u32, irregular: u32| {
            let mut search = record(10, trial, 1e5 + f64::from(trial));
            if trial < irregular {
                let goal = &mut search.goals[0];
                (goal.throughput_pps, goal.irregular) = (Some(9e5), Some("the budget was spent".into()));
            }
            search
        };
        let point = |irregular: u32| {
            let searches: Vec<_> = (0..10).map(|trial| of(trial, irregular)).collect();
            rate_curves(&searches).swap_remove(0).points.swap_remove(0)
        };
        let some = point(4);
        assert_eq!((some.trials, some.irregular, some.left_out, some.is_regular()), (10, 4, 4, true));
        assert_eq!(some.values, [4.0, 5.0, 6.0, 7.0, 8.0, 9.0].map(|over| 1e5 + over));
        assert_eq!((some.value, some.lower), (Some(100_006.5), Some(100_006.5)));
        let spread = some.spread.unwrap();
        assert_eq!((spread.low(), spread.high(), spread.level().is_some()), (100_004.0, 100_009.0, true));
        let counts = (some.cpu.unwrap().cores.values.len(), some.fixed_cpu.unwrap().cores.values.len());
        assert_eq!((counts, some.tops.len(), some.reasons.len()), ((6, 10), 10, 1));
        // Five are too few for an interval.
        let many = point(5);
        assert_eq!((many.irregular, many.left_out, many.is_regular(), many.values.len()), (5, 0, false, 10));
        assert!(point(0).is_regular() && !serde_json::to_string(&point(0)).unwrap().contains("left_out"));
    }

    #[test]
    fn cpu_time_stands_at_the_rate_and_at_the_fixed_load() {
        let records = [record(10, 0, 100_000.0), record(10, 1, 200_000.0)];
        let points: Vec<_> = rate_curves(&records).into_iter().map(|curve| curve.points[0].clone()).collect();
        let at_rate = points[0].cpu.as_ref().unwrap();
        assert_eq!((at_rate.load_pps, at_rate.ns_a_packet.value), (150_000.0, 2_000.0));
        assert_eq!(at_rate.cores.values, [0.2, 0.4]);
        assert_eq!((points[2].cpu.as_ref(), points[2].ticks_ratio), (None, Some(1.25)));
        assert!(points.iter().all(|point| point.fixed_cpu.as_ref().unwrap().load_pps == 20_000.0));
        let earlier = records.map(|record| RateRecord { fixed_cpu: None, accounts: None, ..record });
        let point = &rate_curves(&earlier)[0].points[0];
        assert_eq!((point.fixed_cpu.as_ref(), point.ticks_ratio), (None, None));
    }

    #[test]
    fn packets_of_another_size_have_curves_of_their_own() {
        let imix = RateRecord { packet_size: PacketSize::Imix, ..record(1, 0, 200.0) };
        let curves = rate_curves(&[record(1, 0, 100.0), imix]);
        let of = |size| curves.iter().find(|curve| curve.key.packet_size == size).map(|curve| curve.points[0].value);
        assert_eq!(of(PacketSize::default()), Some(Some(100.0)));
        assert_eq!((of(PacketSize::Imix), curves.len()), (Some(Some(200.0)), 6));
    }

    #[test]
    fn mixes_of_flows_have_curves_of_their_own_and_the_others_no_share_in_their_file() {
        let [some, more] = ["1%", "10%"].map(|share| Some(share.parse::<NewShare>().unwrap()));
        let of = |new_share, rate| RateRecord { new_share, ..record(1, 0, rate) };
        let curves = rate_curves(&[of(more, 300.0), of(None, 100.0), of(some, 200.0)]);
        let loss_free = curves.iter().filter(|curve| curve.key.rate == RateKind::NoLoss);
        let found: Vec<_> = loss_free.map(|curve| (curve.key.new_share, curve.points[0].value)).collect();
        assert_eq!(found, [(None, Some(100.0)), (some, Some(200.0)), (more, Some(300.0))]);
        let written: Vec<_> = curves.iter().map(|curve| serde_json::to_string(curve).unwrap()).collect();
        assert_eq!(written.iter().filter(|curve| curve.contains("new_share")).count(), 6);
        assert!(written.iter().any(|curve| curve.contains(r#""new_share":"10%""#)), "{written:?}");
    }

    #[test]
    fn bursts_that_lost_nothing_are_flagged() {
        let mut measured_sender = record(1, 0, 100.0);
        measured_sender.received.as_mut().unwrap().lossless = 3;
        let curves = rate_curves(&[measured_sender]);
        assert_eq!(curves[2].points[0].reasons, ["of 10 bursts 3 lost nothing: they measure the generator"]);
        let none = RateRecord { received: None, ..record(1, 0, 100.0) };
        let point = &rate_curves(&[none])[2].points[0];
        assert_eq!((point.value, point.irregular, point.values.len()), (None, 1, 0));
    }
}
