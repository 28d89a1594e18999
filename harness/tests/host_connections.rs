//! Real connections on this kernel: every workload, and everything that can go wrong with them. Needs root; namespaces of its own,
//! nothing else touched. No time is asserted.
#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::num::NonZeroU32;
use std::process::Command;
use std::time::Duration;

use lbcurve::backend::{Backend, backend};
use lbcurve::connections::{Asked, ConnectionOrder, Outcome, Servers, Trial, generate, trial, use_of};
use lbcurve::net::conntrack::{flush, insert};
use lbcurve::net::{NetNs, Topology, write_sysctl};
use lbcurve::result::{BackendKind, ConnectionLoad, FailureKind};
use lbcurve::workload::{AddressPlan, Protocol, VipLayout, Workload, WorkloadSpec};

const BALANCING: [BackendKind; 5] = [
    BackendKind::IptablesLegacy,
    BackendKind::IptablesNft,
    BackendKind::Nftables,
    BackendKind::EbpfTc,
    BackendKind::EbpfXdp,
];

fn load(text: &str) -> ConnectionLoad {
    text.parse().unwrap()
}

fn workload(endpoints: u32, protocol: Protocol) -> Workload {
    let (layout, addresses) = (VipLayout::Sequential, AddressPlan::default());
    Workload::generate(&WorkloadSpec { services: 5, endpoints, layout, protocol, seed: 0, addresses }).unwrap()
}

/// A topology whose node balances load. The load balancer's programs live as long as it does.
struct Site {
    topology: Topology,
    workload: Workload,
    _balancer: Box<dyn Backend>,
}

impl Site {
    fn new(kind: BackendKind, endpoints: u32, protocol: Protocol) -> Self {
        let workload = workload(endpoints, protocol);
        let topology = Topology::create(&workload.addresses).unwrap();
        let balancer = backend(kind);
        let inside = topology.node.enter().unwrap();
        balancer.apply(&workload).unwrap();
        drop(inside);
        Self { topology, workload, _balancer: balancer }
    }

    fn asked(&self, index: usize) -> Asked {
        let service = &self.workload.services[index];
        let endpoints = service.endpoints.iter().map(|pod| SocketAddrV4::new(pod.addr, pod.port)).zip(0..).collect();
        Asked { address: SocketAddrV4::new(service.vip, service.port), endpoints }
    }

    /// Asks the last service.
    fn order(&self, load: ConnectionLoad, most: u64) -> ConnectionOrder {
        ConnectionOrder {
            load,
            protocol: self.workload.services[0].protocol,
            asked: vec![self.asked(4)],
            most,
            first: 0,
            duration: Duration::from_secs(20),
            patience: Duration::from_secs(10),
            seed: 1,
            clients: self.workload.addresses.client_range,
        }
    }

    fn trial(&self, order: &ConnectionOrder) -> Outcome {
        let Trial { outcome, .. } = trial(&self.topology, order).unwrap();
        assert_nothing_lost(&outcome);
        outcome
    }

    fn servers(&self) -> Servers {
        let order = self.order(load("1"), 1);
        let endpoints: BTreeSet<_> = order.asked.iter().flat_map(|asked| asked.endpoints.keys().copied()).collect();
        Servers::start(&self.topology.backend, order.protocol, &endpoints).unwrap()
    }
}

fn assert_nothing_lost(outcome: &Outcome) {
    assert_eq!(outcome.attempted, outcome.succeeded + outcome.failed(), "{outcome:?}");
}

fn assert_all_succeeded(outcome: &Outcome, most: u64) {
    assert_eq!((outcome.attempted, outcome.succeeded), (most, most), "{:?}", outcome.failures);
    assert_eq!(outcome.exchange.len(), most);
    assert_eq!(outcome.reached.iter().sum::<u64>(), most);
    assert!(outcome.per_second > 0.0);
}

fn failures(outcome: &Outcome, kind: FailureKind) -> u64 {
    outcome.failures.get(&kind).copied().unwrap_or(0)
}

fn in_namespace(namespace: &NetNs, tool: &str, arguments: &[&str]) {
    let _inside = namespace.enter().unwrap();
    assert!(Command::new(tool).args(arguments).status().unwrap().success(), "{tool} {arguments:?}");
}

#[test]
fn connections_reach_every_endpoint_through_every_datapath() {
    for kind in BALANCING {
        let site = Site::new(kind, 3, Protocol::Tcp);
        let outcome = site.trial(&site.order(load("8"), 600));
        assert_all_succeeded(&outcome, 600);
        assert_eq!(outcome.connect.len(), 600);
        // Binomial: mean 200, standard deviation 11.5.
        assert!(outcome.reached.iter().all(|count| (110..290).contains(count)), "{kind:?}: {:?}", outcome.reached);
        assert!(outcome.lag.is_empty());
    }
}

#[test]
fn an_open_loop_begins_as_many_as_it_was_told_at_their_times() {
    let site = Site::new(BackendKind::Nftables, 2, Protocol::Tcp);
    let order = ConnectionOrder { duration: Duration::from_millis(500), ..site.order(load("400/s"), 100_000) };
    let outcome = site.trial(&order);
    assert_all_succeeded(&outcome, 200);
    assert_eq!(outcome.lag.len(), 200);
    // No faster than asked for: the last begins 199 intervals after the first, or later.
    assert!(outcome.started_per_second <= 401.0, "{}", outcome.started_per_second);
}

#[test]
fn a_rate_that_nobody_can_keep_is_seen() {
    let site = Site::new(BackendKind::Direct, 2, Protocol::Tcp);
    let order = ConnectionOrder { duration: Duration::from_millis(20), ..site.order(load("1000000/s"), 100_000) };
    let pod = *site.asked(4).endpoints.keys().next().unwrap();
    let asked = vec![Asked { address: pod, endpoints: [(pod, 0)].into() }];
    let outcome = site.trial(&ConnectionOrder { asked, ..order });
    assert_eq!(outcome.attempted, 20_000);
    assert!(outcome.started_per_second < 990_000.0, "{}", outcome.started_per_second);
    assert_eq!(outcome.lag.len(), 20_000);
}

#[test]
fn kept_connections_carry_many_requests() {
    for (kind, protocol) in [(BackendKind::IptablesLegacy, Protocol::Tcp), (BackendKind::EbpfTc, Protocol::Udp)] {
        let site = Site::new(kind, 2, protocol);
        let outcome = site.trial(&site.order(load("keep-alive:4"), 1_000));
        assert_all_succeeded(&outcome, 1_000);
        assert_eq!(outcome.connect.len(), if protocol == Protocol::Tcp { 4 } else { 0 });
    }
}

#[test]
fn datagrams_are_answered_by_every_endpoint() {
    for kind in BALANCING {
        let site = Site::new(kind, 2, Protocol::Udp);
        let outcome = site.trial(&site.order(load("8"), 400));
        assert_all_succeeded(&outcome, 400);
        assert!(outcome.reached.iter().all(|count| (120..280).contains(count)), "{kind:?}: {:?}", outcome.reached);
    }
}

#[test]
fn many_services_are_asked_in_a_random_order() {
    let site = Site::new(BackendKind::Nftables, 2, Protocol::Tcp);
    let asked = (0..5).map(|index| site.asked(index)).collect();
    let outcome = site.trial(&ConnectionOrder { asked, ..site.order(load("8"), 200) });
    assert_eq!((outcome.attempted, outcome.succeeded), (200, 200), "{:?}", outcome.failures);
    assert_eq!(outcome.reached, Vec::<u64>::new());
}

#[test]
fn servers_that_crash_in_mid_trial_are_refusals_and_resets_and_the_next_trial_works() {
    let site = Site::new(BackendKind::IptablesLegacy, 2, Protocol::Tcp);
    for text in ["8", "keep-alive:8", "500/s"] {
        let servers = site.servers();
        let order = ConnectionOrder { duration: Duration::from_secs(1), ..site.order(load(text), 1_000_000) };
        let crash = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            drop(servers);
        });
        let outcome = generate(&site.topology.client, &order).unwrap();
        crash.join().unwrap();
        assert_nothing_lost(&outcome);
        assert!(outcome.succeeded > 0, "{text}: {:?}", outcome.failures);
        assert!(failures(&outcome, FailureKind::Refused) > 0, "{text}: {:?}", outcome.failures);
        let named: u64 = [FailureKind::Refused, FailureKind::Reset, FailureKind::ClosedEarly]
            .map(|kind| failures(&outcome, kind))
            .iter()
            .sum();
        assert_eq!(named, outcome.failed(), "{text}: {:?}", outcome.failures);
        assert_all_succeeded(&site.trial(&site.order(load("8"), 100)), 100);
    }
}

#[test]
fn a_dead_endpoint_and_one_that_is_none_of_the_services_are_noticed() {
    let site = Site::new(BackendKind::Nftables, 2, Protocol::Tcp);
    // The network says that the second pod is not there.
    let mut pods: Vec<_> = site.asked(4).endpoints.into_iter().collect();
    pods.sort_by_key(|(_, index)| *index);
    let dead = pods[1].0.ip().to_string();
    in_namespace(&site.topology.node, "ip", &["route", "add", "unreachable", &dead]);
    let outcome = site.trial(&site.order(load("4"), 200));
    assert_eq!(outcome.succeeded + failures(&outcome, FailureKind::Unreachable), 200, "{:?}", outcome.failures);
    assert_eq!(outcome.reached[1], 0);
    assert!((50..150).contains(&outcome.reached[0]), "{:?}", outcome.reached);
    in_namespace(&site.topology.node, "ip", &["route", "del", "unreachable", &dead]);
    // Of an endpoint that the service is said not to have, answers are wrong.
    let mut asked = site.asked(4);
    asked.endpoints.remove(&pods[1].0);
    let servers = site.servers();
    let outcome =
        generate(&site.topology.client, &ConnectionOrder { asked: vec![asked], ..site.order(load("4"), 200) });
    servers.stop().unwrap();
    let outcome = outcome.unwrap();
    assert_nothing_lost(&outcome);
    assert_eq!(failures(&outcome, FailureKind::WrongAnswer), outcome.failed());
    assert!((50..150).contains(&outcome.failed()), "{:?}", outcome.failures);
}

#[test]
fn a_client_that_cannot_connect_is_timed_out() {
    let site = Site::new(BackendKind::IptablesLegacy, 2, Protocol::Tcp);
    for words in ["add table ip t", "add chain ip t c { type filter hook forward priority 0; policy drop; }"] {
        in_namespace(&site.topology.node, "nft", &[words]);
    }
    let order = site.order(load("4"), 12);
    let outcome = site.trial(&ConnectionOrder { patience: Duration::from_millis(100), ..order });
    assert_eq!((outcome.attempted, failures(&outcome, FailureKind::TimedOut)), (12, 12), "{:?}", outcome.failures);
    assert!(outcome.connect.is_empty() && outcome.exchange.is_empty());
}

#[test]
fn an_open_loop_that_piles_up_names_those_for_which_there_is_no_room() {
    let site = Site::new(BackendKind::Nftables, 2, Protocol::Tcp);
    // Nobody answers, so none of the first ends while they begin.
    in_namespace(&site.topology.node, "nft", &["add table ip t"]);
    let chain = "add chain ip t c { type filter hook forward priority 0; policy drop; }";
    in_namespace(&site.topology.node, "nft", &[chain]);
    let order = ConnectionOrder { duration: Duration::from_secs(1), ..site.order(load("2000/s"), 100_000) };
    let outcome = site.trial(&ConnectionOrder { patience: Duration::from_secs(2), ..order });
    assert_eq!((outcome.attempted, outcome.succeeded), (2_000, 0));
    assert_eq!(failures(&outcome, FailureKind::TimedOut), 1_000, "{:?}", outcome.failures);
    assert_eq!(failures(&outcome, FailureKind::TooMany), 1_000, "{:?}", outcome.failures);
}

#[test]
fn clients_without_a_port_left_are_named() {
    let site = Site::new(BackendKind::Nftables, 2, Protocol::Tcp);
    {
        let _inside = site.topology.client.enter().unwrap();
        write_sysctl("net.ipv4.ip_local_port_range", "40000 40001").unwrap();
    }
    // Two addresses with two ports each, and eight connections at a time.
    let clients = format!("{}/30", site.workload.addresses.client_range.network()).parse().unwrap();
    let outcome = site.trial(&ConnectionOrder { clients, ..site.order(load("8"), 400) });
    assert!(outcome.succeeded > 0, "{:?}", outcome.failures);
    assert!(failures(&outcome, FailureKind::NoAddress) > 0, "{:?}", outcome.failures);
    assert_eq!(failures(&outcome, FailureKind::NoAddress), outcome.failed(), "{:?}", outcome.failures);
}

#[test]
fn a_full_connection_tracking_table_is_seen_and_the_run_goes_on() {
    let site = Site::new(BackendKind::Nftables, 2, Protocol::Tcp);
    let most = {
        let _inside = site.topology.node.enter().unwrap();
        let most = std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_max").unwrap();
        let most: u32 = most.trim().parse().unwrap();
        insert(most).unwrap();
        assert!(insert(most + 1).is_err(), "there is room for more than there should be");
        most
    };
    let used = use_of(&site.topology.node).unwrap().unwrap();
    assert_eq!((used.most, used.entries), (u64::from(most), u64::from(most)));
    let order = ConnectionOrder { patience: Duration::from_millis(100), ..site.order(load("4"), 12) };
    let Trial { outcome, conntrack, .. } = trial(&site.topology, &order).unwrap();
    assert_nothing_lost(&outcome);
    assert_eq!((outcome.attempted, failures(&outcome, FailureKind::TimedOut)), (12, 12), "{:?}", outcome.failures);
    assert!(conntrack.unwrap().dropped >= 12, "{conntrack:?}");
    // With room again the next trial works.
    {
        let _inside = site.topology.node.enter().unwrap();
        flush().unwrap();
    }
    assert_all_succeeded(&site.trial(&site.order(load("4"), 100)), 100);
}

#[test]
fn few_ports_come_again_and_again_and_conntrack_knows_no_more_of_them() {
    for kind in [BackendKind::Nftables, BackendKind::IptablesLegacy, BackendKind::EbpfTc] {
        let site = Site::new(kind, 2, Protocol::Tcp);
        let Trial { outcome, conntrack, .. } = trial(&site.topology, &site.order(load("reuse:8"), 500)).unwrap();
        assert_nothing_lost(&outcome);
        assert_eq!((outcome.attempted, outcome.succeeded), (500, 500), "{kind:?}: {:?}", outcome.failures);
        // Each of the eight ports carried more than sixty connections, and connection tracking has an entry for a port.
        let entries = conntrack.map_or(0, |conntrack| conntrack.entries);
        assert!(entries <= 8, "{kind:?}: {entries}");
        assert!(entries == 8 || kind == BackendKind::EbpfTc, "{kind:?}: {entries}");
        assert!(outcome.reached.iter().all(|count| *count > 0), "{kind:?}: {:?}", outcome.reached);
    }
}

#[test]
fn a_first_packet_that_is_lost_is_counted_as_a_connect_of_a_second() {
    let site = Site::new(BackendKind::Nftables, 2, Protocol::Tcp);
    for words in ["add table ip t", "add chain ip t c { type filter hook prerouting priority -300; }"] {
        in_namespace(&site.topology.node, "nft", &[words]);
    }
    // Of ten packets that open a connection the kernel loses one; a repeated one may be lost again.
    let rule = "add rule ip t c tcp flags & (syn | ack) == syn numgen inc mod 10 == 0 drop";
    in_namespace(&site.topology.node, "nft", &[rule]);
    let servers = site.servers();
    let outcome = generate(&site.topology.client, &site.order(load("8"), 60)).unwrap();
    servers.stop().unwrap();
    assert_all_succeeded(&outcome, 60);
    // 60 first packets and up to 7 repeated ones: 6 or 7 of them are lost.
    assert!((6..=7).contains(&outcome.repeated), "{}", outcome.repeated);
}

#[test]
fn streams_arrive_whole_at_an_endpoint_each() {
    for kind in BALANCING {
        let site = Site::new(kind, 3, Protocol::Tcp);
        let order = ConnectionOrder { duration: Duration::from_millis(200), ..site.order(load("stream:4"), 4) };
        let outcome = site.trial(&order);
        assert_eq!((outcome.attempted, outcome.succeeded), (4, 4), "{kind:?}: {:?}", outcome.failures);
        assert_eq!(outcome.reached.iter().sum::<u64>(), 4);
        assert!(outcome.bits_per_second > 0.0 && outcome.exchange.is_empty());
    }
}

#[test]
fn a_stream_whose_server_crashes_is_a_failure_and_its_bytes_do_not_count() {
    let site = Site::new(BackendKind::Nftables, 2, Protocol::Tcp);
    let servers = site.servers();
    let order = ConnectionOrder { duration: Duration::from_secs(1), ..site.order(load("stream:2"), 2) };
    let crash = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        drop(servers);
    });
    let outcome = generate(&site.topology.client, &order).unwrap();
    crash.join().unwrap();
    assert_nothing_lost(&outcome);
    assert_eq!((outcome.failed(), outcome.bits_per_second), (2, 0.0), "{:?}", outcome.failures);
    assert_eq!(failures(&outcome, FailureKind::Reset), 2, "{:?}", outcome.failures);
}

#[test]
fn a_table_that_is_nearly_full_is_so_before_and_empty_after_and_what_does_not_fit_is_seen() {
    let site = Site::new(BackendKind::Nftables, 2, Protocol::Tcp);
    let Trial { outcome, conntrack, .. } = trial(&site.topology, &site.order(load("4@90%"), 100)).unwrap();
    assert_all_succeeded(&outcome, 100);
    let conntrack = conntrack.unwrap();
    let share = conntrack.entries as f64 / conntrack.most as f64;
    // 90% and the connections themselves, those that do not count included.
    assert!((0.9..0.901).contains(&share) && conntrack.dropped == 0, "{conntrack:?}");
    assert_eq!(use_of(&site.topology.node).unwrap().unwrap().entries, 0);
    let patience = Duration::from_millis(100);
    let order = ConnectionOrder { patience, ..site.order(load("4@100%"), 12) };
    let Trial { outcome, conntrack, .. } = trial(&site.topology, &order).unwrap();
    assert_nothing_lost(&outcome);
    assert_eq!(failures(&outcome, FailureKind::TimedOut), 12, "{:?}", outcome.failures);
    assert!(conntrack.unwrap().dropped >= 12, "{conntrack:?}");
    assert_all_succeeded(&site.trial(&site.order(load("4"), 100)), 100);
}

#[test]
fn where_nobody_listens_or_a_rule_rejects_every_attempt_is_refused() {
    let site = Site::new(BackendKind::IptablesLegacy, 2, Protocol::Tcp);
    for text in ["4", "keep-alive:4", "reuse:8", "400/s", "stream:4"] {
        let order = ConnectionOrder { duration: Duration::from_millis(50), ..site.order(load(text), 16) };
        let outcome = generate(&site.topology.client, &order).unwrap();
        assert_nothing_lost(&outcome);
        assert!(outcome.attempted >= 4, "{text}: {outcome:?}");
        assert_eq!(failures(&outcome, FailureKind::Refused), outcome.attempted, "{text}: {:?}", outcome.failures);
    }
    for words in ["add table ip t", "add chain ip t c { type filter hook forward priority 0; }"] {
        in_namespace(&site.topology.node, "nft", &[words]);
    }
    in_namespace(&site.topology.node, "nft", &["add rule ip t c tcp flags syn reject with tcp reset"]);
    let outcome = site.trial(&site.order(load("4"), 16));
    assert_eq!(failures(&outcome, FailureKind::Refused), 16, "{:?}", outcome.failures);
}

/// Connection tracking keeps an entry for every address and port that a datagram came from.
#[test]
fn no_two_datagrams_sockets_have_one_address_and_port() {
    let site = Site::new(BackendKind::Nftables, 2, Protocol::Udp);
    let order = site.order(load("8"), 3_000);
    assert_all_succeeded(&site.trial(&order), 3_000);
    let first = use_of(&site.topology.node).unwrap().unwrap();
    assert_eq!(first.entries, 3_064);
    assert_all_succeeded(&site.trial(&ConnectionOrder { first: 1 << 17, ..order }), 3_000);
    assert_eq!(use_of(&site.topology.node).unwrap().unwrap().entries, 2 * 3_064);
}

#[test]
fn an_order_without_a_target_is_refused() {
    let site = Site::new(BackendKind::Direct, 1, Protocol::Tcp);
    let order = ConnectionOrder { asked: Vec::new(), ..site.order(ConnectionLoad::Closed(NonZeroU32::MIN), 1) };
    assert!(trial(&site.topology, &order).is_err());
}
