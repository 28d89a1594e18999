//! Every load does what its name says, through every datapath.

use std::sync::Arc;
use std::time::Duration;

use lbcurve::connections::{Asked, ConnectionOrder, ConnectionsError, Trial, WarmUp, trial, use_of};
use lbcurve::net::NetError;
use lbcurve::result::BackendKind;
use lbcurve::workload::Protocol;

use super::{BALANCING, Site, assert_all_succeeded, assert_nothing_lost, load};

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
    let asked = vec![Asked { address: pod, endpoints: Arc::new([(pod, 0)].into()) }];
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
fn few_ports_come_again_and_again_and_conntrack_knows_no_more_of_them() {
    for kind in [BackendKind::Nftables, BackendKind::IptablesLegacy, BackendKind::EbpfTc] {
        let site = Site::new(kind, 2, Protocol::Tcp);
        let Trial { outcome, conntrack, .. } =
            trial(&site.topology, &site.order(load("reuse:8"), 500), WarmUp::Short).unwrap();
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
fn a_mode_of_ipvs_is_put_back_after_its_trial_and_refused_where_there_is_none() {
    let site = Site::new(BackendKind::Nftables, 2, Protocol::Tcp);
    let mode = || {
        let _inside = site.topology.node.enter().unwrap();
        std::fs::read_to_string("/proc/sys/net/ipv4/vs/conn_reuse_mode").ok()
    };
    let before = mode();
    let made = trial(&site.topology, &site.order(load("reuse0:8"), 50), WarmUp::Short);
    match before {
        Some(_) => assert_eq!(made.unwrap().ipvs.unwrap().conn_reuse_mode, Some(0)),
        None => assert!(matches!(made, Err(ConnectionsError::Net(NetError::Sysctl { .. }))), "{made:?}"),
    }
    assert_eq!(mode(), before);
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
fn a_table_that_is_nearly_full_is_so_before_and_empty_after() {
    let site = Site::new(BackendKind::Nftables, 2, Protocol::Tcp);
    let Trial { outcome, conntrack, .. } =
        trial(&site.topology, &site.order(load("4@90%"), 100), WarmUp::Short).unwrap();
    assert_all_succeeded(&outcome, 100);
    let conntrack = conntrack.unwrap();
    let share = conntrack.entries as f64 / conntrack.most as f64;
    // 90% and the connections themselves, those that do not count included.
    assert!((0.9..0.901).contains(&share) && conntrack.dropped == 0, "{conntrack:?}");
    assert_eq!(use_of(&site.topology.node).unwrap().unwrap().entries, 0);
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
