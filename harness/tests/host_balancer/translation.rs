//! Packets of a service reach an endpoint, and come back, with nothing else changed.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use lbcurve::backend::Backend;
use lbcurve::backend::ebpf::{Hook, Ran};
use lbcurve::workload::{Endpoint, EndpointChoice, Protocol, Service, Workload};

use crate::bench::{Bench, CLIENT, POD, POD_PORT, VIP, XDP_PASS, both, service, tcp, udp, workload};
use crate::packets::{Datagram, Inner, Parsed, ones_complement_sum, parse, valid};

/// Everything but what address translation and a hop change is as it was, and both checksums are right.
fn assert_translated(bench: &Bench, before: &[u8], after: &Ran, from: (Ipv4Addr, u16), to: (Ipv4Addr, u16)) {
    assert_eq!(after.verdict, bench.forwarded(), "{:?}", bench.hook);
    assert!(valid(&after.frame), "{:?}: {:02x?}", bench.hook, after.frame);
    let (old, new) = (parse(before), parse(&after.frame));
    assert_eq!((new.source, new.destination), (from, to));
    assert_eq!(
        new,
        Parsed { source: from, destination: to, ttl: old.ttl - bench.hops(), macs: new.macs, ..old.clone() }
    );
    // tc leaves the link to the stack; XDP has found the neighbour.
    let mac = |last| [2, 0, 0, 0, 0, last];
    let expected = match bench.hook {
        Hook::Tc => old.macs,
        Hook::Xdp if to.0 == CLIENT => (mac(1), mac(2)),
        Hook::Xdp => (mac(4), mac(3)),
    };
    assert_eq!(new.macs, expected, "{:?}", bench.hook);
}

#[test]
fn a_new_flow_goes_to_its_endpoint_and_its_replies_come_from_the_vip() {
    both(|bench| {
        for there in [tcp(), udp()] {
            let back = Datagram::new((POD, POD_PORT), (CLIENT, 4000), there.inner);
            // Before the flow is known its replies are somebody else's.
            let ran = bench.reverse(&back.frame());
            assert_eq!((ran.verdict, ran.frame), (bench.passed(), back.frame()));
            for _ in 0..2 {
                let ran = bench.forward(&there.frame());
                assert_translated(bench, &there.frame(), &ran, (CLIENT, 4000), (POD, POD_PORT));
                let ran = bench.reverse(&back.frame());
                assert_translated(bench, &back.frame(), &ran, (VIP, 80), (CLIENT, 4000));
            }
        }
    });
}

#[test]
fn a_known_flow_keeps_its_endpoint_when_the_service_has_others_or_none() {
    both(|bench| {
        bench.forward(&tcp().frame());
        let before = service(VIP, Protocol::Tcp, 1);
        let other = Endpoint { addr: Ipv4Addr::new(10, 1, 0, 9), port: POD_PORT };
        for endpoints in [vec![other], vec![]] {
            let after = Service { endpoints, ..before.clone() };
            bench.inside(|balancer| balancer.change_endpoint(&before, &after, &workload())).unwrap();
            let ran = bench.forward(&tcp().frame());
            assert_translated(bench, &tcp().frame(), &ran, (CLIENT, 4000), (POD, POD_PORT));
            let newcomer = Datagram::new((CLIENT, 4001), (VIP, 80), Inner::Tcp);
            let ran = bench.forward(&newcomer.frame());
            match after.endpoints.first() {
                Some(_) => assert_eq!(parse(&ran.frame).destination, (other.addr, POD_PORT)),
                // The newcomer is known by now; another one is turned away.
                None => {
                    assert_eq!(parse(&ran.frame).destination, (other.addr, POD_PORT));
                    let late = Datagram::new((CLIENT, 4002), (VIP, 80), Inner::Tcp);
                    assert_eq!(bench.forward(&late.frame()).verdict, bench.sent_back());
                }
            }
        }
    });
}

#[test]
fn every_endpoint_is_reached_and_a_flow_keeps_its_own() {
    for choice in [EndpointChoice::Random, EndpointChoice::Maglev] {
        let services = vec![service(VIP, Protocol::Tcp, 5)];
        let workload = Workload { services, endpoint_choice: choice, ..workload() };
        for hook in [Hook::Tc, Hook::Xdp] {
            let bench = Bench::new(hook, &workload);
            bench.inside(|balancer| balancer.verify(&workload)).unwrap();
            let reached = |port| {
                parse(&bench.forward(&Datagram::new((CLIENT, port), (VIP, 80), Inner::Tcp).frame()).frame).destination
            };
            let first: Vec<_> = (1024..1224).map(reached).collect();
            let again: Vec<_> = (1024..1224).map(reached).collect();
            assert_eq!(first, again, "{hook:?} {choice:?}");
            assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 5, "{hook:?} {choice:?}");
        }
    }
}

#[test]
fn padding_behind_the_packet_stays() {
    both(|bench| {
        let mut frame = Datagram { payload: Vec::new(), ..udp() }.frame();
        let length = frame.len();
        frame.extend([0xee; 18]);
        let ran = bench.forward(&frame);
        assert_translated(
            bench,
            &frame[..length],
            &Ran { frame: ran.frame[..length].to_vec(), ..ran.clone() },
            (CLIENT, 4000),
            (POD, POD_PORT),
        );
        assert_eq!(ran.frame[length..], [0xee; 18]);
    });
}

#[test]
fn headers_with_options_of_any_length_are_translated() {
    both(|bench| {
        for (words, there) in (1..=10).flat_map(|words| [(words, tcp()), (words, udp())]) {
            let there = Datagram { options: vec![1; 4 * words], ..there };
            let ran = bench.forward(&there.frame());
            assert_translated(bench, &there.frame(), &ran, (CLIENT, 4000), (POD, POD_PORT));
            let back =
                Datagram { options: vec![1; 4 * words], ..Datagram::new((POD, POD_PORT), (CLIENT, 4000), there.inner) };
            let ran = bench.reverse(&back.frame());
            assert_translated(bench, &back.frame(), &ran, (VIP, 80), (CLIENT, 4000));
        }
    });
}

#[test]
fn the_first_fragment_is_translated_like_a_whole_packet() {
    both(|bench| {
        let first = Datagram { fragment: (0, true), ..tcp() };
        let ran = bench.forward(&first.frame());
        assert_translated(bench, &first.frame(), &ran, (CLIENT, 4000), (POD, POD_PORT));
    });
}

/// RFC 1624: the new checksum differs from the right one by as much as the old did.
#[test]
fn a_wrong_checksum_stays_wrong_by_as_much() {
    both(|bench| {
        for (there, at) in [(tcp(), 34 + 16), (udp(), 34 + 6), (tcp(), 24)] {
            let right = bench.forward(&there.frame()).frame;
            for error in [1_u16, 0x1234, 0x8000] {
                let word = |frame: &[u8]| u16::from_be_bytes([frame[at], frame[at + 1]]);
                let mut frame = there.frame();
                let wrong = ones_complement_sum(word(&frame), error);
                frame[at..at + 2].copy_from_slice(&wrong.to_be_bytes());
                let ran = bench.forward(&frame);
                assert!(!valid(&ran.frame), "{:?}", bench.hook);
                assert_eq!(word(&ran.frame), ones_complement_sum(word(&right), error), "{:?} {there:?}", bench.hook);
            }
        }
    });
}

#[test]
fn a_datagram_without_checksum_keeps_none_and_a_zero_becomes_all_ones() {
    both(|bench| {
        let none = Datagram { no_checksum: true, ..udp() };
        let ran = bench.forward(&none.frame());
        assert_eq!(ran.verdict, bench.forwarded());
        assert_eq!(ran.frame[40..42], [0, 0]);
        assert_eq!(parse(&ran.frame).destination, (POD, POD_PORT));
        // A payload that makes the translated checksum zero.
        let probe = |filler: u16| Datagram { payload: filler.to_be_bytes().to_vec(), ..udp() };
        let translated = |filler| bench.forward(&probe(filler).frame()).frame;
        let with_nothing = translated(0);
        let filler = u16::from_be_bytes([with_nothing[40], with_nothing[41]]);
        assert_eq!(translated(filler)[40..42], [0xff, 0xff], "{:?}", bench.hook);
        assert!(valid(&translated(filler)));
    });
}

#[test]
fn xdp_leaves_to_the_stack_what_it_cannot_forward() {
    let bench = Bench::new(Hook::Xdp, &workload());
    // Translated, so that the stack can go on with it, and not a hop further.
    let last = Datagram { ttl: 1, ..tcp() }.frame();
    let ran = bench.forward(&last);
    assert_eq!((ran.verdict, parse(&ran.frame).ttl), (XDP_PASS, 1));
    assert_eq!(parse(&ran.frame).destination, (POD, POD_PORT));
    assert!(valid(&ran.frame));
    // No route to the endpoint.
    let nowhere = Endpoint { addr: Ipv4Addr::new(203, 0, 113, 1), port: 80 };
    let before = service(VIP, Protocol::Udp, 1);
    let after = Service { endpoints: vec![nowhere], ..before.clone() };
    bench.inside(|balancer| balancer.change_endpoint(&before, &after, &workload())).unwrap();
    let ran = bench.forward(&udp().frame());
    assert_eq!((ran.verdict, parse(&ran.frame).destination), (XDP_PASS, (nowhere.addr, 80)));
}
