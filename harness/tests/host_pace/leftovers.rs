//! What paced trials leave behind: nothing, whichever way they end.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use curve_stats::search::Measurer;
use lbcurve::result::{BackendKind, Flow, PacketSize};
use lbcurve::traffic::{PaceOrder, TrafficError, TrafficOrder};
use lbcurve::workload::Protocol;

use crate::bench::{NUMBERS, SHORT, alone, bench, node_of, rate};

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
