//! What the wrappers of the bench send: packets of a cycle of flows to a table of targets.

/// The one entry of the map `ORDER`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Order {
    /// Seed of the draw of targets.
    pub seed: u64,
    /// First flow.
    pub first_flow: u64,
    /// Flows in turn.
    pub flows: u64,
    /// Position in the cycle of flows.
    pub cursor: u64,
    /// Targets in the map `AIMS`, at least 1.
    pub targets: u32,
    /// First client address.
    pub client_base: u32,
}

const _: () = assert!(size_of::<Order>() == 40);
