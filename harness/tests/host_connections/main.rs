//! Real connections on this kernel: every workload, and everything that can go wrong with them. Needs root; namespaces of its own,
//! nothing else touched. No time is asserted.
#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

mod failures;
mod loads;

use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use lbcurve::backend::{Backend, backend};
use lbcurve::connections::{Asked, ConnectionOrder, Outcome, Servers, Trial, WarmUp, trial};
use lbcurve::net::{NetNs, Topology};
use lbcurve::result::{BackendKind, ConnectionLoad, FailureKind};
use lbcurve::workload::{AddressPlan, Protocol, VipLayout, Workload, WorkloadSpec};

const BALANCING: [BackendKind; 5] = [
    BackendKind::IptablesLegacy,
    BackendKind::IptablesNft,
    BackendKind::Nftables,
    BackendKind::EbpfTc,
    BackendKind::EbpfXdp,
];

fn load(text: &str) -> ConnectionLoad {
    text.parse().unwrap()
}

fn workload(endpoints: u32, protocol: Protocol) -> Workload {
    let (layout, addresses) = (VipLayout::Sequential, AddressPlan::default());
    Workload::generate(&WorkloadSpec { services: 5, endpoints, layout, protocol, seed: 0, addresses }).unwrap()
}

/// A topology whose node balances load. The load balancer's programs live as long as it does.
struct Site {
    topology: Topology,
    workload: Workload,
    _balancer: Box<dyn Backend>,
}

impl Site {
    fn new(kind: BackendKind, endpoints: u32, protocol: Protocol) -> Self {
        let workload = workload(endpoints, protocol);
        let topology = Topology::create(&workload.addresses).unwrap();
        let balancer = backend(kind);
        let inside = topology.node.enter().unwrap();
        balancer.apply(&workload).unwrap();
        drop(inside);
        Self { topology, workload, _balancer: balancer }
    }

    fn asked(&self, index: usize) -> Asked {
        let service = &self.workload.services[index];
        let endpoints = service.endpoints.iter().map(|pod| SocketAddrV4::new(pod.addr, pod.port)).zip(0..).collect();
        Asked { address: SocketAddrV4::new(service.vip, service.port), endpoints: Arc::new(endpoints) }
    }

    /// Asks the last service.
    fn order(&self, load: ConnectionLoad, most: u64) -> ConnectionOrder {
        ConnectionOrder {
            load,
            protocol: self.workload.services[0].protocol,
            asked: vec![self.asked(4)],
            most,
            first: 0,
            duration: Duration::from_secs(20),
            patience: Duration::from_secs(10),
            seed: 1,
            clients: self.workload.addresses.client_range,
        }
    }

    fn trial(&self, order: &ConnectionOrder) -> Outcome {
        let Trial { outcome, .. } = trial(&self.topology, order, WarmUp::Short).unwrap();
        assert_nothing_lost(&outcome);
        outcome
    }

    fn servers(&self) -> Servers {
        let order = self.order(load("1"), 1);
        let endpoints: BTreeSet<_> = order.asked.iter().flat_map(|asked| asked.endpoints.keys().copied()).collect();
        Servers::start(&self.topology.backend, order.protocol, &endpoints).unwrap()
    }
}

fn assert_nothing_lost(outcome: &Outcome) {
    assert_eq!(outcome.attempted, outcome.succeeded + outcome.failed(), "{outcome:?}");
}

fn assert_all_succeeded(outcome: &Outcome, most: u64) {
    assert_eq!((outcome.attempted, outcome.succeeded), (most, most), "{:?}", outcome.failures);
    assert_eq!(outcome.exchange.len(), most);
    assert_eq!(outcome.reached.iter().sum::<u64>(), most);
    assert!(outcome.per_second > 0.0);
}

fn failed_as(outcome: &Outcome, kind: FailureKind) -> u64 {
    outcome.failures.get(&kind).copied().unwrap_or(0)
}

fn in_namespace(namespace: &NetNs, tool: &str, arguments: &[&str]) {
    let _inside = namespace.enter().unwrap();
    assert!(Command::new(tool).args(arguments).status().unwrap().success(), "{tool} {arguments:?}");
}
