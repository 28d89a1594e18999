//! Packets that ask for nothing that is there.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::addresses::addresses;
use crate::bench::{Bench, CLIENT, LONELY, VIP, both, tcp, udp};
use crate::packets::{Datagram, Inner, Transport, ones_complement_sum, parse, valid};

/// The rejection of `frame`: to its sender, from the node, quoting its IPv4 header and the beginning of what follows.
fn assert_rejected(bench: &Bench, frame: &[u8], quoted: usize) {
    let ran = bench.forward(frame);
    assert_eq!(ran.verdict, bench.sent_back(), "{:?}", bench.hook);
    let answer = parse(&ran.frame);
    assert!(valid(&ran.frame), "{:?}: {:02x?}", bench.hook, ran.frame);
    assert_eq!((answer.source.0, answer.destination.0), (addresses().node_addr, CLIENT));
    let (to, from) = parse(frame).macs;
    assert_eq!(answer.macs, (from, to));
    let Transport::Unreachable { code, original } = &answer.transport else { panic!("{answer:?}") };
    assert_eq!((*code, &original[..]), (3, &frame[14..14 + quoted]), "{:?}", bench.hook);
    assert_eq!((answer.ttl, ran.frame.len()), (64, 42 + quoted));
    // As the kernel's own: internetwork control with the packet's type of service, and free to be fragmented.
    assert_eq!((ran.frame[15], ran.frame[20]), (0xc0 | frame[15] & 0x1e, 0), "{:?}", bench.hook);
}

#[test]
fn a_service_without_endpoints_is_rejected() {
    both(|bench| {
        let lonely = Datagram { destination: (LONELY, 80), ..tcp() };
        assert_rejected(bench, &lonely.frame(), 40);
        assert_rejected(bench, &Datagram { payload: vec![7; 1000], ..lonely.clone() }.frame(), 40);
        assert_rejected(bench, &Datagram { payload: Vec::new(), ..lonely.clone() }.frame(), 40);
        assert_rejected(bench, &Datagram { options: vec![1; 40], ..lonely }.frame(), 80);
    });
}

#[test]
fn a_rejection_keeps_the_type_of_service_and_has_an_identification_of_its_own() {
    both(|bench| {
        let mut frame = Datagram { destination: (LONELY, 80), ..tcp() }.frame();
        frame[15] = 0xbb;
        // The header's checksum, which the rejection quotes.
        let sum = u16::from_be_bytes([frame[24], frame[25]]);
        frame[24..26].copy_from_slice(&(!ones_complement_sum(!sum, 0xbb)).to_be_bytes());
        assert_rejected(bench, &frame, 40);
        let id = || parse(&bench.forward(&frame).frame).fragment.0;
        let ids: BTreeSet<_> = (0..20).map(|_| id()).collect();
        assert!(ids.len() > 15, "{:?}: {ids:?}", bench.hook);
    });
}

#[test]
fn unknown_ports_and_protocols_of_a_vip_are_rejected() {
    both(|bench| {
        assert_rejected(bench, &Datagram { destination: (VIP, 81), ..tcp() }.frame(), 40);
        assert_rejected(bench, &Datagram { destination: (VIP, 81), ..udp() }.frame(), 28);
        assert_rejected(bench, &Datagram { destination: (LONELY, 80), ..udp() }.frame(), 28);
        assert_rejected(bench, &Datagram { destination: (VIP, 0), ..udp() }.frame(), 28);
        assert_rejected(bench, &Datagram { inner: Inner::Echo, ..tcp() }.frame(), 28);
    });
}

#[test]
fn no_error_is_sent_about_an_error_or_to_nobody() {
    both(|bench| {
        let silent = |frame: Vec<u8>, why: &str| {
            assert_eq!(bench.forward(&frame).verdict, bench.dropped(), "{:?}: {why}", bench.hook);
        };
        silent(Datagram { inner: Inner::IcmpError, ..tcp() }.frame(), "an ICMP error");
        let from = |source| Datagram { source: (source, 4000), destination: (VIP, 81), ..udp() }.frame();
        silent(from(Ipv4Addr::new(127, 0, 0, 1)), "the node's own loopback");
        silent(from(Ipv4Addr::new(224, 0, 0, 1)), "a group");
        silent(from(Ipv4Addr::UNSPECIFIED), "nobody");
        let mut broadcast = Datagram { destination: (VIP, 81), ..udp() }.frame();
        broadcast[..6].fill(0xff);
        silent(broadcast, "a broadcast frame");
    });
}
