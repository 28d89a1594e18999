//! The scenario: what to measure, from a preset, a TOML file and the command line, each overriding the one before.

mod error;
mod load_wish;
mod preset;
mod wishes;

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use error::ScenarioError;
pub use load_wish::{LoadWish, LoadWishError};
pub use preset::Preset;
pub use wishes::Wishes;

use crate::result::{BackendKind, ConnectionLoad, Flow, NewShare, PacketSize, Position, RateMethod};
use crate::venue::vm::KernelSource;
use crate::workload::cluster::Cluster;
use crate::workload::{AddressPlan, Common, EndpointChoice, Protocol, Scheduler, VipLayout};

/// Where to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum VenueChoice {
    /// The host where it can run every asked backend, else the vm for all of them and the host for those it can; models where
    /// neither can run any.
    #[default]
    Auto,
    /// This kernel.
    Host,
    /// A stock kernel in QEMU.
    Vm,
    /// Models of the datapaths in user space: counted steps, no kernel, no root.
    Sim,
}

/// A complete scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scenario {
    /// Preset it started from.
    pub preset: Preset,
    /// Venue.
    pub venue: VenueChoice,
    /// Backends, sorted, without repetition.
    pub backends: Vec<BackendKind>,
    /// N, ascending.
    pub services: Vec<u32>,
    /// M, ascending.
    pub endpoints: Vec<u32>,
    /// VIP layouts.
    pub layouts: Vec<VipLayout>,
    /// Whether layouts other than the first are measured with IPVS only: the smaller presets' choice, since only IPVS's
    /// hash reads the address in a way that a layout can defeat. A layout that was asked for is measured everywhere.
    pub narrow_layouts: bool,
    /// Protocols.
    pub protocols: Vec<Protocol>,
    /// Flows.
    pub flows: Vec<Flow>,
    /// Positions.
    pub positions: Vec<Position>,
    /// Seed.
    pub seed: u64,
    /// Trials a cell on the host; `None` leaves it to the venue.
    pub trials: Option<u32>,
    /// Packets a trial; `None` leaves it to the venue.
    pub packets: Option<u32>,
    /// Whether slow cells run.
    pub allow_slow: bool,
    /// Whether the vm counts instructions; `None`: yes under software emulation.
    pub deterministic: Option<bool>,
    /// Kernels for the vm, in order, without repetition; none: the distribution's package.
    pub kernels: Vec<KernelSource>,
    /// Address ranges.
    pub addresses: AddressPlan,
    /// Scheduler of IPVS; `None`: kube-proxy's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Scheduler>,
    /// Flows of each cell of a load-balancing backend whose endpoint is written down; `None`: that is not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decisions: Option<NonZeroU32>,
    /// Flows of each way of spreading that is held to its promise; `None`: that is not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fairness: Option<NonZeroU32>,
    /// Loads of real connections; none: they are not measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<ConnectionLoad>,
    /// How rates are searched for; `None`: they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<RateMethod>,
    /// Whether ClusterIPs are pinged and a load balancer's address is asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reachability: bool,
    /// Bytes of the packets that rates are searched for with.
    #[serde(default = "usual_sizes", skip_serializing_if = "are_usual_sizes")]
    pub packet_sizes: Vec<PacketSize>,
    /// Mixes of new and established flows that rates are searched for with, beside `flows`: the shares of packets that open a flow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new_shares: Vec<NewShare>,
    /// Whether rates and connections are measured at all positions, and not at the backend's worst alone: positions were asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_positions: bool,
    /// How the eBPF backends choose endpoints.
    #[serde(default, skip_serializing_if = "EndpointChoice::is_default")]
    pub endpoint_choice: EndpointChoice,
    /// Imported services, which N repeats: a multiple of its service ports. M, layout and protocols are then the cluster's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Cluster>,
    /// Self-tests only: the iptables modes hold a rule that matches nothing per so many services. No normal run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_test_ballast: Option<NonZeroU32>,
    /// Self-tests only: the first endpoint of every service gets so many times its share. No normal run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_test_bias: Option<NonZeroU32>,
}

/// Short packets alone: what a node does for a packet hardly depends on its length.
fn usual_sizes() -> Vec<PacketSize> {
    vec![PacketSize::default()]
}

fn are_usual_sizes(sizes: &[PacketSize]) -> bool {
    *sizes == [PacketSize::default()]
}

impl Scenario {
    /// Bytes of its packets, where others than short ones were asked for.
    #[must_use]
    pub fn unusual_sizes(&self) -> Vec<PacketSize> {
        if are_usual_sizes(&self.packet_sizes) { Vec::new() } else { self.packet_sizes.clone() }
    }

    /// What its workloads have in common.
    #[must_use]
    pub fn common(&self) -> Common {
        Common {
            seed: self.seed,
            addresses: self.addresses,
            scheduler: self.scheduler.unwrap_or_default(),
            endpoint_choice: self.endpoint_choice,
            ballast: self.self_test_ballast,
            bias: self.self_test_bias,
        }
    }
}

/// Most endpoints of a service whose Maglev table has a slot for each (`datapath_common::balancer::maglev`: 16 bits a slot, one value of
/// which is the empty slot).
pub const MOST_MAGLEV_ENDPOINTS: u32 = 65_535;

/// Most services of an imported workload: as many as the generator has targets for.
pub const MOST_SERVICES: u32 = datapath_common::traffic::MAX_TARGETS;

/// Most packets of a trial: each takes an entry of a conntrack table of 262,144.
pub const MOST_PACKETS: u32 = 100_000;

/// Most trials of a cell: intervals have long stopped to narrow there.
pub const MOST_TRIALS: u32 = 10_000;
