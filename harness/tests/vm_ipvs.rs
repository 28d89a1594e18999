//! The IPVS backend on a kernel that has ip_vs: programmed, verified, changed, broken by hand, cleared. These tests are ignored
//! on the machine itself, whose kernel may lack it; the last test runs them inside a guest, and fails when they fail there.

mod guest;
mod namespace;

use std::process::Command;
use std::sync::atomic::AtomicBool;

use lbcurve::backend::ipvs::compare::Comparison;
use lbcurve::backend::{BackendError, backend, ipvs};
use lbcurve::result::BackendKind;
use lbcurve::venue::vm::GuestJob;
use lbcurve::workload::{AddressPlan, Endpoint, Protocol, VipLayout, Workload, WorkloadSpec};
use namespace::in_fresh_namespace;

fn workload(services: u32, endpoints: u32, protocol: Protocol) -> Workload {
    let addresses = AddressPlan::kube_proxy_dumps();
    let spec = WorkloadSpec { services, endpoints, layout: VipLayout::Sequential, protocol, seed: 0, addresses };
    Workload::generate(&spec).expect("the workload fits")
}

fn damage(command: &[&str], finding: &str, workload: &Workload) {
    let status = Command::new(command[0]).args(&command[1..]).status().expect("the tool runs");
    assert!(status.success(), "{command:?}");
    match backend(BackendKind::Ipvs).verify(workload) {
        Err(BackendError::Mismatch { differences, .. }) => {
            assert!(differences.iter().any(|found| found.contains(finding)), "{command:?}: {differences:?}");
        }
        other => panic!("the damage of {command:?} was not found: {other:?}"),
    }
}

fn exercise(services: u32, protocol: Protocol) {
    let backend = backend(BackendKind::Ipvs);
    let all = workload(services + 1, 2, protocol);
    let mut workload = Workload { services: all.services[..services as usize].to_vec(), ..all };
    println!("N={services}: apply {:?}", backend.apply(&workload).expect("applies"));
    backend.verify(&workload).expect("holds what was asked for");
    let added = all.services[services as usize].clone();
    workload.services.push(added.clone());
    println!("N={services}: add {:?}", backend.add_service(&workload, &added).expect("adds a service"));
    backend.verify(&workload).expect("holds the added service");
    let before = workload.services[1].clone();
    workload.services[1].endpoints[0] = Endpoint { addr: [10, 244, 200, 1].into(), port: 8080 };
    let after = workload.services[1].clone();
    println!("N={services}: change {:?}", backend.change_endpoint(&before, &after, &workload).expect("changes"));
    backend.verify(&workload).expect("holds the changed endpoint");
    if protocol == Protocol::Tcp {
        damage(&["ipset", "del", "KUBE-CLUSTER-IP", "10.96.0.10,tcp:80"], "KUBE-CLUSTER-IP lacks", &workload);
        damage(&["ip", "addr", "del", "10.96.0.11/32", "dev", "kube-ipvs0"], "lacks the address 10.96.0.11", &workload);
        damage(&["ipvsadm", "-D", "-t", "10.96.0.12:80"], "10.96.0.12:80 is missing", &workload);
        damage(&["iptables-legacy", "-D", "KUBE-IPVS-FILTER", "2"], "KUBE-IPVS-FILTER has", &workload);
    }
    backend.clear().expect("clears");
    assert_eq!(backend.readiness(), Ok(()));
}

#[test]
#[ignore = "needs a kernel with ip_vs: run in the vm"]
fn ipvs_from_nothing_to_nothing() {
    for (services, protocol) in [(3, Protocol::Tcp), (300, Protocol::Tcp), (5, Protocol::Udp)] {
        in_fresh_namespace(move || exercise(services, protocol));
    }
}

#[test]
#[ignore = "needs a kernel with ip_vs: run in the vm"]
fn ten_thousand_services_stay_mostly_in_the_kernel() {
    in_fresh_namespace(|| {
        let workload = workload(10_000, 2, Protocol::Tcp);
        ipvs::ensure_device(0).expect("a dummy device");
        let cost = ipvs::program(&workload.services, workload.scheduling).expect("programs");
        println!("10,000 services: {cost:?}");
        assert!(cost.user * 10 <= cost.total, "{cost:?}");
    });
}

/// The ignored tests above, in a guest whose kernel has ip_vs.
#[test]
fn the_ignored_tests_pass_in_the_vm() {
    let (lines, outcome) = guest::run_ignored_tests();
    let text = lines.join("\n");
    println!("{text}");
    outcome.expect("the tests pass in the guest");
    assert!(text.contains("2 passed; 0 failed"), "{text}");
}

/// Counted in instructions, a ratio is exact: netlink in batches against the usual tools.
#[test]
fn netlink_takes_at_most_two_thirds_of_what_ip_and_ipvsadm_take() {
    let addresses = AddressPlan::default();
    let layout = VipLayout::Sequential;
    let workload = WorkloadSpec { services: 3_000, endpoints: 2, layout, protocol: Protocol::Tcp, seed: 0, addresses };
    let mut answers = Vec::new();
    let job = GuestJob::CompareIpvs { workload };
    guest::open()
        .boot(&job, &mut |line| answers.push(line.to_owned()), &AtomicBool::new(false))
        .expect("both ways work");
    let found: Comparison = serde_json::from_str(&answers[0]).expect("a comparison");
    println!("{found:?}");
    let tools = found.ip_batch + found.ipvsadm_restore;
    assert!(found.netlink * 100 <= tools * 65, "{found:?}");
    assert!(found.netlink_user * 10 <= found.netlink, "{found:?}");
}
