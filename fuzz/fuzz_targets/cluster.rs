//! Any text as a cluster: refused in one line, or imported, and its services placed or refused.
#![no_main]

use std::collections::HashSet;

use lbcurve::workload::cluster::Cluster;
use lbcurve::workload::{AddressPlan, Protocol, VipLayout, Workload, WorkloadSpec};
use libfuzzer_sys::fuzz_target;

/// Beyond this many endpoints a workload that fits takes seconds.
const SMALL: u64 = 20_000;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Cluster::parse(text, "cluster.yaml") {
        Ok(cluster) if cluster.origin.endpoints <= SMALL => place(&cluster),
        Ok(_) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});

fn place(cluster: &Cluster) {
    assert!(cluster.origin.answered() > 0 && cluster.mean_endpoints() > 0);
    let services = 2 * cluster.ports.len() as u32;
    let (layout, protocol, addresses) = (VipLayout::Imported, Protocol::Tcp, AddressPlan::default());
    let spec = WorkloadSpec { services, endpoints: 1, layout, protocol, seed: 42, addresses };
    let workload = Workload::import(cluster, &spec).expect("twice a small cluster fits");
    let addresses: HashSet<_> = workload.services.iter().map(|s| (s.vip, s.port, s.protocol)).collect();
    assert_eq!(addresses.len(), services as usize);
    for service in &workload.services {
        // What goes into rules, comments and names of chains.
        for text in [&service.namespace, &service.name, &service.port_name] {
            assert!(text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte)));
        }
    }
}
