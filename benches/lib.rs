//! Workloads that the benches share.

use lbcurve::workload::{AddressPlan, Protocol, VipLayout, Workload, WorkloadSpec};

/// N services x 2 endpoints with sequential VIPs.
///
/// # Panics
/// N does not fit the default address plan; the benches' own constants do.
pub fn workload(services: u32) -> Workload {
    let spec = WorkloadSpec {
        services,
        endpoints: 2,
        layout: VipLayout::Sequential,
        protocol: Protocol::Tcp,
        seed: 42,
        addresses: AddressPlan::default(),
    };
    #[expect(clippy::unwrap_used, reason = "a bench whose constants do not fit has nothing to measure")]
    Workload::generate(&spec).unwrap()
}
