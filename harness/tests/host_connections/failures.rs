//! Everything that can go wrong with connections is a failure of its kind, and nothing is lost.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use lbcurve::connections::{
    ConnectionOrder, ConnectionsError, Servers, Trial, WarmUp, generate, trial, trial_with, use_of,
};
use lbcurve::net::conntrack::{flush, insert};
use lbcurve::net::write_sysctl;
use lbcurve::result::{
    BackendKind, Bracket, Cell, ConnectionLoad, FailureKind, Position, VenueKind, connection_curves,
};
use lbcurve::workload::{Protocol, VipLayout};

use super::{Site, assert_all_succeeded, assert_nothing_lost, failed_as, in_namespace, load};

#[test]
fn servers_that_crash_in_mid_trial_are_refusals_and_resets_and_the_next_trial_works() {
    let site = Site::new(BackendKind::IptablesLegacy, 2, Protocol::Tcp);
    for text in ["8", "keep-alive:8", "500/s"] {
        let order = ConnectionOrder { duration: Duration::from_secs(1), ..site.order(load(text), 1_000_000) };
        let crash = |servers: &Servers| servers.crash_after(Duration::from_millis(300));
        let crashed = trial_with(&site.topology, &order, WarmUp::Short, crash).unwrap();
        let outcome = crashed.outcome.clone();
        assert_nothing_lost(&outcome);
        assert!(outcome.succeeded > 0, "{text}: {:?}", outcome.failures);
        assert!(failed_as(&outcome, FailureKind::Refused) > 0, "{text}: {:?}", outcome.failures);
        let named: u64 = [FailureKind::Refused, FailureKind::Reset, FailureKind::ClosedEarly]
            .map(|kind| failed_as(&outcome, kind))
            .iter()
            .sum();
        assert_eq!(named, outcome.failed(), "{text}: {:?}", outcome.failures);
        assert_crash_is_named(crashed, load(text));
        let next = trial(&site.topology, &site.order(load("8"), 100), WarmUp::Short).unwrap();
        assert_all_succeeded(&next.outcome, 100);
        assert!(next.servers_failed.is_none() && next.cpu.is_some(), "{text}: {next:?}");
    }
}

/// What is recorded of a trial whose servers crashed counts, says so, and is in no figure.
fn assert_crash_is_named(crashed: Trial, load: ConnectionLoad) {
    assert_eq!((crashed.servers_failed.as_deref(), crashed.cpu), (Some("the servers' thread panicked"), None));
    let cell = Cell {
        venue: VenueKind::Host,
        kernel: "6.18".to_owned(),
        backend: BackendKind::IptablesLegacy,
        bracket: Bracket::Tc,
        layout: VipLayout::Sequential,
        protocol: Protocol::Tcp,
        services: 5,
        endpoints: 2,
        flow: load.flow(),
        position: Position::Last,
    };
    let record = crashed.record(cell, load, 0).unwrap();
    assert_eq!(record.attempted, record.succeeded + record.failed());
    let point = &connection_curves(std::slice::from_ref(&record)).unwrap()[0].points[0];
    assert_eq!((point.trials, point.invalid, point.attempted), (1, 1, record.attempted));
    assert_eq!((point.per_second.as_ref(), point.failures.clone()), (None, record.failures));
    let trouble = point.trouble().unwrap();
    assert!(trouble.contains("in 1 of 1 trials the servers failed (the servers' thread panicked)"), "{trouble}");
}

#[test]
fn servers_that_were_told_to_crash_and_are_stopped_before_have_not_failed() {
    let site = Site::new(BackendKind::Direct, 1, Protocol::Tcp);
    let servers = site.servers();
    servers.crash_after(Duration::from_secs(600));
    servers.stop().unwrap();
    let servers = site.servers();
    servers.crash_after(Duration::ZERO);
    // A thread that is gone has no CPU time.
    while servers.thread().cpu_ns().is_ok() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(matches!(servers.stop(), Err(ConnectionsError::Thread)));
}

#[test]
fn a_dead_endpoint_and_one_that_is_none_of_the_services_are_noticed() {
    let site = Site::new(BackendKind::Nftables, 2, Protocol::Tcp);
    // The network says that the second pod is not there.
    let mut pods: Vec<_> = site.asked(4).endpoints.iter().map(|(pod, index)| (*pod, *index)).collect();
    pods.sort_by_key(|(_, index)| *index);
    let dead = pods[1].0.ip().to_string();
    in_namespace(&site.topology.node, "ip", &["route", "add", "unreachable", &dead]);
    let outcome = site.trial(&site.order(load("4"), 200));
    assert_eq!(outcome.succeeded + failed_as(&outcome, FailureKind::Unreachable), 200, "{:?}", outcome.failures);
    assert_eq!(outcome.reached[1], 0);
    assert!((50..150).contains(&outcome.reached[0]), "{:?}", outcome.reached);
    in_namespace(&site.topology.node, "ip", &["route", "del", "unreachable", &dead]);
    // Of an endpoint that the service is said not to have, answers are wrong.
    let mut asked = site.asked(4);
    Arc::make_mut(&mut asked.endpoints).remove(&pods[1].0);
    let servers = site.servers();
    let outcome =
        generate(&site.topology.client, &ConnectionOrder { asked: vec![asked], ..site.order(load("4"), 200) });
    servers.stop().unwrap();
    let outcome = outcome.unwrap();
    assert_nothing_lost(&outcome);
    assert_eq!(failed_as(&outcome, FailureKind::WrongAnswer), outcome.failed());
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
    assert_eq!((outcome.attempted, failed_as(&outcome, FailureKind::TimedOut)), (12, 12), "{:?}", outcome.failures);
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
    assert_eq!(failed_as(&outcome, FailureKind::TimedOut), 1_000, "{:?}", outcome.failures);
    assert_eq!(failed_as(&outcome, FailureKind::TooMany), 1_000, "{:?}", outcome.failures);
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
    assert!(failed_as(&outcome, FailureKind::NoAddress) > 0, "{:?}", outcome.failures);
    assert_eq!(failed_as(&outcome, FailureKind::NoAddress), outcome.failed(), "{:?}", outcome.failures);
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
    let Trial { outcome, conntrack, .. } = trial(&site.topology, &order, WarmUp::Short).unwrap();
    assert_nothing_lost(&outcome);
    assert_eq!((outcome.attempted, failed_as(&outcome, FailureKind::TimedOut)), (12, 12), "{:?}", outcome.failures);
    assert!(conntrack.unwrap().dropped >= 12, "{conntrack:?}");
    // With room again the next trial works.
    {
        let _inside = site.topology.node.enter().unwrap();
        flush().unwrap();
    }
    assert_all_succeeded(&site.trial(&site.order(load("4"), 100)), 100);
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
    assert_eq!(failed_as(&outcome, FailureKind::Reset), 2, "{:?}", outcome.failures);
}

#[test]
fn where_nobody_listens_or_a_rule_rejects_every_attempt_is_refused() {
    let site = Site::new(BackendKind::IptablesLegacy, 2, Protocol::Tcp);
    for text in ["4", "keep-alive:4", "reuse:8", "400/s", "stream:4"] {
        let order = ConnectionOrder { duration: Duration::from_millis(50), ..site.order(load(text), 16) };
        let outcome = generate(&site.topology.client, &order).unwrap();
        assert_nothing_lost(&outcome);
        assert!(outcome.attempted >= 4, "{text}: {outcome:?}");
        assert_eq!(failed_as(&outcome, FailureKind::Refused), outcome.attempted, "{text}: {:?}", outcome.failures);
    }
    for words in ["add table ip t", "add chain ip t c { type filter hook forward priority 0; }"] {
        in_namespace(&site.topology.node, "nft", &[words]);
    }
    in_namespace(&site.topology.node, "nft", &["add rule ip t c tcp flags syn reject with tcp reset"]);
    let outcome = site.trial(&site.order(load("4"), 16));
    assert_eq!(failed_as(&outcome, FailureKind::Refused), 16, "{:?}", outcome.failures);
}

#[test]
fn an_order_without_a_target_is_refused() {
    let site = Site::new(BackendKind::Direct, 1, Protocol::Tcp);
    let order = ConnectionOrder { asked: Vec::new(), ..site.order(ConnectionLoad::Closed(NonZeroU32::MIN), 1) };
    assert!(trial(&site.topology, &order, WarmUp::Short).is_err());
}
