use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

/// A service whose endpoints 10.128.0.1, .2, ... were added in this order with these weights: the kernel's list is the reverse.
fn service(scheduler: Scheduler, protocol: Protocol, weights: &[u32]) -> VirtualService {
    let endpoint = |(at, weight): (u8, &u32)| Endpoint { address: pod(at), weight: *weight };
    let endpoints = (1_u8..).zip(weights).map(endpoint).collect();
    VirtualService::new(&Service { address: vip(), protocol, endpoints }, scheduler)
}

fn pod(at: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 128, 0, at), 8080)
}

fn vip() -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 64, 0, 10), 80)
}

fn from(client: Ipv4Addr) -> Packet {
    Packet { source: SocketAddrV4::new(client, 40_000), destination: vip(), protocol: Protocol::Tcp }
}

/// Who gets the next flows, by the last byte of the endpoint's address; 0: nobody.
fn sequence(service: &mut VirtualService, flows: usize) -> Vec<u8> {
    let mut steps = Steps::default();
    let packet = from(Ipv4Addr::new(10, 248, 0, 1));
    (0..flows).map(|_| service.schedule(&packet, &mut steps).map_or(0, |to| to.ip().octets()[3])).collect()
}

fn of(scheduler: Scheduler, protocol: Protocol, weights: &[u32], flows: usize) -> Vec<u8> {
    sequence(&mut service(scheduler, protocol, weights), flows)
}

use Protocol::{Tcp, Udp};
use Scheduler::{Dh, Lc, Mh, Nq, Rr, Sed, Sh, Wlc, Wrr};

#[test]
fn rr_begins_with_the_last_added_and_goes_back() {
    assert_eq!(of(Rr, Udp, &[1, 1, 1], 7), [3, 2, 1, 3, 2, 1, 3]);
    assert_eq!(of(Rr, Udp, &[1, 0, 1], 4), [3, 1, 3, 1], "a weight of 0 is passed over");
    assert_eq!(of(Rr, Udp, &[0, 0], 2), [0, 0]);
    assert_eq!(of(Rr, Udp, &[], 1), [0]);
    assert_eq!(of(Rr, Udp, &[5, 1], 4), [2, 1, 2, 1], "other weights do not matter");
}

#[test]
fn wrr_begins_with_a_round_of_all_when_endpoints_were_added_one_by_one() {
    // Adding the first sets the current weight to 1 (its own weight is the interval), and adding more keeps it there: the
    // first round takes all. Then rounds begin at the largest weight: 3 (only endpoint 1), 2 (1 and 2), 1 (all).
    assert_eq!(of(Wrr, Udp, &[3, 2, 1], 9), [3, 2, 1, 1, 2, 1, 3, 2, 1]);
    assert_eq!(of(Wrr, Udp, &[1, 1], 5), [2, 1, 2, 1, 2]);
    // Weights 4 and 2: interval 2, largest 4 - 1 = 3. Round of all (1), then 3 (endpoint 1 only), 1 (all).
    assert_eq!(of(Wrr, Udp, &[4, 2], 8), [2, 1, 1, 2, 1, 1, 2, 1]);
    assert_eq!(of(Wrr, Udp, &[0, 0], 2), [0, 0]);
    assert_eq!(of(Wrr, Udp, &[0, 2], 3), [2, 2, 2]);
}

#[test]
fn lc_counts_inactive_connections_of_udp_and_active_ones_of_tcp() {
    assert_eq!(of(Lc, Udp, &[1, 1, 1], 6), [3, 2, 1, 3, 2, 1]);
    assert_eq!(of(Lc, Tcp, &[1, 1, 1], 6), [3, 2, 1, 3, 2, 1]);
    assert_eq!(of(Lc, Udp, &[1, 0, 9], 4), [3, 1, 3, 1], "weights other than 0 do not matter");
}

#[test]
fn wlc_divides_by_the_weight() {
    // Loads over weights 2 and 1, endpoint 2 (weight 1) stands first: 0/1 = 0/2 -> 2; 1/1 > 0/2 -> 1; 1/1 > 1/2 -> 1; 1/1 = 2/2 -> 2.
    assert_eq!(of(Wlc, Udp, &[2, 1], 7), [2, 1, 1, 2, 1, 1, 2]);
    assert_eq!(of(Wlc, Tcp, &[2, 1], 7), [2, 1, 1, 2, 1, 1, 2]);
    assert_eq!(of(Wlc, Udp, &[1, 0], 2), [1, 1]);
    assert_eq!(of(Wlc, Udp, &[0], 1), [0]);
}

#[test]
fn sed_counts_the_new_connection_and_active_ones_only() {
    // (active + 1) / weight, weights 2 and 1: 1/1 > 1/2 -> 1; 1/1 = 2/2 -> 2 stays first; 2/1 > 2/2 -> 1; 2/1 > 3/2 -> 1; 2/1 = 4/2 -> 2.
    assert_eq!(of(Sed, Tcp, &[2, 1], 5), [1, 2, 1, 1, 2]);
    // UDP connections never become active: the same one gets them all.
    assert_eq!(of(Sed, Udp, &[2, 1], 4), [1, 1, 1, 1]);
    assert_eq!(of(Sed, Udp, &[1, 1, 1], 4), [3, 3, 3, 3]);
}

#[test]
fn nq_takes_the_first_idle_one() {
    // Endpoint 2 stands first and is idle, then endpoint 1 is; then as sed: 2/1 > 2/2 -> 1, 2/1 > 3/2 -> 1, 2/1 = 4/2 -> 2.
    assert_eq!(of(Nq, Tcp, &[2, 1], 5), [2, 1, 1, 1, 2]);
    assert_eq!(of(Nq, Udp, &[2, 1], 3), [2, 2, 2], "with UDP the first is always idle");
    assert_eq!(of(Nq, Udp, &[0], 1), [0]);
}

#[test]
fn sh_takes_the_upper_bits_of_the_golden_product() {
    // The bucket is the upper byte of the address times 0x61c88647: of 10.0.0.1 0x27c88647, so 39; of 10.0.0.2 0x89910c8e, so 137; of
    // 10.0.0.5 0xaeea9f63, so 174. Three endpoints of weight 1 share the buckets in turns, the last added first: bucket 39 is the first
    // of the 14th turn.
    let mut three = service(Sh, Udp, &[1, 1, 1]);
    let ask =
        |service: &mut VirtualService, client: [u8; 4]| service.schedule(&from(client.into()), &mut Steps::default());
    assert_eq!(ask(&mut three, [10, 0, 0, 1]), Some(pod(3)));
    assert_eq!(ask(&mut three, [10, 0, 0, 1]), Some(pod(3)), "a client stays where it is");
    // Weights 3 (endpoint 1) and 2 (endpoint 2, first): turns of 2 2 1 1 1; 39 is the last of the eighth turn, endpoint 1's.
    assert_eq!(ask(&mut service(Sh, Udp, &[3, 2]), [10, 0, 0, 1]), Some(pod(1)));
    // A weight of 0 holds a bucket each turn and takes nothing: turns of 2 1, of which odd buckets are endpoint 1's.
    let mut lame = service(Sh, Udp, &[1, 0]);
    assert_eq!([1, 2, 5].map(|last| ask(&mut lame, [10, 0, 0, last])), [Some(pod(1)), Some(pod(1)), None]);
    assert_eq!(ask(&mut service(Sh, Udp, &[0]), [10, 0, 0, 1]), None);
}

#[test]
fn dh_sends_a_vip_to_one_endpoint() {
    // 10.64.0.10 * 0x61c88647 = 0x29953ec6, so bucket 41; 10.64.0.13 has 0x4eeed19b, so 78. Turns of 2 1, whatever the weights: an odd
    // bucket is the first added one's.
    let mut service = service(Dh, Udp, &[1, 9]);
    let mut ask = |last| {
        let destination = SocketAddrV4::new(Ipv4Addr::new(10, 64, 0, last), 80);
        service.schedule(&Packet { destination, ..from(Ipv4Addr::new(10, 248, 0, 1)) }, &mut Steps::default())
    };
    assert_eq!([10, 10, 13, 10].map(&mut ask), [1, 1, 2, 1].map(|at| Some(pod(at))));
}

#[test]
fn mh_fills_its_table_by_weight_and_keeps_most_of_it() {
    let share = |weights: &[u32]| {
        let mut service = service(Mh, Udp, weights);
        let mut steps = Steps::default();
        let clients = (0..20_000_u32).map(|at| Ipv4Addr::from(0x0af8_0001 + at));
        clients.map(|client| service.schedule(&from(client), &mut steps)).collect::<Vec<_>>()
    };
    let counts = |chosen: &[Option<SocketAddrV4>], at| chosen.iter().filter(|to| **to == Some(pod(at))).count();
    let equal = share(&[1; 10]);
    assert!((1..=10).all(|at| (1_700..2_300).contains(&counts(&equal, at))));
    let weighted = share(&[3, 1]);
    assert!((14_000..16_000).contains(&counts(&weighted, 1)), "{}", counts(&weighted, 1));
    // One of ten gone: its tenth moves, and little more.
    let fewer = share(&[1; 9]);
    let moved = equal.iter().zip(&fewer).filter(|(before, after)| before != after).count();
    assert!((1_800..4_000).contains(&moved), "{moved} of 20,000");
    assert!(share(&[0, 0]).iter().all(Option::is_none));
}

#[test]
fn names_are_the_kernels() {
    for scheduler in Scheduler::ALL {
        assert_eq!(scheduler.name().parse(), Ok(scheduler));
    }
    let unknown = "lblc".parse::<Scheduler>().expect_err("not modelled").to_string();
    assert_eq!(unknown, "\"lblc\" is no scheduler; there are rr, wrr, lc, wlc, sed, nq, sh, dh, mh");
}

proptest! {
    #[test]
    fn wrr_gives_each_its_weight_in_a_cycle(weights in prop::collection::vec(0_u32..6, 1..6)) {
        let cycle = weights.iter().sum::<u32>() as usize;
        let mut service = service(Wrr, Udp, &weights);
        // The round of all that comes first.
        let able = weights.iter().filter(|weight| **weight > 0).count();
        sequence(&mut service, able);
        let divides = |divisor: &u32| weights.iter().all(|weight| weight.is_multiple_of(*divisor));
        let divisor = (1..6).rev().find(divides).unwrap_or(1);
        let chosen = sequence(&mut service, cycle / divisor as usize);
        for (at, weight) in (1_u8..).zip(&weights) {
            prop_assert_eq!(chosen.iter().filter(|to| **to == at).count() as u32, weight / divisor);
        }
    }

    #[test]
    fn nobody_gets_a_flow_without_weight(at in 0..9_usize, weights in prop::collection::vec(0_u32..4, 0..6), tcp: bool) {
        let protocol = if tcp { Tcp } else { Udp };
        for chosen in of(Scheduler::ALL[at], protocol, &weights, 20) {
            let weight = chosen.checked_sub(1).map(|at| weights[at as usize]);
            prop_assert_ne!(weight, Some(0));
        }
    }
}
