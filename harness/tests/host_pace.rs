//! Paced trials and throughput searches on this kernel, in small: root, namespaces of its own, nothing else touched.
#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use curve_stats::search::{
    Budget, ControllerInput, Irregularity, Measurer, OfferLimit, Pace, PacketsPerSecond, SearchGoal, Width, search,
};
use lbcurve::backend::backend;
use lbcurve::net::Topology;
use lbcurve::probe::{Destinations, Instrument};
use lbcurve::result::{BackendKind, Bracket, Flow, NewShare, PacketSize};
use lbcurve::traffic::{PaceOrder, Passage, Road, TIMED_LAG_BOUND, Timed, TrafficError, TrafficOrder, loaded};
use lbcurve::workload::{AddressPlan, Protocol, VipLayout, Workload, WorkloadSpec};

const NUMBERS: u64 = 1 << 23;
const SHORT: Duration = Duration::from_millis(50);
const ATTEMPTS: u32 = 20;

/// Each takes two CPUs.
static ALONE: Mutex<()> = Mutex::new(());

struct Bench {
    instrument: Instrument,
    topology: Topology,
    order: TrafficOrder,
    size: PacketSize,
    new_share: Option<NewShare>,
    _alone: MutexGuard<'static, ()>,
}

fn bench(kind: BackendKind, flow: Flow) -> Bench {
    bench_of(kind, flow, Protocol::Udp)
}

fn bench_of(kind: BackendKind, flow: Flow, protocol: Protocol) -> Bench {
    let _alone = alone();
    let (instrument, topology, order) = node_of(kind, flow, protocol, 1);
    Bench { instrument, topology, order, size: PacketSize::default(), new_share: None, _alone }
}

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last of so many services is asked.
fn node_of(kind: BackendKind, flow: Flow, protocol: Protocol, services: u32) -> (Instrument, Topology, TrafficOrder) {
    let (layout, addresses) = (VipLayout::Sequential, AddressPlan::default());
    let workload =
        Workload::generate(&WorkloadSpec { services, endpoints: 2, layout, protocol, seed: 0, addresses }).unwrap();
    let topology = Topology::create(&addresses).unwrap();
    {
        let _inside = topology.node.enter().unwrap();
        backend(kind).apply(&workload).unwrap();
    }
    let expected = Destinations { pods: addresses.cluster_cidr, port: 8080 };
    let instrument = Instrument::attach(&topology, expected, Bracket::Tc, None).unwrap();
    let service = workload.services.last().unwrap();
    let pod = &service.endpoints[0];
    let target = match kind.balances() {
        true => SocketAddrV4::new(service.vip, service.port),
        false => SocketAddrV4::new(pod.addr, pod.port),
    };
    let (targets, clients) = (vec![target], addresses.client_range);
    let order = TrafficOrder { flow, protocol, targets, packets: 1_000, first_flow: 0, seed: 1, clients };
    (instrument, topology, order)
}

impl Bench {
    fn pace<T: Send>(&mut self, work: impl FnOnce(&mut Road<'_>) -> Result<T, TrafficError> + Send) -> T {
        self.try_to_pace(&AtomicBool::new(false), work).unwrap()
    }

    fn try_to_pace<T: Send>(
        &mut self,
        cancel: &AtomicBool,
        work: impl FnOnce(&mut Road<'_>) -> Result<T, TrafficError> + Send,
    ) -> Result<T, TrafficError> {
        let Self { size, new_share, .. } = *self;
        let order = PaceOrder { traffic: &self.order, size, new_share, numbers: NUMBERS, longest: SHORT, cancel };
        self.instrument.pace(&order, work)
    }

    fn conntrack_entries(&self) -> u64 {
        self.conntrack("count")
    }

    fn conntrack(&self, what: &str) -> u64 {
        let _inside = self.topology.node.enter().unwrap();
        std::fs::read_to_string(format!("/proc/sys/net/netfilter/nf_conntrack_{what}")).unwrap().trim().parse().unwrap()
    }
}

fn rate(value: f64) -> PacketsPerSecond {
    PacketsPerSecond::new(value).unwrap()
}

fn show(passage: &Passage) -> String {
    let Passage { load, planned, offered, carried, misdirected, at_ring, in_node, at_egress, late, duration, .. } =
        passage;
    let Passage { queued, standing, lag, receive_ns, ksoftirqd_ns, conntrack_entries, .. } = passage;
    format!(
        "load {load:.0}: planned {planned}, offered {offered} in {duration:?}, carried {carried} and then {queued} in {standing:?}, misdirected {misdirected}, \
         at ring {at_ring}, in node {in_node}, at egress {at_egress}, unexplained {}, CPU {receive_ns} and {ksoftirqd_ns} ns, {conntrack_entries} connections, late {late}, lag p50 {} p99 {} p99.9 {} max {}",
        passage.unexplained(),
        lag.value_at_quantile(0.5),
        lag.value_at_quantile(0.99),
        lag.value_at_quantile(0.999),
        lag.max()
    )
}

/// A flood that the node could not carry: while others have the sender's CPU, too little of one may be sent.
fn overload(road: &mut Road<'_>) -> Result<Passage, TrafficError> {
    for _ in 1..ATTEMPTS {
        let flood = road.flood(SHORT)?;
        if flood.offered > flood.carried && flood.at_ring > 0 {
            return Ok(flood);
        }
    }
    road.flood(SHORT)
}

#[test]
fn every_offered_packet_arrives_or_is_located() {
    for kind in [BackendKind::Direct, BackendKind::IptablesLegacy] {
        for flow in [Flow::New, Flow::Established] {
            let mut bench = bench(kind, flow);
            let passages = bench.pace(|road| {
                // A machine that is busy may need some attempts for one in which nothing came between.
                for _ in 0..ATTEMPTS {
                    if road.measure(rate(20_000.0), SHORT)?.pace() == Pace::Kept {
                        break;
                    }
                }
                for load in [100_000.0, 300_000.0, 1_000_000.0, 2_000_000.0] {
                    road.measure(rate(load), SHORT)?;
                }
                let flood = overload(road)?;
                Ok(road.passages().iter().cloned().chain([flood]).collect::<Vec<_>>())
            });
            for passage in &passages {
                println!("{kind:?} {flow:?}: {}", show(passage));
                assert_eq!((passage.unexplained(), passage.misdirected), (0, 0), "{}", show(passage));
                assert!(passage.offered > 0 && passage.offered <= passage.planned);
                assert_eq!(passage.lag.len(), passage.offered);
            }
            let mut slow = passages.iter().filter(|passage| passage.load == 20_000.0 && passage.pace() == Pace::Kept);
            let (slow, flood) = (slow.next_back().unwrap(), passages.last().unwrap());
            // A fraction of what any machine carries.
            assert_eq!((slow.offered, slow.lag.len()), (1_000, 1_000), "{}", show(slow));
            assert!(slow.arrived() > 900, "{}", show(slow));
            // A node that is flooded works all the time, on one CPU; one that is asked for little sleeps in between.
            assert!(slow.receive_ns > 0 && flood.receive_ns > slow.receive_ns, "{} {}", show(slow), show(flood));
            assert!(flood.offered > flood.carried && flood.at_ring > 0, "{}", show(flood));
        }
    }
}

/// What the ring still holds when sending ends is carried by no node that has one CPU: it has no time for it.
#[test]
fn a_flood_is_carried_within_the_time_of_one_cpu() {
    let _alone = alone();
    let (instrument, topology, order) = node_of(BackendKind::IptablesLegacy, Flow::New, Protocol::Udp, 10_000);
    let mut bench = Bench { instrument, topology, order, size: PacketSize::default(), new_share: None, _alone };
    let floods = bench.pace(|road| (0..5).map(|_| overload(road)).collect::<Result<Vec<_>, _>>());
    // A ring that is flooded is full: 256, and what the node has in its hands.
    let mut queued: Vec<_> = floods.iter().map(|flood| flood.queued).collect();
    queued.sort_unstable();
    assert!((230..=300).contains(&queued[2]), "{queued:?}");
    for flood in &floods {
        println!("{}", show(flood));
        let (time, arrived) = (flood.receive_ns + flood.ksoftirqd_ns, flood.arrived());
        assert!(flood.queued > 100 && flood.carried > flood.queued && flood.unexplained() == 0, "{}", show(flood));
        let cores = time as f64 / arrived as f64 * flood.carried as f64 / flood.duration.as_nanos() as f64;
        assert!(cores < 1.1, "{cores} cores: {}", show(flood));
    }
}

/// Goals that need no second: it is the way that is tested here, not the figure.
fn small_goal() -> SearchGoal {
    SearchGoal {
        initial_trial_duration: Duration::from_millis(20),
        final_trial_duration: Duration::from_millis(20),
        duration_sum: Duration::from_millis(60),
        width: Width::new(0.1).unwrap(),
        preceding_targets: 1,
        ..SearchGoal::PDR
    }
}

#[test]
fn the_rate_that_is_carried_nearly_whole_lies_below_the_rate_at_saturation() {
    for kind in [BackendKind::Direct, BackendKind::IptablesLegacy] {
        let mut bench = bench(kind, Flow::New);
        let input = ControllerInput {
            goals: vec![small_goal()],
            min_load: rate(5_000.0),
            max_load: rate(2_000_000.0),
            budget: Budget { trials: 200, time: Duration::from_secs(10) },
        };
        let (output, passages, floods) = bench.pace(|road| {
            let output = search(road, &input).map_err(|error| TrafficError::Search(Box::new(error)))?;
            let passages = road.passages().to_vec();
            Ok((output, passages, (0..5).map(|_| overload(road)).collect::<Result<Vec<_>, _>>()?))
        });
        passages.iter().for_each(|passage| println!("{kind:?}: {}", show(passage)));
        println!("{kind:?}: {:?}", output.results);
        floods.iter().for_each(|flood| println!("{kind:?}: at saturation {}", show(flood)));
        // Those in which the sender was held up are repeated.
        assert!(passages.len() >= output.trials.len() + output.invalid.len());
        assert!(passages.iter().all(|passage| passage.unexplained() == 0));
        let found = output.results[0].conditional_throughput().unwrap().0.get();
        // Of several floods the most: one of them alone may lack the CPU that others took meanwhile.
        let most = |packets: fn(&Passage) -> u64| {
            floods.iter().map(|flood| packets(flood) as f64 / flood.duration.as_secs_f64()).fold(0.0, f64::max)
        };
        let (offered, carried) = (most(|flood| flood.offered), most(|flood| flood.carried));
        assert!(found < offered, "{found} of {offered}");
        // What is carried nearly whole is not more than what a flood leaves, but for the noise of another moment.
        assert!(found < 1.5 * carried, "{found} of {carried}");
    }
}

#[test]
fn a_load_beyond_the_sender_is_invalid_and_the_senders_limit() {
    let mut bench = bench(BackendKind::Direct, Flow::New);
    let input = ControllerInput {
        goals: vec![small_goal()],
        min_load: rate(50e6),
        max_load: rate(60e6),
        budget: Budget { trials: 50, time: Duration::from_secs(10) },
    };
    let (outcome, passage, output) = bench.pace(|road| {
        let outcome = road.measure(rate(50e6), Duration::from_millis(20))?;
        let passage = road.passages()[0].clone();
        let output = search(road, &input).map_err(|error| TrafficError::Search(Box::new(error)))?;
        Ok((outcome, passage, output))
    });
    println!("{}\n{:?}", show(&passage), output.results);
    assert_eq!(outcome.pace(), Pace::Missed);
    assert!(passage.unsent() > 0 && passage.unexplained() == 0, "{}", show(&passage));
    assert!(output.trials.is_empty() && !output.invalid.is_empty());
    assert_eq!(output.results[0].irregularity(), Some(Irregularity::NothingOffered));

    // Where a load is met that the sender keeps, and it keeps none above, the goal names the sender.
    let all_may_be_lost = SearchGoal { loss_ratio: curve_stats::search::Ratio::new(0.999).unwrap(), ..small_goal() };
    let input = ControllerInput { goals: vec![all_may_be_lost], min_load: rate(1_000.0), ..input };
    let output = bench.pace(|road| search(road, &input).map_err(|error| TrafficError::Search(Box::new(error))));
    println!("{:?}", output.results);
    assert_eq!(output.results[0].irregularity(), Some(Irregularity::NotOverloaded(OfferLimit::Sender)));
}

#[test]
fn a_latency_begins_at_the_intended_time_and_holds_the_senders_lag() {
    for (kind, flow) in [(BackendKind::Direct, Flow::New), (BackendKind::IptablesLegacy, Flow::Established)] {
        let mut bench = bench(kind, flow);
        let (trials, hopeless) = bench.pace(|road| {
            let mut trials = Vec::new();
            for load in [20_000.0, 100_000.0] {
                for _ in 0..ATTEMPTS {
                    trials.push(road.timed(rate(load), SHORT)?);
                    if trials.last().is_some_and(|trial| trial.passage.pace() == Pace::Kept) {
                        break;
                    }
                }
            }
            Ok((trials, road.timed(rate(50e6), Duration::from_millis(20))?))
        });
        for trial in &trials {
            let at = |quantile| trial.latency.value_at_quantile(quantile);
            println!("{kind:?} {flow:?}: {}", show(&trial.passage));
            println!("  latency p50 {} p99 {} p99.9 {} max {}", at(0.5), at(0.99), at(0.999), trial.max_ns);
            assert_eq!((trial.latency.len(), trial.passage.unexplained()), (trial.passage.arrived(), 0));
            assert_eq!(trial.latency.highest_equivalent(trial.max_ns), trial.latency.max());
            if trial.passage.lost() == 0 {
                // Of each packet, and so at every quantile.
                let quantiles = [0.1, 0.5, 0.9, 0.99, 1.0];
                assert!(quantiles.iter().all(|q| at(*q) >= trial.passage.lag.value_at_quantile(*q)), "{trial:?}");
            }
        }
        assert!(trials.iter().any(|trial| trial.passage.pace() == Pace::Kept && trial.passage.arrived() > 900));
        // Behind by more with every packet: a time from when they were handed on would be that of a full ring, and say nothing of it.
        let Timed { passage, latency, .. } = &hopeless;
        println!("{kind:?} {flow:?}: {}, latency p50 {}", show(passage), latency.value_at_quantile(0.5));
        assert_eq!(passage.pace(), Pace::Missed);
        assert!(latency.max() > passage.lag.value_at_quantile(0.9) / 2 && passage.lag.max() > 5_000_000);
    }
}

#[test]
fn shares_of_a_rate_are_offered_and_timed_over_valid_trials_alone() {
    let mut bench = bench(BackendKind::IptablesLegacy, Flow::New);
    let loads = bench.pace(|road| {
        let mut loads = loaded(road, rate(100_000.0), 2, SHORT)?;
        // On a busy machine the sender may keep its pace in none of them, and then nothing is measured.
        for _ in 1..ATTEMPTS {
            if loads[0].valid > 0 {
                break;
            }
            loads = loaded(road, rate(100_000.0), 2, SHORT)?;
        }
        Ok(loads)
    });
    assert!(loads[0].valid > 0 && loads[0].carried > 0, "{:?}", loads[0]);
    assert_eq!(loads.iter().map(|load| load.load.get()).collect::<Vec<_>>(), [10_000.0, 50_000.0, 90_000.0]);
    for load in &loads {
        let at = |quantile| load.latency.value_at_quantile(quantile);
        println!(
            "{}%: {} valid, {} not, {} of {} timed, p50 {} p99 {} max {}; lag p99 {} max {}",
            load.share_percent,
            load.valid,
            load.invalid,
            load.carried,
            load.offered,
            at(0.5),
            at(0.99),
            load.max_ns,
            load.lag.value_at_quantile(0.99),
            load.lag.max()
        );
        assert_eq!((load.latency.len(), load.lag.len(), load.misdirected), (load.carried, load.offered, 0));
        assert!(load.carried <= load.offered && load.valid <= 2 && load.valid + load.invalid <= 6);
        assert!(load.lag.max() < TIMED_LAG_BOUND.as_nanos() as u64 + 1_000, "{}", load.lag.max());
    }
}

impl Bench {
    /// Bytes that the node's client-side device has received.
    fn bytes(&self) -> u64 {
        let _inside = self.topology.node.enter().unwrap();
        let devices = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        let name = format!("{}:", self.topology.node_client_link.name);
        let line = devices.lines().find_map(|line| line.trim_start().strip_prefix(&name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
}

/// The node checks lengths and checksums: conntrack makes no connection of a packet whose own are wrong, and no service's address becomes
/// a pod's.
#[test]
fn packets_of_every_size_pass_the_node_whole() {
    for (size, mean) in [("64", 64.0), ("65", 65.0), ("1514", 1_514.0), ("imix", 4_242.0 / 12.0)] {
        for protocol in [Protocol::Udp, Protocol::Tcp] {
            let mut bench = bench_of(BackendKind::IptablesLegacy, Flow::New, protocol);
            bench.size = size.parse().unwrap();
            let before = bench.bytes();
            let passages = bench.pace(|road| {
                for _ in 0..ATTEMPTS {
                    if road.measure(rate(24_000.0), SHORT)?.pace() == Pace::Kept {
                        break;
                    }
                }
                Ok(road.passages().to_vec())
            });
            let packets: u64 = passages.iter().map(|passage| passage.offered - passage.at_ring).sum();
            let bytes = (bench.bytes() - before) as f64 / packets as f64;
            println!("{size} {protocol:?}: {bytes} bytes a packet; {}", show(passages.last().unwrap()));
            assert!((bytes - mean).abs() < 0.02 * mean, "{size}: {bytes} bytes a packet");
            for passage in &passages {
                assert_eq!(
                    (passage.in_node, passage.misdirected, passage.unexplained()),
                    (0, 0, 0),
                    "{}",
                    show(passage)
                );
            }
            assert!(passages.iter().map(Passage::arrived).sum::<u64>() > 900);
        }
    }
}

#[test]
fn connections_of_one_trial_are_gone_before_the_next() {
    let mut bench = bench(BackendKind::IptablesLegacy, Flow::New);
    let carried = bench.pace(|road| {
        (0..3).try_for_each(|_| road.measure(rate(50_000.0), SHORT).map(drop))?;
        Ok(road.passages().iter().map(|passage| (passage.arrived(), passage.conntrack_entries)).collect::<Vec<_>>())
    });
    let entries = bench.conntrack_entries();
    let (carried, seen): (Vec<_>, Vec<_>) = carried.into_iter().unzip();
    assert!(seen.iter().zip(&carried).all(|(seen, carried)| seen >= carried && *seen <= 2_500), "{seen:?}");
    println!("carried {carried:?}, {entries} entries");
    assert!(carried.iter().all(|carried| (1..=2_500).contains(carried)));
    // Of the last trial alone: those of all three would be more.
    assert!(*carried.last().unwrap() <= entries && entries <= 2_500, "{carried:?}, {entries} entries");
    assert!(carried.iter().sum::<u64>() > 2_500, "{carried:?}");
}

/// The established flows of a mix have their connections before a trial, and of its packets the share that opens flows makes one each: exactly so
/// many where nothing is lost, and otherwise fewer by no more than what is.
#[test]
fn a_mix_opens_flows_by_its_share_among_established_ones() {
    for (kind, protocol, percent) in [
        (BackendKind::IptablesLegacy, Protocol::Udp, 10),
        (BackendKind::IptablesLegacy, Protocol::Tcp, 10),
        (BackendKind::DirectConntrack, Protocol::Udp, 1),
    ] {
        let mut bench = bench_of(kind, Flow::New, protocol);
        bench.new_share = Some(format!("{percent}%").parse().unwrap());
        let (passages, flow, room) = bench.pace(|road| {
            // Three, so that what a trial leaves behind is seen in the next.
            for _ in 0..ATTEMPTS {
                road.measure(rate(30_000.0), SHORT)?;
                if road.passages().iter().filter(|passage| is_whole(passage)).count() >= 3 {
                    break;
                }
            }
            let flood = road.flood(SHORT)?;
            Ok((road.passages().iter().cloned().chain([flood]).collect::<Vec<_>>(), road.flow(), road.room()?))
        });
        for passage in &passages {
            println!("{kind:?} {protocol:?} {percent}%: {}", show(passage));
            assert_eq!((passage.unexplained(), passage.misdirected), (0, 0), "{}", show(passage));
            // The order's 1,000 flows, and those of this trial alone.
            let (opened, entries) = (passage.offered * percent / 100, passage.conntrack_entries);
            let fewest = (1_000 + opened).saturating_sub(passage.offered - passage.arrived());
            assert!((fewest..=1_000 + opened).contains(&entries), "{entries} of 1,000 and {opened}: {}", show(passage));
        }
        // There the count is exact.
        assert!(passages.iter().any(is_whole), "every trial was held up or lost something");
        assert_eq!(flow, Flow::New);
        // A trial may have more packets than the table has entries.
        let (packets, most) = (room.unwrap(), bench.conntrack("max"));
        assert!(packets > most && packets * percent / 100 < most, "{packets} packets, {most} entries");
    }
}

/// A trial that kept its pace and lost nothing.
fn is_whole(passage: &Passage) -> bool {
    passage.pace() == Pace::Kept && passage.arrived() == passage.offered
}

/// Kernel threads that poll a device of the node's name; other processes may have some too.
fn threads() -> BTreeSet<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let polls = |path: &std::path::PathBuf| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with("napi/eth0-"))
    };
    processes.filter(polls).map(|path| path.display().to_string()).collect()
}

/// Loaded programs of the paced generator.
fn generators() -> BTreeSet<String> {
    let loaded = aya::programs::loaded_programs().flatten();
    loaded.filter(|program| program.name_as_str() == Some("pacer")).map(|program| program.id().to_string()).collect()
}

/// What is there now and was not before. The kernel ends threads and programs a moment after it was told to.
fn left(found: impl Fn() -> BTreeSet<String>, made: &BTreeSet<String>) -> BTreeSet<String> {
    let begin = Instant::now();
    loop {
        let left: BTreeSet<String> = found().intersection(made).cloned().collect();
        if left.is_empty() || begin.elapsed() > Duration::from_secs(5) {
            return left;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn nothing_stays_behind() {
    let mut bench = bench(BackendKind::Direct, Flow::New);
    let mounts = || std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let before = (threads(), generators(), mounts());
    let (threads_inside, generators_inside) = bench.pace(|road| {
        road.measure(rate(10_000.0), SHORT)?;
        Ok((threads(), generators()))
    });
    let made = |inside: &BTreeSet<String>, before| inside.difference(before).cloned().collect::<BTreeSet<_>>();
    let (polling, sending) = (made(&threads_inside, &before.0), made(&generators_inside, &before.1));
    assert!(!polling.is_empty() && !sending.is_empty());
    assert_eq!(left(threads, &polling), BTreeSet::new());
    assert_eq!(left(generators, &sending), BTreeSet::new());
    assert_eq!(mounts(), before.2);
    // The exit is back where its bracket ends: packets are timed as before.
    let order = TrafficOrder { first_flow: NUMBERS, ..bench.order.clone() };
    let sample = bench.instrument.latency(&order).unwrap();
    assert_eq!((sample.measured, sample.lost), (1_000, 0));
}

#[test]
fn nodes_that_are_polled_at_the_same_time_find_one_thread_each() {
    let _alone = alone();
    // Every node's device has the same name, and so have the threads but for a number.
    let mut nodes: Vec<_> = (0..4).map(|_| node_of(BackendKind::Direct, Flow::New, Protocol::Udp, 1)).collect();
    let cancel = &AtomicBool::new(false);
    for _ in 0..20 {
        std::thread::scope(|scope| {
            for (instrument, _topology, traffic) in &mut nodes {
                let (size, numbers) = (PacketSize::default(), NUMBERS);
                let order = PaceOrder { traffic, size, new_share: None, numbers, longest: SHORT, cancel };
                scope.spawn(move || assert_eq!(instrument.pace(&order, |road| Ok(road.flow())).unwrap(), Flow::New));
            }
        });
    }
}

#[test]
fn an_interrupted_search_ends_before_its_next_trial() {
    let mut bench = bench(BackendKind::Direct, Flow::New);
    let ended = bench.try_to_pace(&AtomicBool::new(true), |road| road.measure(rate(10_000.0), SHORT));
    assert!(matches!(ended, Err(TrafficError::Interrupted)), "{ended:?}");
}
