//! What the benches share: workloads, models, tables, packets, and counts as a measurement.

mod count;
mod models;
pub mod tables;

pub use count::Count;
pub use models::{MODELS, Model, Place, Prototype, packet};

use lbcurve::workload::{AddressPlan, Protocol, VipLayout, Workload, WorkloadSpec};

/// N services x 2 endpoints, TCP.
///
/// # Panics
/// N does not fit the default address plan; the benches' own constants do.
#[must_use]
pub fn workload(services: u32, layout: VipLayout) -> Workload {
    let spec = WorkloadSpec {
        services,
        endpoints: 2,
        layout,
        protocol: Protocol::Tcp,
        seed: 42,
        addresses: AddressPlan::default(),
    };
    #[expect(clippy::unwrap_used, reason = "a bench whose constants do not fit has nothing to measure")]
    Workload::generate(&spec).unwrap()
}
