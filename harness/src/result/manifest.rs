//! What a run was asked to do and where it did it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    BackendKind, Cell, ConnectionLoad, Flow, NewShare, PacketSize, Position, Preflight, RateMethod, Unit, VenueKind,
};
use crate::workload::cluster::ClusterOrigin;
use crate::workload::{AddressPlan, Common, EndpointChoice, Protocol, Scheduler, VipLayout};

/// A kernel that trials ran on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct KernelUnderTest {
    /// Venue that ran it.
    pub venue: VenueKind,
    /// Release (`uname -r`), as in every cell.
    pub release: String,
    /// What tells it from another kernel of the same release: in the vm the package and its version, or the hash of a file
    /// (`linux-image-6.1.0-50-amd64 6.1.170-1`, `file_` and hexadecimal digits), on the host the version string (`uname -v`).
    pub version: String,
    /// Unit of its durations.
    pub unit: Unit,
    /// Whether these are times of a machine that is emulated in software: no hardware's, and to be compared with none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emulated: bool,
}

/// The machine, the tools and the command behind a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// Version of lbcurve.
    pub lbcurve_version: String,
    /// When the run ended, RFC 3339 in UTC.
    pub date: String,
    /// Kernels under test.
    pub kernels: Vec<KernelUnderTest>,
    /// CPU model of the machine, as `/proc/cpuinfo` names it.
    pub cpu_model: String,
    /// Logical CPUs of the machine.
    pub cpus: u32,
    /// Memory of the machine, in bytes.
    pub memory_bytes: u64,
    /// Hypervisor that the machine runs under, null on bare metal.
    pub virtualisation: Option<String>,
    /// Distribution, `PRETTY_NAME` of `/etc/os-release`.
    pub distribution: String,
    /// Tool name (`iptables`, `nft`, `qemu-system-x86_64`) to version.
    pub tools: BTreeMap<String, String>,
    /// SHA-256 of the eBPF object, hexadecimal.
    pub ebpf_object_sha256: String,
    /// How quiet the machine was before host trials; null where none were measured.
    pub preflight: Option<Preflight>,
    /// Command that reproduces the run.
    pub command: String,
}

impl Environment {
    /// Whether times on a kernel are those of a machine that is emulated in software.
    #[must_use]
    pub fn is_emulated(&self, venue: VenueKind, release: &str) -> bool {
        let is_it = |kernel: &&KernelUnderTest| (kernel.venue, &*kernel.release) == (venue, release);
        self.kernels.iter().find(is_it).is_some_and(|kernel| kernel.emulated)
    }
}

/// A cell of the plan and the boot that runs it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct PlannedCell {
    /// The cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// Group of cells that one boot runs (the unit of resume); null in the host venue.
    pub boot: Option<u32>,
}

/// The scenario and the cells it became, in the order of running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Preset that the scenario started from.
    pub preset: Option<String>,
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// Venues that were asked for.
    pub venues: Vec<VenueKind>,
    /// Backends that were asked for.
    pub backends: Vec<BackendKind>,
    /// Every N.
    pub services: Vec<u32>,
    /// Every M.
    pub endpoints: Vec<u32>,
    /// VIP layouts.
    pub layouts: Vec<VipLayout>,
    /// Protocols.
    pub protocols: Vec<Protocol>,
    /// Flows.
    pub flows: Vec<Flow>,
    /// Positions.
    pub positions: Vec<Position>,
    /// Most trials of a cell: venues differ.
    pub trials: u32,
    /// Fewest packets of a trial: venues differ.
    pub packets: u64,
    /// Whether the vm counted instructions.
    pub deterministic: bool,
    /// Whether cells that hold a CPU in the kernel for long were allowed.
    pub allow_slow: bool,
    /// Scheduler of IPVS, where another than kube-proxy's default was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Scheduler>,
    /// Flows of each cell whose endpoint was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decisions: Option<NonZeroU32>,
    /// Flows of each way of spreading that was held to its promise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fairness: Option<NonZeroU32>,
    /// Loads of real connections.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<ConnectionLoad>,
    /// How rates were searched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<RateMethod>,
    /// Whether ClusterIPs were pinged and a load balancer's address was asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reachability: bool,
    /// Bytes of the packets that they were searched for with, where others than short ones were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packet_sizes: Vec<PacketSize>,
    /// Mixes of new and established flows that they were searched for with, by the share of packets that open a flow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new_shares: Vec<NewShare>,
    /// Self-tests only: services per rule that matches nothing. Never compare such a run with a normal one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_test_ballast: Option<NonZeroU32>,
    /// Self-tests only: how many times its share the first endpoint of every service got. Never compare such a run with a normal one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_test_bias: Option<NonZeroU32>,
    /// How the eBPF backends choose endpoints, where that is not at random.
    #[serde(default, skip_serializing_if = "EndpointChoice::is_default")]
    pub endpoint_choice: EndpointChoice,
    /// Where the services were imported from; none where they were generated. N is then a multiple of its service ports, and M their
    /// endpoints in the mean, rounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterOrigin>,
    /// Address ranges, where another service CIDR was asked for.
    #[serde(default, skip_serializing_if = "AddressPlan::is_default")]
    pub addresses: AddressPlan,
    /// The cells.
    pub cells: Vec<PlannedCell>,
}

impl Plan {
    /// What the workloads of its cells have in common.
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

/// A cell of the plan that was not measured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct SkippedCell {
    /// The cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// Why, in a line that a user can act on.
    pub reason: String,
}

/// What [`super::assemble()`] cannot learn from the trials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Where and with what.
    pub environment: Environment,
    /// What was asked for.
    pub plan: Plan,
}
