//! Puts a random case before this kernel and writes down what it decided.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddrV4;
use std::num::NonZeroU32;
use std::path::PathBuf;

use conformance::{Case, Fate, Order, Recording, Shape, Target};
use lbcurve::backend::{Backend, backend};
use lbcurve::net::Topology;
use lbcurve::probe::{Destinations, Instrument};
use lbcurve::result::{BackendKind, Bracket, Flow};
use lbcurve::traffic::{self, TrafficOrder};
use lbcurve::workload::{AddressPlan, Endpoint, EndpointChoice, Protocol, Scheduler, Scheduling, Service, Workload};

/// What answers for a target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernel {
    /// The backend.
    pub(crate) kind: BackendKind,
    /// IPVS's scheduler.
    pub(crate) scheduler: Scheduler,
    /// How the eBPF load balancer chooses.
    pub(crate) choice: EndpointChoice,
}

impl Kernel {
    /// A backend as runs use it.
    pub(crate) fn of(kind: BackendKind) -> Self {
        Self { kind, scheduler: Scheduler::default(), choice: EndpointChoice::default() }
    }
}

/// Records a target's decisions, case by case.
pub(crate) struct Recorder {
    target: Target,
    kernel: Kernel,
    /// Flows of the largest order.
    flows: u32,
    /// Namespaces that are programmed again for every case. The eBPF load balancer's programs go with their devices, so it has fresh
    /// ones each time.
    node: Option<Node>,
    cases: u32,
}

/// A programmed node.
struct Node {
    topology: Topology,
    datapath: Box<dyn Backend>,
    instrument: Option<Instrument>,
}

impl Recorder {
    /// Nothing is programmed yet.
    pub(crate) fn new(target: Target, kernel: Kernel, flows: u32) -> Self {
        Self { target, kernel, flows, node: None, cases: 0 }
    }

    /// Programs the case of a seed, reads it back, and sends its orders.
    pub(crate) fn record(&mut self, seed: u64, shape: Shape) -> Recording {
        let index = self.cases;
        self.cases += 1;
        let case = Case::random(seed, index, shape);
        let workload = workload(&case, self.kernel, shape.weights);
        let mut node = self.node.take().unwrap_or_else(|| Node::new(self.kernel.kind));
        node.program(&workload, seed);
        node.attach(self.kernel.kind.bracket(), self.flows);
        let places = case.endpoints().into_iter().zip(0..).collect();
        let fates: Vec<_> = case.orders.iter().map(|order| node.ask(&workload, order, &places)).collect();
        node.clear();
        let once = matches!(self.kernel.kind, BackendKind::EbpfTc | BackendKind::EbpfXdp);
        self.node = Some(node).filter(|_| !once);
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        Recording::new(self.target.clone(), release, seed, index, shape, &fates)
    }
}

impl Node {
    fn new(kind: BackendKind) -> Self {
        let addresses = AddressPlan::default();
        let topology = Topology::create(&addresses).expect("needs root");
        topology.route_services(&addresses).expect("a route");
        Self { topology, datapath: backend(kind), instrument: None }
    }

    fn program(&self, workload: &Workload, seed: u64) {
        let _inside = self.topology.node.enter().expect("the namespace is there");
        self.datapath.apply(workload).expect("applies");
        self.datapath.verify(workload).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }

    /// Attaches the instrument, once.
    fn attach(&mut self, bracket: Bracket, flows: u32) {
        if self.instrument.is_some() {
            return;
        }
        let balancer = {
            let _inside = self.topology.node.enter().expect("the namespace is there");
            self.datapath.take_over_xdp().expect("programs").map(|programs| programs.client_side)
        };
        let expected = Destinations { pods: AddressPlan::default().cluster_cidr, port: 0 };
        let attached = Instrument::attach_for_decisions(&self.topology, expected, bracket, balancer, flows);
        self.instrument = Some(attached.expect("attaches"));
    }

    fn clear(&self) {
        let _inside = self.topology.node.enter().expect("the namespace is there");
        self.datapath.clear().expect("clears");
    }

    fn ask(&mut self, workload: &Workload, order: &Order, places: &HashMap<SocketAddrV4, u32>) -> Vec<Fate> {
        let traffic = TrafficOrder {
            flow: Flow::New,
            protocol: protocol(order.protocol),
            targets: order.targets.clone(),
            packets: order.flows,
            first_flow: order.first_flow,
            seed: order.seed,
            clients: workload.addresses.client_range,
        };
        let fates = self.instrument.as_mut().expect("attached").decide(&traffic).expect("decides");
        let one = |(packet, fate): (datapath_sim::Packet, traffic::Fate)| match fate {
            traffic::Fate::Lost => Fate::Lost,
            traffic::Fate::Rejected => Fate::Rejected,
            traffic::Fate::Left(to) => Fate::left(packet.destination, to, places),
        };
        order.packets().zip(fates).map(one).collect()
    }
}

fn protocol(protocol: datapath_sim::Protocol) -> Protocol {
    match protocol {
        datapath_sim::Protocol::Tcp => Protocol::Tcp,
        datapath_sim::Protocol::Udp => Protocol::Udp,
    }
}

fn workload(case: &Case, kernel: Kernel, weights: u32) -> Workload {
    let mut vips = BTreeSet::new();
    let service = |(index, service): (usize, &datapath_sim::Service)| {
        let vip = *service.address.ip();
        // Ports of one VIP are one service's, and have names.
        let port_name = if vips.insert(vip) { String::new() } else { format!("p{index}") };
        let endpoint = |one: &datapath_sim::Endpoint| Endpoint { addr: *one.address.ip(), port: one.address.port() };
        Service {
            namespace: "default".into(),
            name: format!("svc-{index}"),
            port_name,
            vip,
            port: service.address.port(),
            protocol: protocol(service.protocol),
            endpoints: service.endpoints.iter().map(endpoint).collect(),
        }
    };
    let weights = NonZeroU32::new(weights).filter(|weights| weights.get() > 1);
    Workload {
        addresses: AddressPlan::default(),
        services: case.services.iter().enumerate().map(service).collect(),
        ballast: None,
        scheduling: Scheduling { scheduler: kernel.scheduler, weights, ..Scheduling::DEFAULT },
        endpoint_choice: kernel.choice,
    }
}

/// Where `LBCURVE_RECORD` asks for recordings to be kept, one JSON a line.
pub(crate) fn keep(name: &str, lines: impl Iterator<Item = String>) {
    let Some(dir) = std::env::var_os("LBCURVE_RECORD") else { return };
    let path = PathBuf::from(dir).join(name);
    let text: String = lines.map(|line| line + "\n").collect();
    std::fs::write(&path, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}

/// Fails with what was found, and prints what was compared.
pub(crate) fn assert_agreement(recordings: &[Recording]) {
    let found = conformance::judge(recordings).expect("every target has a model");
    println!(
        "{} cases, {} decisions, {} distributions (smallest p {:?}), {} disagreements",
        found.cases,
        found.decisions,
        found.distributions,
        found.smallest_p,
        found.disagreements.len()
    );
    let first: Vec<_> = found.disagreements.iter().take(10).collect();
    assert!(first.is_empty(), "{first:#?}");
}
