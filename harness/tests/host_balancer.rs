//! The eBPF load balancer on this kernel: its programs under `BPF_PROG_TEST_RUN`, packet in and packet out, and its maps read back.
//! Root, namespaces of its own, nothing else touched.
#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

mod addresses;
mod packets;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use addresses::addresses;
use lbcurve::backend::ebpf::{Balancer, Hook, Ran};
use lbcurve::backend::{Backend, BackendError};
use lbcurve::net::Topology;
use lbcurve::workload::{AddressPlan, Endpoint, EndpointChoice, Protocol, Scheduling, Service, Workload};
use packets::{Datagram, Inner, Parsed, Transport, parse, valid};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 127, 0, 5);
const VIP: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 1);
const LONELY: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 2);
const POD: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);
const POD_PORT: u16 = 8080;

const TC_ACT_UNSPEC: u32 = u32::MAX;
const TC_ACT_OK: u32 = 0;
const TC_ACT_SHOT: u32 = 2;
const TC_ACT_REDIRECT: u32 = 7;
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;
const XDP_REDIRECT: u32 = 4;

fn service(vip: Ipv4Addr, protocol: Protocol, pods: u8) -> Service {
    let endpoints = (0..pods).map(|i| Endpoint { addr: Ipv4Addr::new(10, 1, 0, 2 + i), port: POD_PORT }).collect();
    let name = format!("svc-{vip}-{protocol:?}");
    Service { namespace: "default".into(), name, port_name: String::new(), vip, port: 80, protocol, endpoints }
}

/// TCP and UDP on one VIP with one pod, and a VIP without endpoints.
fn workload() -> Workload {
    let services =
        vec![service(VIP, Protocol::Tcp, 1), service(VIP, Protocol::Udp, 1), service(LONELY, Protocol::Tcp, 0)];
    Workload {
        addresses: addresses(),
        services,
        ballast: None,
        scheduling: Scheduling::DEFAULT,
        endpoint_choice: EndpointChoice::Random,
    }
}

/// A topology with the load balancer in its node.
struct Bench {
    hook: Hook,
    balancer: Balancer,
    topology: Topology,
}

impl Bench {
    fn new(hook: Hook, workload: &Workload) -> Self {
        let topology = Topology::create(&workload.addresses).unwrap();
        let balancer = Balancer::new(hook);
        let bench = Self { hook, balancer, topology };
        bench.inside(|balancer| balancer.apply(workload)).unwrap();
        bench
    }

    fn inside<T>(&self, work: impl FnOnce(&Balancer) -> T) -> T {
        let _inside = self.topology.node.enter().unwrap();
        work(&self.balancer)
    }

    /// Through the program of the client-side device.
    fn forward(&self, frame: &[u8]) -> Ran {
        let (program, device) = (self.hook.programs()[0], self.topology.node_client_link.index);
        self.inside(|balancer| balancer.test_run(program, frame, device, 1)).unwrap()
    }

    /// Through the program of the backend-side device.
    fn reverse(&self, frame: &[u8]) -> Ran {
        let (program, device) = (self.hook.programs()[1], self.topology.node_backend_link.index);
        self.inside(|balancer| balancer.test_run(program, frame, device, 1)).unwrap()
    }

    fn passed(&self) -> u32 {
        if self.hook == Hook::Tc { TC_ACT_UNSPEC } else { XDP_PASS }
    }

    fn forwarded(&self) -> u32 {
        if self.hook == Hook::Tc { TC_ACT_OK } else { XDP_REDIRECT }
    }

    fn dropped(&self) -> u32 {
        if self.hook == Hook::Tc { TC_ACT_SHOT } else { XDP_DROP }
    }

    fn sent_back(&self) -> u32 {
        if self.hook == Hook::Tc { TC_ACT_REDIRECT } else { XDP_REDIRECT }
    }

    /// Hops that the program itself takes off: XDP forwards, tc leaves that to the stack.
    fn hops(&self) -> u8 {
        u8::from(self.hook == Hook::Xdp)
    }

    fn assert_untouched(&self, frame: &[u8], why: &str) {
        let ran = self.forward(frame);
        assert_eq!((ran.verdict, &ran.frame[..]), (self.passed(), frame), "{:?}: {why}", self.hook);
    }
}

fn both(test: impl Fn(&Bench)) {
    for hook in [Hook::Tc, Hook::Xdp] {
        test(&Bench::new(hook, &workload()));
    }
}

fn tcp() -> Datagram {
    Datagram::new((CLIENT, 4000), (VIP, 80), Inner::Tcp)
}

fn udp() -> Datagram {
    Datagram::new((CLIENT, 4000), (VIP, 80), Inner::Udp)
}

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
fn what_is_no_service_is_untouched() {
    both(|bench| {
        bench.assert_untouched(&Datagram { destination: (POD, POD_PORT), ..tcp() }.frame(), "a pod address");
        let mut arp = tcp().frame();
        arp[12..14].copy_from_slice(&[8, 6]);
        bench.assert_untouched(&arp, "not IPv4");
        let mut version = tcp().frame();
        version[14] = 0x65;
        bench.assert_untouched(&version, "not version 4");
        let mut short_header = tcp().frame();
        short_header[14] = 0x44;
        bench.assert_untouched(&short_header, "a header of four words");
        let fragment = Datagram { fragment: (8, false), ..udp() };
        bench.assert_untouched(&fragment.frame(), "a fragment that is not the first");
    });
}

#[test]
fn what_is_cut_short_is_untouched() {
    both(|bench| {
        for datagram in [tcp(), udp(), Datagram { options: vec![1; 40], ..tcp() }] {
            let whole = datagram.frame();
            // Anywhere before the end that the header tells. The kernel itself refuses to run a classifier on less than an IPv4 header.
            let shortest = if bench.hook == Hook::Tc { 34 } else { 14 };
            for length in shortest..whole.len() {
                bench.assert_untouched(&whole[..length], &format!("{length} of {} bytes", whole.len()));
            }
        }
        // A total length that ends within the transport header, though the frame goes on (padding).
        for (datagram, header) in [(tcp(), 20), (udp(), 8)] {
            let mut frame = datagram.frame();
            frame[16..18].copy_from_slice(&(20 + header - 1_u16).to_be_bytes());
            bench.assert_untouched(&frame, "a total length within the transport header");
        }
    });
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

fn ones_complement_sum(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    sum + u16::from(carry)
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

#[test]
fn changes_are_read_back_and_damage_is_found() {
    for choice in [EndpointChoice::Random, EndpointChoice::Maglev] {
        let mut workload = Workload { endpoint_choice: choice, ..workload() };
        let bench = Bench::new(Hook::Tc, &workload);
        let verify = |workload: &Workload| bench.inside(|balancer| balancer.verify(workload));
        verify(&workload).unwrap();
        let added = Service { port: 443, ..service(VIP, Protocol::Tcp, 3) };
        workload.services.push(added.clone());
        bench.inside(|balancer| balancer.add_service(&workload, &added)).unwrap();
        verify(&workload).unwrap();
        for pods in [2, 1, 0, 4] {
            let before = workload.services[0].clone();
            workload.services[0] = service(VIP, Protocol::Tcp, pods);
            let after = workload.services[0].clone();
            bench.inside(|balancer| balancer.change_endpoint(&before, &after, &workload)).unwrap();
            verify(&workload).unwrap();
        }
        let found = |workload: &Workload| match verify(workload) {
            Err(BackendError::Mismatch { differences, .. }) => differences.join("\n"),
            other => panic!("nothing found: {other:?}"),
        };
        let mut missing = workload.clone();
        missing.services.push(Service { port: 444, ..added.clone() });
        assert_eq!(found(&missing), "map SERVICES lacks 10.200.0.1:444/tcp");
        let mut extra = workload.clone();
        extra.services.pop();
        assert_eq!(found(&extra), "map SERVICES has 10.200.0.1:443/tcp too much");
        let mut altered = workload.clone();
        altered.services[1].endpoints[0].port = 9;
        assert!(found(&altered).contains("10.200.0.1:80/udp has the endpoints 10.1.0.2:8080 instead of 10.1.0.2:9"));
    }
}

#[test]
fn maps_of_ten_thousand_services_are_written_and_read_back_whole() {
    let spec = lbcurve::workload::WorkloadSpec {
        services: 10_000,
        endpoints: 3,
        layout: lbcurve::workload::VipLayout::Stride256,
        protocol: Protocol::Tcp,
        seed: 0,
        addresses: AddressPlan::default(),
    };
    let workload = Workload::generate(&spec).unwrap();
    let bench = Bench::new(Hook::Xdp, &workload);
    bench.inside(|balancer| balancer.verify(&workload)).unwrap();
    let (vip, port) = (workload.services[9_999].vip, workload.services[9_999].port);
    let ran = bench.forward(&Datagram::new((Ipv4Addr::new(10, 0, 0, 5), 4000), (vip, port), Inner::Tcp).frame());
    let reached = parse(&ran.frame).destination;
    assert!(workload.services[9_999].endpoints.iter().any(|pod| (pod.addr, pod.port) == reached), "{reached:?}");
}

#[test]
fn both_are_ready_and_leave_nothing() {
    let links = || std::fs::read_to_string("/proc/thread-self/net/dev").unwrap().lines().count();
    let before = links();
    for hook in [Hook::Tc, Hook::Xdp] {
        let balancer = Balancer::new(hook);
        assert_eq!(balancer.readiness(), Ok(()));
        let error = balancer.verify(&workload()).unwrap_err();
        assert!(matches!(error, BackendError::NotApplied { .. }), "{error}");
    }
    assert_eq!(links(), before);
}

#[test]
fn a_cleared_load_balancer_translates_no_more() {
    both(|bench| {
        bench.inside(Backend::clear).unwrap();
        let error =
            bench.inside(|balancer| balancer.test_run(bench.hook.programs()[0], &tcp().frame(), 0, 1)).unwrap_err();
        assert!(matches!(error, BackendError::NotApplied { .. }), "{error}");
        // Its hooks are free again.
        bench.inside(|balancer| balancer.apply(&workload())).unwrap();
    });
}
