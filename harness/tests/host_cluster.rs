//! An imported cluster on this kernel: every flow reaches a pod of the service port that it asked for, what a first packet costs, and how many
//! connections a second there are. Root.
#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use lbcurve::backend::{Backend, backend};
use lbcurve::net::Topology;
use lbcurve::probe::{Destinations, Instrument};
use lbcurve::result::{BackendKind, Bracket, Flow, Position, Reached, read_run_file};
use lbcurve::run::decide::reached;
use lbcurve::traffic::TrafficOrder;
use lbcurve::workload::cluster::Cluster;
use lbcurve::workload::{AddressPlan, Protocol, Service, VipLayout, Workload, WorkloadSpec};

const FLOWS: u32 = 120;
const BALANCING: [BackendKind; 4] =
    [BackendKind::IptablesLegacy, BackendKind::IptablesNft, BackendKind::Nftables, BackendKind::EbpfTc];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clusters").join(name)
}

/// Twice the cluster of a fixture.
fn workload(name: &str) -> Workload {
    let cluster = Cluster::parse(&std::fs::read_to_string(fixture(name)).unwrap(), name).unwrap();
    let (services, addresses) = (2 * cluster.ports.len() as u32, AddressPlan::default());
    let (layout, protocol) = (VipLayout::Imported, Protocol::Tcp);
    Workload::import(&cluster, &WorkloadSpec { services, endpoints: 1, layout, protocol, seed: 42, addresses }).unwrap()
}

/// A node with the workload, and the backend that keeps its programs.
fn site(kind: BackendKind, workload: &Workload) -> (Topology, Box<dyn Backend>) {
    let topology = Topology::create(&workload.addresses).unwrap();
    topology.route_services(&workload.addresses).unwrap();
    let datapath = backend(kind);
    {
        let _inside = topology.node.enter().unwrap();
        datapath.apply(workload).unwrap();
        datapath.verify(workload).unwrap();
    }
    (topology, datapath)
}

fn decide(instrument: &mut Instrument, workload: &Workload, service: &Service, first_flow: u64) -> Vec<Reached> {
    let order = TrafficOrder {
        flow: Flow::New,
        protocol: service.protocol,
        targets: vec![SocketAddrV4::new(service.vip, service.port)],
        packets: FLOWS,
        first_flow,
        seed: 3,
        clients: workload.addresses.client_range,
    };
    reached(workload, &order, &instrument.decide(&order).unwrap())
}

#[test]
fn every_flow_reaches_a_pod_of_its_service_port_or_is_rejected() {
    for (kind, name) in BALANCING.into_iter().flat_map(|kind| [(kind, "ticket-shop.yaml"), (kind, "depot.json")]) {
        let workload = workload(name);
        let (topology, _datapath) = site(kind, &workload);
        let expected = Destinations { pods: workload.addresses.cluster_cidr, port: 8080 };
        let mut instrument = Instrument::attach_for_decisions(&topology, expected, Bracket::Tc, None, FLOWS).unwrap();
        for (index, service) in (0_u64..).zip(&workload.services) {
            let reached = decide(&mut instrument, &workload, service, 1_000 * index);
            let pods = service.endpoints.len() as u32;
            let is_right = |one: &Reached| match *one {
                Reached::Endpoint(endpoint) => endpoint < pods,
                Reached::Rejected => pods == 0,
                _ => false,
            };
            assert!(reached.iter().all(is_right), "{kind:?}, {name}, {service:?}: {reached:?}");
            // Each of at most three endpoints is missed by 120 draws once in 10^20.
            let is_reached = |endpoint: &u32| reached.contains(&Reached::Endpoint(*endpoint));
            assert!((0..pods).all(|endpoint| is_reached(&endpoint)), "{kind:?}, {name}, {service:?}");
        }
    }
}

#[test]
fn a_run_measures_first_packets_and_connections_of_every_backend_that_this_kernel_has() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let backends = "iptables-legacy,iptables-nft,nftables,ebpf-tc,ebpf-xdp";
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    command.args(["run", "--venue", "host", "--scale", "3", "--trials", "2", "--packets", "300", "--flows", "new"]);
    command.args(["--backends", backends, "--cluster"]).arg(fixture("ticket-shop.yaml")).arg("--out").arg(&out);
    command.assert().success();
    let run = read_run_file(&out.join("run.json")).unwrap();
    assert!(run.skipped.is_empty(), "{:?}", run.skipped);
    let measured: Vec<_> = run.expected.iter().map(|cost| (cost.key.services, cost.key.backend)).collect();
    let balancing = run.plan.backends.iter().copied().filter(|backend| backend.balances());
    assert_eq!(measured, balancing.map(|backend| (21, backend)).collect::<Vec<_>>());
    assert!(run.expected.iter().all(|cost| cost.astray == 0 && cost.traversal > 0.0), "{:?}", run.expected);
    // Every service port of both protocols is asked, through every backend, and none of their pods is missing.
    let asked: Vec<_> = run.connections.iter().map(|curve| (curve.key.axes.backend, curve.key.axes.protocol)).collect();
    let all = run.plan.backends.iter().flat_map(|kind| [(*kind, Protocol::Tcp), (*kind, Protocol::Udp)]);
    assert_eq!(asked, all.collect::<Vec<_>>());
    for curve in &run.connections {
        let expected = if curve.key.axes.backend.balances() { Position::Random } else { Position::Missing };
        let [point] = &curve.points[..] else { panic!("{:?}", curve.points) };
        assert_eq!((curve.key.axes.position, point.services, point.failed()), (expected, 21, 0), "{point:?}");
        assert!(point.succeeded > 0, "{point:?}");
    }
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    let section = page.split("<section id=\"cluster\">").nth(1).unwrap().split("</section>").next().unwrap();
    assert!(section.contains("Expected cost of a first packet") && section.contains("<h3>Connections</h3>"));
    assert!(section.contains("16 at a time") && section.contains("ebpf-xdp"), "{section}");
    // Two protocols, each in visits of its own, which program the same services.
    assert!(run.programming.iter().any(|record| record.protocol == Protocol::Udp));
}
