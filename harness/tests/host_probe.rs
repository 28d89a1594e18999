//! Probe and generator on this kernel: root, network namespaces of its own, nothing else touched.
#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

mod addresses;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::Command;
use std::time::Duration;

use addresses::addresses;
use lbcurve::net::Topology;
use lbcurve::probe::{Destinations, Instrument, Sample};
use lbcurve::result::{Bracket, Flow};
use lbcurve::traffic::{Limit, TrafficError, TrafficOrder};
use lbcurve::workload::Protocol;

const PORT: u16 = 8080;

fn pods(count: u32) -> Vec<SocketAddrV4> {
    (0..count).map(|i| SocketAddrV4::new(Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 1, 0, 2)) + i), PORT)).collect()
}

fn order(flow: Flow, protocol: Protocol, packets: u32) -> TrafficOrder {
    let clients = addresses().client_range;
    TrafficOrder { flow, protocol, targets: pods(4), packets, first_flow: 0, seed: 1, clients }
}

fn expected() -> Destinations {
    Destinations { pods: "10.0.0.0/10".parse().unwrap(), port: PORT }
}

struct Bench {
    instrument: Instrument,
    topology: Topology,
}

impl Bench {
    fn new() -> Self {
        Self::between(Bracket::Tc)
    }

    fn between(bracket: Bracket) -> Self {
        let topology = Topology::create(&addresses()).unwrap();
        let instrument = Instrument::attach(&topology, expected(), bracket, None).unwrap();
        Self { instrument, topology }
    }

    /// Tracks connections in the node namespace and counts packets by their state in forwarding.
    fn with_conntrack() -> Self {
        Self::new().tracking()
    }

    fn tracking(self) -> Self {
        self.in_node("nft", &["-f", "-"], RULES);
        self
    }

    fn in_node(&self, program: &str, arguments: &[&str], input: &str) -> String {
        use std::io::Write as _;
        let _inside = self.topology.node.enter().unwrap();
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {:?}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Packets that a named counter of `RULES` has seen.
    fn state(&self, name: &str) -> u64 {
        let listing = self.in_node("nft", &["list", "counter", "ip", "states", name], "");
        let packets = listing.split("packets ").nth(1).unwrap();
        packets.split_whitespace().next().unwrap().parse().unwrap()
    }

    fn conntrack_entries(&self) -> u64 {
        let _inside = self.topology.node.enter().unwrap();
        std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count").unwrap().trim().parse().unwrap()
    }

    /// Packets that the node's IP layer has forwarded so far.
    fn forwarded(&self) -> u64 {
        self.snmp("Ip", "ForwDatagrams")
    }

    /// A counter of the node's `/proc/net/snmp`.
    fn snmp(&self, table: &str, name: &str) -> u64 {
        let _inside = self.topology.node.enter().unwrap();
        let snmp = std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
        let mut lines = snmp.lines().filter_map(|line| line.strip_prefix(table)?.strip_prefix(": "));
        let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
        let column = names.split(' ').position(|column| column == name).unwrap();
        values.split(' ').nth(column).unwrap().parse().unwrap()
    }

    fn received_by_node(&self) -> u64 {
        let listing = self.in_node("cat", &["/proc/thread-self/net/dev"], "");
        let line = listing.lines().find(|line| line.trim().starts_with("eth0:")).unwrap();
        line.split_whitespace().nth(2).unwrap().parse().unwrap()
    }
}

const RULES: &str = "
table ip states {
    counter new {}
    counter established {}
    counter invalid {}
    chain forward {
        type filter hook forward priority filter; policy accept;
        ct state new counter name new
        ct state established counter name established
        ct state invalid counter name invalid
    }
}
";

fn assert_clean(sample: &Sample, packets: u64) {
    assert_eq!(
        (sample.sent, sample.measured, sample.mismatched, sample.misdirected, sample.lost),
        (packets, packets, 0, 0, 0)
    );
    assert_eq!(sample.histogram.len(), packets);
    assert!(sample.min > 0 && sample.min <= sample.histogram.value_at_quantile(0.5));
}

#[test]
fn every_packet_of_plain_routing_is_timed_and_the_kernel_agrees() {
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let mut bench = Bench::new();
        let before = bench.forwarded();
        let sample = bench.instrument.latency(&order(Flow::New, protocol, 5_000)).unwrap();
        assert_clean(&sample, 5_000);
        assert_eq!(bench.forwarded() - before, 5_000);
        println!("direct new {protocol:?}: min {} p50 {}", sample.min, sample.histogram.value_at_quantile(0.5));
    }
}

#[test]
fn established_flows_are_answered_before_they_are_timed() {
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let mut bench = Bench::new();
        let sample = bench.instrument.latency(&order(Flow::Established, protocol, 5_000)).unwrap();
        assert_clean(&sample, 5_000);
        println!("direct established {protocol:?}: min {} p50 {}", sample.min, sample.histogram.value_at_quantile(0.5));
    }
}

#[test]
fn new_flows_never_repeat_a_tuple() {
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let mut bench = Bench::with_conntrack();
        // More than one client address has ports for.
        assert_clean(&bench.instrument.latency(&order(Flow::New, protocol, 70_000)).unwrap(), 70_000);
        let next = TrafficOrder { first_flow: 70_000, ..order(Flow::New, protocol, 1_000) };
        assert_clean(&bench.instrument.latency(&next).unwrap(), 1_000);
        assert_eq!(bench.conntrack_entries(), 71_000);
        // Conntrack verifies checksums: a bad one is invalid.
        assert_eq!((bench.state("new"), bench.state("established"), bench.state("invalid")), (71_000, 0, 0));
    }
}

#[test]
fn conntrack_calls_established_what_the_order_calls_so() {
    for (protocol, opening, replies) in [(Protocol::Udp, 1024, 1024), (Protocol::Tcp, 1024, 2048)] {
        let mut bench = Bench::with_conntrack();
        assert_clean(&bench.instrument.latency(&order(Flow::Established, protocol, 3_000)).unwrap(), 3_000);
        assert_eq!(bench.conntrack_entries(), 1024);
        // Besides the timed packets: every flow's reply, and for TCP the segment that ends the handshake.
        assert_eq!((bench.state("new"), bench.state("established")), (opening, 3_000 + replies));
        assert_eq!(bench.state("invalid"), 0);
    }
}

#[test]
fn the_floor_is_below_the_traversal_and_reaches_no_stack() {
    let mut bench = Bench::new();
    let floor = bench.instrument.floor(5_000).unwrap();
    assert_clean(&floor, 5_000);
    assert_eq!(bench.forwarded(), 0);
    let direct = bench.instrument.latency(&order(Flow::New, Protocol::Udp, 5_000)).unwrap();
    assert_clean(&direct, 5_000);
    let (floor, direct) = (floor.histogram.value_at_quantile(0.5), direct.histogram.value_at_quantile(0.5));
    println!("floor p50 {floor}, direct p50 {direct}");
    assert!(floor < direct, "floor {floor}, direct {direct}");
}

fn p50(sample: &Sample) -> u64 {
    sample.histogram.value_at_quantile(0.5)
}

#[test]
fn every_packet_of_the_xdp_bracket_is_timed() {
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        for flow in [Flow::New, Flow::Established] {
            let mut direct = Bench::between(Bracket::Xdp);
            let before = direct.forwarded();
            let plain = direct.instrument.latency(&order(flow, protocol, 5_000)).unwrap();
            assert_clean(&plain, 5_000);
            // Opening: each flow's packet and its reply, and for TCP the segment that ends the handshake.
            let opening = match (flow, protocol) {
                (Flow::New, _) => 0,
                (Flow::Established, Protocol::Udp) => 2 * 1024,
                (Flow::Established, Protocol::Tcp) => 3 * 1024,
            };
            assert_eq!(direct.forwarded() - before, 5_000 + opening);
            let mut tracked = Bench::between(Bracket::Xdp).tracking();
            let conntrack = tracked.instrument.latency(&order(flow, protocol, 5_000)).unwrap();
            assert_clean(&conntrack, 5_000);
            assert_eq!(tracked.conntrack_entries(), if flow == Flow::New { 5_000 } else { 1024 });
            assert_eq!(tracked.state("invalid"), 0);
            println!("xdp bracket, {flow:?} {protocol:?}: direct p50 {}, conntrack {}", p50(&plain), p50(&conntrack));
        }
    }
}

#[test]
fn the_floor_of_the_xdp_bracket_reaches_no_stack_and_leaves_the_entry_as_it_was() {
    let mut bench = Bench::between(Bracket::Xdp);
    let floor = bench.instrument.floor(5_000).unwrap();
    assert_clean(&floor, 5_000);
    assert_eq!(bench.forwarded(), 0);
    let direct = bench.instrument.latency(&order(Flow::New, Protocol::Udp, 5_000)).unwrap();
    assert_clean(&direct, 5_000);
    println!("xdp bracket: floor p50 {}, direct p50 {}", p50(&floor), p50(&direct));
    assert!(p50(&floor) < p50(&direct));
}

#[test]
fn a_packet_that_never_arrives_holds_up_the_xdp_bracket_for_a_while_only() {
    let mut bench = Bench::between(Bracket::Xdp);
    let nowhere = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 1), PORT);
    let gone = TrafficOrder { targets: vec![nowhere], ..order(Flow::New, Protocol::Udp, 500) };
    let sample = bench.instrument.latency(&gone).unwrap();
    assert_eq!((sample.sent, sample.measured, sample.misdirected, sample.lost), (500, 0, 0, 500));
    let wrong_port = SocketAddrV4::new(Ipv4Addr::new(10, 1, 0, 2), PORT + 1);
    let astray = TrafficOrder { targets: vec![wrong_port], first_flow: 500, ..order(Flow::New, Protocol::Udp, 500) };
    let sample = bench.instrument.latency(&astray).unwrap();
    assert_eq!((sample.measured, sample.misdirected, sample.lost), (0, 500, 0));
    assert_clean(&bench.instrument.latency(&order(Flow::New, Protocol::Udp, 500)).unwrap(), 500);
}

#[test]
fn an_overloaded_node_is_counted_in_the_xdp_bracket_too() {
    let mut bench = Bench::between(Bracket::Xdp).tracking();
    let limit = Limit { forwarded: 100_000, duration: Duration::from_secs(2) };
    let saturation = bench.instrument.saturate(&order(Flow::New, Protocol::Udp, 1_000), limit).unwrap();
    println!("xdp bracket: {saturation:?}");
    // As many as the limit allows, or the time: a busy machine forwards less.
    assert!((1..=100_000).contains(&saturation.forwarded) && saturation.misdirected == 0, "{saturation:?}");
    assert!(saturation.offered_pps > saturation.forwarded_pps && saturation.forwarded_pps > 0.0);
    assert!(bench.conntrack_entries() >= saturation.forwarded);
}

#[test]
fn packets_for_other_places_are_misdirected_or_lost_never_timed() {
    let mut bench = Bench::new();
    let wrong_port = SocketAddrV4::new(Ipv4Addr::new(10, 1, 0, 2), PORT + 1);
    let nowhere = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 1), PORT);
    let astray = TrafficOrder { targets: vec![wrong_port], ..order(Flow::New, Protocol::Udp, 500) };
    let sample = bench.instrument.latency(&astray).unwrap();
    assert_eq!((sample.measured, sample.misdirected, sample.lost), (0, 500, 0));
    let gone = TrafficOrder { targets: vec![nowhere], ..order(Flow::New, Protocol::Udp, 500) };
    let sample = bench.instrument.latency(&gone).unwrap();
    assert_eq!((sample.measured, sample.misdirected, sample.lost, sample.min), (0, 0, 500, 0));
}

#[test]
fn replies_from_elsewhere_are_no_established_flow() {
    let mut bench = Bench::new();
    // The way there is translated, the way back is not: the rule is stateless.
    let rules = "
table ip raw {
    chain there {
        type filter hook prerouting priority raw;
        ip daddr 10.200.0.9 ip daddr set 10.1.0.2
    }
}
";
    bench.in_node("nft", &["-f", "-"], rules);
    let service = SocketAddrV4::new(Ipv4Addr::new(10, 200, 0, 9), PORT);
    let order = TrafficOrder { targets: vec![service], ..order(Flow::Established, Protocol::Tcp, 100) };
    let error = bench.instrument.latency(&order).unwrap_err();
    assert!(
        matches!(error, TrafficError::NotEstablished { flows: 100, answered: 100, matching: 0, foreign: 100 }),
        "{error}"
    );
}

#[test]
fn a_second_instrument_takes_over_after_the_first() {
    let Bench { mut instrument, topology } = Bench::new();
    assert_clean(&instrument.latency(&order(Flow::New, Protocol::Udp, 100)).unwrap(), 100);
    drop(instrument);
    let mut instrument = Instrument::attach(&topology, expected(), Bracket::Tc, None).unwrap();
    assert_clean(&instrument.latency(&order(Flow::New, Protocol::Udp, 100)).unwrap(), 100);
}

#[test]
fn an_overloaded_node_forwards_less_than_it_is_offered() {
    for flow in [Flow::New, Flow::Established] {
        let mut bench = Bench::with_conntrack();
        let limit = Limit { forwarded: 100_000, duration: Duration::from_secs(2) };
        let (before, mounts) = (bench.received_by_node(), mounts());
        let saturation = bench.instrument.saturate(&order(flow, Protocol::Udp, 1_000), limit).unwrap();
        let received = bench.received_by_node() - before;
        println!("{flow:?}: {saturation:?}, node received {received}");
        // What the node took but did not forward: a ring and a poll's worth, when the exit reached its limit.
        assert!((saturation.forwarded..saturation.forwarded + 2_048).contains(&received), "{received}");
        // As many as the limit allows, or the time: a busy machine forwards less.
        assert!((1..=100_000).contains(&saturation.forwarded) && saturation.misdirected == 0, "{saturation:?}");
        assert!(saturation.offered > saturation.forwarded);
        assert!(saturation.offered_pps > saturation.forwarded_pps && saturation.forwarded_pps > 0.0);
        let entries = bench.conntrack_entries();
        let forwarded = saturation.forwarded;
        let flows = if flow == Flow::New { forwarded..forwarded + 2_048 } else { 1_000..1_001 };
        assert!(flows.contains(&entries), "{entries}");
        assert_eq!(self::mounts(), mounts);
    }
}

fn mounts() -> String {
    std::fs::read_to_string("/proc/self/mountinfo").unwrap()
}

#[test]
fn one_cpu_cannot_be_saturated() {
    let mut bench = Bench::new();
    let mut one = rustix::thread::CpuSet::new();
    one.set(rustix::thread::sched_getcpu());
    // This test's thread only; it ends with the test.
    rustix::thread::sched_setaffinity(None, &one).unwrap();
    let limit = Limit { forwarded: 1_000, duration: Duration::from_secs(1) };
    let error = bench.instrument.saturate(&order(Flow::New, Protocol::Udp, 1_000), limit).unwrap_err();
    assert!(matches!(error, TrafficError::OneCpu { available: 1 }), "{error}");
}

#[test]
fn the_node_finds_no_wrong_checksum() {
    let mut bench = Bench::new();
    // To the node itself, where nobody listens: its transport layers verify the checksum before they say so.
    let node = SocketAddrV4::new(addresses().node_addr, PORT);
    for (protocol, table, refused) in [(Protocol::Udp, "Udp", "NoPorts"), (Protocol::Tcp, "Tcp", "OutRsts")] {
        let refused_before = bench.snmp(table, refused);
        let order = TrafficOrder { targets: vec![node], ..order(Flow::New, protocol, 2_000) };
        let sample = bench.instrument.latency(&order).unwrap();
        assert_eq!((sample.measured, sample.lost), (0, 2_000));
        assert_eq!(bench.snmp(table, refused) - refused_before, 2_000);
        assert_eq!((bench.snmp(table, "InCsumErrors"), bench.snmp("Ip", "InHdrErrors")), (0, 0));
    }
}

#[test]
fn new_flows_beyond_the_conntrack_table_are_refused() {
    let mut bench = Bench::with_conntrack();
    let error = bench.instrument.latency(&order(Flow::New, Protocol::Udp, 10_000_000)).unwrap_err();
    assert!(matches!(error, TrafficError::ConntrackFull { wanted: 10_000_000, used: 0, .. }), "{error}");
}
