//! Every backend that this kernel runs, in anonymous network namespaces: programmed, verified, changed, broken by hand, cleared.
//! Needs root.

mod namespace;

use std::process::Command;
use std::time::Instant;

use lbcurve::backend::{Backend, BackendError, backend};
use lbcurve::result::BackendKind;
use lbcurve::workload::{AddressPlan, Endpoint, Protocol, Service, VipLayout, Workload, WorkloadSpec};
use namespace::in_fresh_namespace;

fn workload(services: u32, endpoints: u32) -> Workload {
    let addresses = AddressPlan::default();
    let (layout, protocol) = (VipLayout::Sequential, Protocol::Tcp);
    let spec = WorkloadSpec { services, endpoints, layout, protocol, seed: 0, addresses };
    Workload::generate(&spec).expect("the workload fits")
}

fn one_more(workload: &Workload) -> Service {
    let count = u32::try_from(workload.services.len()).expect("few");
    let spec = WorkloadSpec {
        services: count + 1,
        endpoints: 2,
        layout: VipLayout::Sequential,
        protocol: Protocol::Tcp,
        seed: 0,
        addresses: workload.addresses,
    };
    Workload::generate(&spec).expect("the workload fits").services.pop().expect("not empty")
}

/// What a deletion by hand removes, and in which words the backend must report it.
fn sabotage(kind: BackendKind, workload: &Workload) -> (Vec<String>, &'static str) {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    match kind {
        BackendKind::IptablesLegacy => (words("iptables-legacy -t nat -D KUBE-SERVICES 2"), "KUBE-SERVICES has"),
        BackendKind::IptablesNft => (words("iptables-nft -t nat -D KUBE-SERVICES 2"), "KUBE-SERVICES has"),
        BackendKind::Nftables => {
            let element = format!("{{ {} . tcp . 80 }}", workload.services[1].vip);
            let mut command = words("nft delete element ip kube-proxy service-ips");
            command.push(element);
            (command, "map service-ips lacks")
        }
        BackendKind::DirectConntrack => (words("nft flush table ip lbcurve"), "nf_tables holds"),
        BackendKind::Direct => (words("nft add table ip intruder"), "nf_tables holds table ip intruder"),
        BackendKind::Ipvs => unreachable!("this kernel has no ip_vs"),
        BackendKind::EbpfTc | BackendKind::EbpfXdp => unreachable!("the test host_balancer damages their maps"),
    }
}

/// Applies, changes, breaks and clears a backend in the current namespace, and prints what programming cost.
fn exercise(kind: BackendKind, services: u32) {
    let backend = backend(kind);
    let mut workload = workload(services, 2);
    let cost = backend.apply(&workload).expect("applies");
    let start = Instant::now();
    backend.verify(&workload).expect("holds what was asked for");
    println!("{kind:?} N={services}: apply {cost:?}, verify {:?}", start.elapsed());

    let added = one_more(&workload);
    workload.services.push(added.clone());
    let cost = backend.add_service(&workload, &added).expect("adds a service");
    println!("{kind:?} N={services}: one service added {cost:?}");
    backend.verify(&workload).expect("holds the added service");

    change_one(backend.as_ref(), &mut workload, Endpoint { addr: [10, 200, 0, 1].into(), port: 8080 });
    break_by_hand(backend.as_ref(), &workload);
    backend.clear().expect("clears");
}

fn change_one(backend: &dyn Backend, workload: &mut Workload, endpoint: Endpoint) {
    let before = workload.services[1].clone();
    workload.services[1].endpoints[0] = endpoint;
    let after = workload.services[1].clone();
    let cost = backend.change_endpoint(&before, &after, workload).expect("changes an endpoint");
    println!("{:?}: one endpoint changed {cost:?}", backend.kind());
    backend.verify(workload).expect("holds the changed endpoint");
}

fn break_by_hand(backend: &dyn Backend, workload: &Workload) {
    let (command, finding) = sabotage(backend.kind(), workload);
    let status = Command::new(&command[0]).args(&command[1..]).status().expect("the tool runs");
    assert!(status.success(), "{command:?}");
    match backend.verify(workload) {
        Err(BackendError::Mismatch { differences, .. }) => {
            assert!(differences.iter().any(|found| found.contains(finding)), "{differences:?}");
        }
        other => panic!("the damage of {command:?} was not found: {other:?}"),
    }
}

/// The rules that a namespace holds, by the tools that show them all. iptables-legacy shows a table once it was touched.
fn leftovers() -> String {
    let shown = |tool: &str, arguments: &[&str]| {
        let output = Command::new(tool).args(arguments).output().expect("the tool runs");
        String::from_utf8(output.stdout).expect("text")
    };
    let legacy: Vec<String> = shown("iptables-legacy-save", &[])
        .lines()
        .filter(|line| line.starts_with('-') || line.starts_with(":KUBE"))
        .map(str::to_owned)
        .collect();
    legacy.join("\n") + &shown("nft", &["list", "ruleset"])
}

fn exercise_fresh(kind: BackendKind, services: u32) {
    in_fresh_namespace(move || {
        exercise(kind, services);
        let expected = if kind == BackendKind::Direct { "table ip intruder {\n}\n" } else { "" };
        assert_eq!(leftovers(), expected, "{kind:?} left rules behind");
    });
}

#[test]
fn iptables_legacy() {
    exercise_fresh(BackendKind::IptablesLegacy, 3);
    exercise_fresh(BackendKind::IptablesLegacy, 300);
}

#[test]
fn iptables_nft() {
    exercise_fresh(BackendKind::IptablesNft, 3);
    exercise_fresh(BackendKind::IptablesNft, 300);
}

#[test]
fn nftables() {
    exercise_fresh(BackendKind::Nftables, 3);
    exercise_fresh(BackendKind::Nftables, 300);
}

#[test]
fn direct_and_direct_conntrack() {
    for kind in [BackendKind::Direct, BackendKind::DirectConntrack] {
        exercise_fresh(kind, 3);
    }
}

/// Above 1000 endpoints kube-proxy leaves comments out, and an added service crosses that threshold here.
#[test]
fn iptables_across_the_large_cluster_threshold() {
    exercise_fresh(BackendKind::IptablesLegacy, 500);
    exercise_fresh(BackendKind::IptablesLegacy, 501);
}

#[test]
fn services_without_endpoints_are_rejected() {
    for kind in [BackendKind::IptablesLegacy, BackendKind::IptablesNft, BackendKind::Nftables] {
        in_fresh_namespace(move || {
            let backend = backend(kind);
            let mut workload = workload(4, 0);
            backend.apply(&workload).expect("applies");
            backend.verify(&workload).expect("holds what was asked for");
            let before = workload.services[2].clone();
            workload.services[2].endpoints.push(Endpoint { addr: [10, 200, 0, 1].into(), port: 8080 });
            let after = workload.services[2].clone();
            backend.change_endpoint(&before, &after, &workload).expect("gets its first endpoint");
            backend.verify(&workload).expect("holds the endpoint");
            workload.services[2] = before.clone();
            backend.change_endpoint(&after, &before, &workload).expect("loses it again");
            backend.verify(&workload).expect("rejects again");
        });
    }
}

#[test]
fn wide_services_are_read_back() {
    for kind in [BackendKind::IptablesLegacy, BackendKind::IptablesNft, BackendKind::Nftables] {
        in_fresh_namespace(move || {
            let backend = backend(kind);
            let workload = workload(3, 37);
            backend.apply(&workload).expect("applies");
            backend.verify(&workload).expect("holds what was asked for");
        });
    }
}

#[test]
fn backends_of_this_kernel_are_ready() {
    in_fresh_namespace(|| {
        for kind in [
            BackendKind::Direct,
            BackendKind::DirectConntrack,
            BackendKind::IptablesLegacy,
            BackendKind::IptablesNft,
            BackendKind::Nftables,
        ] {
            let backend = backend(kind);
            assert_eq!(backend.readiness(), Ok(()));
            assert_eq!(backend.notes(), Vec::<String>::new());
            assert_eq!(leftovers(), "", "{kind:?}");
        }
    });
}
