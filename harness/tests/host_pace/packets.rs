//! Sizes of packets, and the connections they open in the node.

use curve_stats::search::{Measurer, Pace};
use lbcurve::result::{BackendKind, Flow};
use lbcurve::traffic::Passage;
use lbcurve::workload::Protocol;

use crate::bench::{ATTEMPTS, SHORT, bench, bench_of, rate, show};

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
