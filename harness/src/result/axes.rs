//! The axes of a measurement and the cell they span.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::workload::{Protocol, VipLayout};

/// One datapath under test.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum BackendKind {
    /// Plain routing, no conntrack.
    Direct,
    /// Plain routing with conntrack on and zero services: what `added` is measured against.
    DirectConntrack,
    /// kube-proxy's iptables mode on xtables-legacy.
    IptablesLegacy,
    /// kube-proxy's iptables mode on the nf_tables compatibility layer.
    IptablesNft,
    /// kube-proxy's IPVS mode.
    Ipvs,
    /// kube-proxy's nftables mode.
    Nftables,
    /// The eBPF load balancer at tc ingress.
    EbpfTc,
    /// The eBPF load balancer as XDP.
    EbpfXdp,
}

impl BackendKind {
    /// Where a backend looks longest, the position that a headline shows: rules are walked from the first, and IPVS puts new
    /// services at a bucket's head. A hash table has none; `last` is as good as any.
    #[must_use]
    pub fn worst_position(self) -> Position {
        match self {
            Self::Direct | Self::DirectConntrack => Position::Missing,
            Self::Ipvs => Position::First,
            Self::IptablesLegacy | Self::IptablesNft | Self::Nftables | Self::EbpfTc | Self::EbpfXdp => Position::Last,
        }
    }

    /// Whether it balances load; the direct ones have no services and are the yardsticks.
    #[must_use]
    pub fn balances(self) -> bool {
        !matches!(self, Self::Direct | Self::DirectConntrack)
    }
}

/// Where the kernel under test runs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum VenueKind {
    /// This kernel.
    Host,
    /// A stock kernel in QEMU.
    Vm,
}

/// Whether the lookup happens.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// First packet of a flow: the lookup happens.
    New,
    /// A flow that conntrack has seen in both directions.
    Established,
}

/// Which service a packet asks for, in order of programming.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Position {
    /// Index 0: IPVS's worst (new services go to a bucket's head).
    First,
    /// Index N/2.
    Middle,
    /// Index N-1: iptables' worst.
    Last,
    /// A seeded uniform draw a packet.
    Random,
    /// No service: straight to a pod address.
    Missing,
}

/// Unit of a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    Ns,
    /// Retired guest instructions (deterministic vm); never a latency.
    Instructions,
}

/// What a curve shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Entry of the node's client-side device to its exit at the backend side.
    Traversal,
    /// `traversal` minus that of `direct-conntrack`, paired trial by trial.
    Added,
    /// The probe's own floor: entry and exit at one hook.
    Floor,
}

/// One combination of the axes: what a trial repeats.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Cell {
    /// Where.
    pub venue: VenueKind,
    /// Kernel release, e.g. `6.1.0-50-amd64`.
    pub kernel: String,
    /// Datapath.
    pub backend: BackendKind,
    /// VIP layout.
    pub layout: VipLayout,
    /// Protocol.
    pub protocol: Protocol,
    /// N.
    pub services: u32,
    /// M.
    pub endpoints: u32,
    /// Flow.
    pub flow: Flow,
    /// Position.
    pub position: Position,
}

/// Kebab-case name of an axis value, as the command line and the files spell it.
pub fn name<T: clap::ValueEnum>(value: &T) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ns => "ns",
            Self::Instructions => "instructions",
        })
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Traversal => "traversal",
            Self::Added => "added",
            Self::Floor => "floor",
        })
    }
}

impl fmt::Display for Cell {
    /// E.g. `vm 6.1.0 ipvs sequential tcp N=100 M=2 new first`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { venue, kernel, backend, layout, protocol, services, endpoints, flow, position } = self;
        let (venue, backend, layout) = (name(venue), name(backend), name(layout));
        let (protocol, flow, position) = (name(protocol), name(flow), name(position));
        write!(f, "{venue} {kernel} {backend} {layout} {protocol} N={services} M={endpoints} {flow} {position}")
    }
}
