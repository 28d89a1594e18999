//! Records of what a run does beside timing packets.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use lbcurve::result::{
    Arrivals, Attempt, BackendKind, ConnectionRecord, CpuAccounts, Destination, EndpointChange, FairnessRecord,
    FilterRules, Flow, GoalRecord, IcmpError, LagRecord, NodeCpu, Origin, PacketSize, PassageRecord, Position,
    Question, RateMethod, RateRecord, ReachabilityRecord, Reached, ReceivedRate, Spreading, Times, encode_reached,
};

use super::cell;

/// What a kernel does: iptables forwards what is for no service, IPVS keeps every packet to its addresses.
pub(crate) fn reachability(backend: BackendKind) -> ReachabilityRecord {
    use Destination::{ClusterIp, Ingress, Pod, Service};
    let mut attempts = Vec::new();
    for (rules, exposed, destinations) in [
        (FilterRules::Kept, false, &[Pod, ClusterIp, Ingress][..]),
        (FilterRules::Kept, true, &[Service, Ingress]),
        (FilterRules::Removed, true, &[Pod, ClusterIp, Service, Ingress]),
    ] {
        for from in [Origin::Client, Origin::Node] {
            attempts.extend(destinations.iter().map(|&to| attempt(backend, Question { to, from, rules, exposed })));
        }
    }
    let position = backend.worst_position();
    ReachabilityRecord { cell: cell(backend, 1, Flow::New, position), trial: 0, attempts }
}

fn attempt(backend: BackendKind, asked: Question) -> Attempt {
    let (pods, outside) = (Arrivals { pods: 5, ..Arrivals::default() }, Arrivals { outside: 5, ..Arrivals::default() });
    let (none, is_ipvs) = (Arrivals::default(), backend == BackendKind::Ipvs);
    let (answered, arrived, left) = match (asked.to, is_ipvs) {
        (Destination::Pod | Destination::Service, _) => (5, pods, 0),
        (Destination::ClusterIp, true) if asked.rules == FilterRules::Removed => (5, Arrivals { node: 5, ..none }, 0),
        (Destination::ClusterIp, true) => (0, none, 0),
        (Destination::ClusterIp, false) => (0, none, 5),
        (Destination::Ingress, true) if asked.exposed => (0, none, 0),
        (Destination::Ingress, _) => (5, outside, 30),
    };
    let icmp = (answered == 0 && is_ipvs).then_some(IcmpError { icmp_type: 3, code: 3, count: 5 });
    Attempt { asked, sent: 5, answered, icmp: icmp.into_iter().collect(), failures: BTreeMap::new(), arrived, left }
}

/// A trial of connections, 16 at a time.
pub(crate) fn connection(backend: BackendKind, services: u32, trial: u32) -> ConnectionRecord {
    let mut histogram = Histogram::new(3).unwrap();
    histogram.record_n(80_000, 1_000).unwrap();
    let times = Times::of(&histogram).unwrap();
    ConnectionRecord {
        cell: cell(backend, services, Flow::New, backend.worst_position()),
        load: "16".parse().unwrap(),
        trial,
        attempted: 1_000,
        succeeded: 1_000,
        failures: BTreeMap::new(),
        per_second: 9_000.0,
        bits_per_second: None,
        started_per_second: None,
        connect: times.clone(),
        exchange: times,
        lag: None,
        repeated: 0,
        reached: vec![500, 500],
        conntrack: None,
        conn_reuse_mode: None,
        ipvs_entries: None,
        cpu: None,
        servers_failed: None,
    }
}

/// A trial of fairness: which endpoint each flow had before the change, and what became of it.
pub(crate) fn fairness(
    spreading: Spreading,
    change: EndpointChange,
    before: &[u32],
    after: &[Reached],
) -> FairnessRecord {
    let text = |reached: &[Reached]| encode_reached(reached).unwrap();
    let before: Vec<_> = before.iter().map(|at| Reached::Endpoint(*at)).collect();
    FairnessRecord {
        cell: cell(BackendKind::Ipvs, 1, Flow::New, Position::First),
        spreading,
        change,
        trial: 0,
        flows: u32::try_from(before.len()).unwrap(),
        clients: 1,
        weights: vec![1; if change == EndpointChange::Added { 3 } else { 2 }],
        before: text(&before),
        after: text(after),
        anew: text(&before),
    }
}

/// A search that found `rate` without loss.
pub(crate) fn rate(backend: BackendKind, services: u32, trial: u32, rate: f64) -> RateRecord {
    let position = backend.worst_position();
    // 1.5 us a packet, on one CPU or less.
    let cpu = |load: f64| NodeCpu {
        load_pps: load,
        trials: 10,
        duration_ns: 1_000_000_000,
        offered: load as u64,
        carried: load as u64,
        receive_ns: 1_500 * load as u64,
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
    let (offered, carried) = (400_000, (rate / 10.0) as u64);
    RateRecord {
        cell: cell(backend, services, Flow::New, position),
        trial,
        method: RateMethod::Quick,
        packet_size: PacketSize::default(),
        new_share: None,
        loaded: Vec::new(),
        sender_pps: 5e6,
        max_load_pps: 4e6,
        received: Some(ReceivedRate {
            mean_pps: 1.1 * rate,
            stdev_pps: Some(5.0),
            bursts: 10,
            lossless: 0,
            invalid: 0,
            cpu: None,
        }),
        goals: vec![goal(0.0, rate), goal(0.005, 1.05 * rate)],
        top: Some(PassageRecord {
            load_pps: 4e6,
            duration_ns: 100_000_000,
            unsent: 0,
            offered,
            carried,
            misdirected: 0,
            at_ring: offered - carried - 7,
            in_node: 7,
            queued: Some(0),
            at_egress: 0,
            unexplained: 0,
            cpu_ns: Some(100_000_000),
            conntrack_entries: Some(carried),
        }),
        valid: 50,
        invalid: 2,
        lag: LagRecord { p50: 30, p99: 900, p999: 9_000, max: 50_000, histogram: String::new() },
        fixed_cpu: Some(cpu(20_000.0)),
        accounts: Some(CpuAccounts { threads_ns: 1_000_000_000, kernel_ns: 1_100_000_000 }),
    }
}
