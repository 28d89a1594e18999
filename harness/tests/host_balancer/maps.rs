//! What the maps hold, and what is left when they are gone.

use std::net::Ipv4Addr;

use lbcurve::backend::ebpf::{Balancer, Hook};
use lbcurve::backend::{Backend, BackendError};
use lbcurve::workload::{AddressPlan, EndpointChoice, Protocol, Service, VipLayout, Workload, WorkloadSpec};

use crate::bench::{Bench, VIP, both, service, tcp, workload};
use crate::packets::{Datagram, Inner, parse};

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
    let spec = WorkloadSpec {
        services: 10_000,
        endpoints: 3,
        layout: VipLayout::Stride256,
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
