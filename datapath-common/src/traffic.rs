//! Map values of the packet generator, the responder's counters and the sink's.

/// Most targets that an order can have: as many services as a run programs.
pub const MAX_TARGETS: u32 = 1 << 17;

/// What to send. One entry of the map `GENERATOR`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GeneratorConfig {
    /// Seed of the draw of targets.
    pub seed: u64,
    /// First flow.
    pub first_flow: u64,
    /// Flows in turn: packet i belongs to flow `first_flow + i % flows`.
    pub flows: u64,
    /// Stop at this `CLOCK_MONOTONIC` (checked every [`STAMP_EVERY`] packets), ns; 0 for never.
    pub deadline_ns: u64,
    /// Entries of the map `TARGETS` in use, at least 1.
    pub targets: u32,
    /// First client address.
    pub client_base: u32,
    /// Destination MAC: the node's client-side device.
    pub node_mac: [u8; 6],
    /// Source MAC: the client's device.
    pub client_mac: [u8; 6],
    /// One of the segment constants of [`crate::frame`].
    pub segment: u32,
    /// What becomes of a frame: `XDP_PASS` or `XDP_TX`.
    pub verdict: u32,
    /// Whether the next packet waits until the last one has reached the exit: 1 or 0.
    pub paced: u32,
}

/// How long a paced generator waits for a packet before it takes it for lost, ns: some turns of a scheduler whose machine is busy.
pub const PATIENCE_NS: u64 = 20_000_000;
/// Packets that a paced generator waits for in vain before it waits for none any more: the path is broken, not slow.
pub const MOST_ABANDONED: u64 = 64;

/// Packets between two looks at the clock.
pub const STAMP_EVERY: u64 = 256;

/// Progress of the generator. One entry of the map `GENERATED`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Generated {
    /// Tag of the last packet; never reset, so tags are unique as long as the map lives.
    pub tag: u64,
    /// Position in the cycle of flows.
    pub cursor: u64,
    /// Packets handed on.
    pub sent: u64,
    /// Time of the first packet, ns.
    pub first_ns: u64,
    /// Time of the last look at the clock, ns.
    pub last_ns: u64,
    /// Packets handed on at `last_ns`.
    pub stamped: u64,
    /// 1 once the deadline has passed.
    pub expired: u64,
    /// When the last packet was handed on, ns; paced generators only.
    pub handed_on_ns: u64,
    /// Packets that a paced generator gave up waiting for.
    pub abandoned: u64,
}

/// What the exit tells the generator. One entry of the map `GATE`, apart from what the generator writes, for they run on
/// different CPUs.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gate {
    /// 1 once the limit is reached.
    pub closed: u64,
    /// Tag of the last packet at the exit, where there is no limit.
    pub left: u64,
}

/// Where packets go. An entry of the map `TARGETS`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Target {
    /// Address.
    pub addr_be: u32,
    /// Port.
    pub port_be: u16,
    /// Explicit padding.
    pub reserved: u16,
}

/// What the responder and the sink have seen on one CPU. An entry of the per-CPU map `REPLIES`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replies {
    /// Packets that the responder answered.
    pub answered: u64,
    /// Packets that the responder took without an answer.
    pub swallowed: u64,
    /// Replies that reached the client from the target that its flow was sent to.
    pub matching: u64,
    /// Replies that reached the client from elsewhere: reverse NAT is broken.
    pub foreign: u64,
}

const _: () = assert!(size_of::<GeneratorConfig>() == 64);
const _: () = assert!(size_of::<Target>() == 8);
