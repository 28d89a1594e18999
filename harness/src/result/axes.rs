//! The axes of a measurement: what each can be.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Position;

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

    /// The bracket that a backend is measured in first, and its headline shows: what is before the tc hook is seen by the XDP
    /// bracket only.
    #[must_use]
    pub fn bracket(self) -> Bracket {
        match self {
            Self::EbpfXdp => Bracket::Xdp,
            Self::Direct
            | Self::DirectConntrack
            | Self::IptablesLegacy
            | Self::IptablesNft
            | Self::Ipvs
            | Self::Nftables
            | Self::EbpfTc => Bracket::Tc,
        }
    }

    /// The brackets that a backend is measured in, its own first, where all of `measured` are: beside `ebpf-xdp`, whose figures
    /// have no meaning without them, the XDP bracket holds the yardsticks and the same load balancer at the other hook.
    #[must_use]
    pub fn brackets(self, measured: &[Self]) -> Vec<Bracket> {
        let is_beside_xdp = matches!(self, Self::Direct | Self::DirectConntrack | Self::EbpfTc);
        let mut brackets = vec![self.bracket()];
        if is_beside_xdp && measured.contains(&Self::EbpfXdp) {
            brackets.push(Bracket::Xdp);
        }
        brackets
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
    /// No kernel: models of its datapaths in user space.
    Sim,
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

/// Between which two hooks a packet is timed: figures of two brackets hold different code, and are never compared.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Bracket {
    /// From tc ingress of the node's client-side device to tc egress of its backend-side device.
    #[default]
    Tc,
    /// From XDP of the node's client-side device to tc ingress of the backend-side device's peer.
    Xdp,
}

impl Bracket {
    /// Whether it is the one that a cell has where its file names none.
    #[must_use]
    pub fn is_tc(&self) -> bool {
        *self == Self::Tc
    }
}

/// Unit of a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    Ns,
    /// Retired guest instructions (deterministic vm); never a latency.
    Instructions,
    /// Counted steps of a model (`datapath_sim::Steps`); never a latency.
    Steps,
}

impl Unit {
    /// Whether it is counted and not timed: trials of one seed repeat each other, and what they say is no time.
    #[must_use]
    pub fn is_counted(self) -> bool {
        match self {
            Self::Ns => false,
            Self::Instructions | Self::Steps => true,
        }
    }
}

/// What a curve shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// From the bracket's entry to its exit.
    Traversal,
    /// `traversal` minus that of `direct-conntrack`, paired trial by trial.
    Added,
    /// The probe's own floor: entry and exit at one hook.
    Floor,
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
            Self::Steps => "steps",
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
