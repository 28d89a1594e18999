//! A node with the load balancer in it, and packets for it.

use std::net::Ipv4Addr;

use lbcurve::backend::Backend;
use lbcurve::backend::ebpf::{Balancer, Hook, Ran};
use lbcurve::net::Topology;
use lbcurve::workload::{Endpoint, EndpointChoice, Protocol, Scheduling, Service, Workload};

use crate::addresses::addresses;
use crate::packets::{Datagram, Inner};

pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 127, 0, 5);
pub(crate) const VIP: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 1);
pub(crate) const LONELY: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 2);
pub(crate) const POD: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);
pub(crate) const POD_PORT: u16 = 8080;

const TC_ACT_UNSPEC: u32 = u32::MAX;
const TC_ACT_OK: u32 = 0;
const TC_ACT_SHOT: u32 = 2;
const TC_ACT_REDIRECT: u32 = 7;
const XDP_DROP: u32 = 1;
pub(crate) const XDP_PASS: u32 = 2;
const XDP_REDIRECT: u32 = 4;

pub(crate) fn service(vip: Ipv4Addr, protocol: Protocol, pods: u8) -> Service {
    let endpoints = (0..pods).map(|i| Endpoint { addr: Ipv4Addr::new(10, 1, 0, 2 + i), port: POD_PORT }).collect();
    let name = format!("svc-{vip}-{protocol:?}");
    Service { namespace: "default".into(), name, port_name: String::new(), vip, port: 80, protocol, endpoints }
}

/// TCP and UDP on one VIP with one pod, and a VIP without endpoints.
pub(crate) fn workload() -> Workload {
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
pub(crate) struct Bench {
    pub(crate) hook: Hook,
    balancer: Balancer,
    topology: Topology,
}

impl Bench {
    pub(crate) fn new(hook: Hook, workload: &Workload) -> Self {
        let topology = Topology::create(&workload.addresses).unwrap();
        let balancer = Balancer::new(hook);
        let bench = Self { hook, balancer, topology };
        bench.inside(|balancer| balancer.apply(workload)).unwrap();
        bench
    }

    pub(crate) fn inside<T>(&self, work: impl FnOnce(&Balancer) -> T) -> T {
        let _inside = self.topology.node.enter().unwrap();
        work(&self.balancer)
    }

    /// Through the program of the client-side device.
    pub(crate) fn forward(&self, frame: &[u8]) -> Ran {
        let (program, device) = (self.hook.programs()[0], self.topology.node_client_link.index);
        self.inside(|balancer| balancer.test_run(program, frame, device, 1)).unwrap()
    }

    /// Through the program of the backend-side device.
    pub(crate) fn reverse(&self, frame: &[u8]) -> Ran {
        let (program, device) = (self.hook.programs()[1], self.topology.node_backend_link.index);
        self.inside(|balancer| balancer.test_run(program, frame, device, 1)).unwrap()
    }

    pub(crate) fn passed(&self) -> u32 {
        if self.hook == Hook::Tc { TC_ACT_UNSPEC } else { XDP_PASS }
    }

    pub(crate) fn forwarded(&self) -> u32 {
        if self.hook == Hook::Tc { TC_ACT_OK } else { XDP_REDIRECT }
    }

    pub(crate) fn dropped(&self) -> u32 {
        if self.hook == Hook::Tc { TC_ACT_SHOT } else { XDP_DROP }
    }

    pub(crate) fn sent_back(&self) -> u32 {
        if self.hook == Hook::Tc { TC_ACT_REDIRECT } else { XDP_REDIRECT }
    }

    /// Hops that the program itself takes off: XDP forwards, tc leaves that to the stack.
    pub(crate) fn hops(&self) -> u8 {
        u8::from(self.hook == Hook::Xdp)
    }

    pub(crate) fn assert_untouched(&self, frame: &[u8], why: &str) {
        let ran = self.forward(frame);
        assert_eq!((ran.verdict, &ran.frame[..]), (self.passed(), frame), "{:?}: {why}", self.hook);
    }
}

pub(crate) fn both(test: impl Fn(&Bench)) {
    for hook in [Hook::Tc, Hook::Xdp] {
        test(&Bench::new(hook, &workload()));
    }
}

pub(crate) fn tcp() -> Datagram {
    Datagram::new((CLIENT, 4000), (VIP, 80), Inner::Tcp)
}

pub(crate) fn udp() -> Datagram {
    Datagram::new((CLIENT, 4000), (VIP, 80), Inner::Udp)
}
