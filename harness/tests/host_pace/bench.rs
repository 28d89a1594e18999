//! A node of its own with a paced sender before it.

use std::net::SocketAddrV4;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use curve_stats::search::PacketsPerSecond;
use lbcurve::backend::backend;
use lbcurve::net::Topology;
use lbcurve::probe::{Destinations, Instrument};
use lbcurve::result::{BackendKind, Bracket, Flow, NewShare, PacketSize};
use lbcurve::traffic::{PaceOrder, Passage, Road, TrafficError, TrafficOrder};
use lbcurve::workload::{AddressPlan, Protocol, VipLayout, Workload, WorkloadSpec};

pub(crate) const NUMBERS: u64 = 1 << 23;
pub(crate) const SHORT: Duration = Duration::from_millis(50);
pub(crate) const ATTEMPTS: u32 = 20;

/// Each takes two CPUs.
static ALONE: Mutex<()> = Mutex::new(());

pub(crate) struct Bench {
    pub(crate) instrument: Instrument,
    pub(crate) topology: Topology,
    pub(crate) order: TrafficOrder,
    pub(crate) size: PacketSize,
    pub(crate) new_share: Option<NewShare>,
    _alone: MutexGuard<'static, ()>,
}

pub(crate) fn bench(kind: BackendKind, flow: Flow) -> Bench {
    bench_of(kind, flow, Protocol::Udp)
}

pub(crate) fn bench_of(kind: BackendKind, flow: Flow, protocol: Protocol) -> Bench {
    bench_among(kind, flow, protocol, 1)
}

/// The last of so many services is asked.
pub(crate) fn bench_among(kind: BackendKind, flow: Flow, protocol: Protocol, services: u32) -> Bench {
    let _alone = alone();
    let (instrument, topology, order) = node_of(kind, flow, protocol, services);
    Bench { instrument, topology, order, size: PacketSize::default(), new_share: None, _alone }
}

pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For nodes that are paced together: [`bench_among`] is of one that is alone.
pub(crate) fn node_of(
    kind: BackendKind,
    flow: Flow,
    protocol: Protocol,
    services: u32,
) -> (Instrument, Topology, TrafficOrder) {
    let (layout, addresses) = (VipLayout::Sequential, AddressPlan::default());
    let workload =
        Workload::generate(&WorkloadSpec { services, endpoints: 2, layout, protocol, seed: 0, addresses }).unwrap();
    let topology = Topology::create(&addresses).unwrap();
    {
        let _inside = topology.node.enter().unwrap();
        backend(kind).apply(&workload).unwrap();
    }
    let expected = Destinations { pods: addresses.cluster_cidr, port: 8080 };
    let instrument = Instrument::attach(&topology, expected, Bracket::Tc, None).unwrap();
    let service = workload.services.last().unwrap();
    let pod = &service.endpoints[0];
    let target = match kind.balances() {
        true => SocketAddrV4::new(service.vip, service.port),
        false => SocketAddrV4::new(pod.addr, pod.port),
    };
    let (targets, clients) = (vec![target], addresses.client_range);
    let order = TrafficOrder { flow, protocol, targets, packets: 1_000, first_flow: 0, seed: 1, clients };
    (instrument, topology, order)
}

impl Bench {
    pub(crate) fn pace<T: Send>(&mut self, work: impl FnOnce(&mut Road<'_>) -> Result<T, TrafficError> + Send) -> T {
        self.try_to_pace(&AtomicBool::new(false), work).unwrap()
    }

    pub(crate) fn try_to_pace<T: Send>(
        &mut self,
        cancel: &AtomicBool,
        work: impl FnOnce(&mut Road<'_>) -> Result<T, TrafficError> + Send,
    ) -> Result<T, TrafficError> {
        let Self { size, new_share, .. } = *self;
        let order = PaceOrder { traffic: &self.order, size, new_share, numbers: NUMBERS, longest: SHORT, cancel };
        self.instrument.pace(&order, work)
    }

    /// Bytes that the node's client-side device has received.
    pub(crate) fn bytes(&self) -> u64 {
        let _inside = self.topology.node.enter().unwrap();
        let devices = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        let name = format!("{}:", self.topology.node_client_link.name);
        let line = devices.lines().find_map(|line| line.trim_start().strip_prefix(&name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    pub(crate) fn conntrack_entries(&self) -> u64 {
        self.conntrack("count")
    }

    pub(crate) fn conntrack(&self, what: &str) -> u64 {
        let _inside = self.topology.node.enter().unwrap();
        std::fs::read_to_string(format!("/proc/sys/net/netfilter/nf_conntrack_{what}")).unwrap().trim().parse().unwrap()
    }
}

pub(crate) fn rate(value: f64) -> PacketsPerSecond {
    PacketsPerSecond::new(value).unwrap()
}

pub(crate) fn show(passage: &Passage) -> String {
    let Passage { load, planned, offered, carried, misdirected, at_ring, in_node, at_egress, late, duration, .. } =
        passage;
    let Passage { queued, standing, lag, receive_ns, ksoftirqd_ns, conntrack_entries, .. } = passage;
    format!(
        "load {load:.0}: planned {planned}, offered {offered} in {duration:?}, carried {carried} and then {queued} in {standing:?}, misdirected {misdirected}, \
         at ring {at_ring}, in node {in_node}, at egress {at_egress}, unexplained {}, CPU {receive_ns} and {ksoftirqd_ns} ns, {conntrack_entries} connections, late {late}, lag p50 {} p99 {} p99.9 {} max {}",
        passage.unexplained(),
        lag.value_at_quantile(0.5),
        lag.value_at_quantile(0.99),
        lag.value_at_quantile(0.999),
        lag.max()
    )
}
