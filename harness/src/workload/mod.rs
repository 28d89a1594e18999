//! The workload: N services x M endpoints, generated from a seed or imported from a cluster.

mod addresses;
pub mod cluster;
mod common;
mod generate;
pub mod popularity;
mod scheduling;

pub use common::Common;
pub use datapath_sim::{EndpointChoice, Scheduler};
pub use generate::WorkloadError;
pub use scheduling::{Scheduling, Unmodelled};

use std::net::Ipv4Addr;
use std::num::NonZeroU32;

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Transport protocol of a service and of the packets that ask for it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// TCP: new flows are SYNs.
    Tcp,
    /// UDP.
    Udp,
}

/// How VIPs are laid out in the service CIDR.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum VipLayout {
    /// Base address + i: chains of N/256 in a 256-bucket IPVS table.
    Sequential,
    /// A seeded draw without repetition.
    Random,
    /// Base address + 256 * i: one bucket of a 256-bucket IPVS table holds them all.
    #[serde(rename = "stride-256")]
    #[value(name = "stride-256")]
    Stride256,
    /// An imported cluster's own, or what its API server would draw.
    #[value(hide = true)]
    Imported,
}

/// A pod address and port behind a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// Pod address.
    pub addr: Ipv4Addr,
    /// Container port.
    pub port: u16,
}

/// One ClusterIP service port: the unit that kube-proxy calls a service port name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Kubernetes namespace, `default` for generated services.
    pub namespace: String,
    /// Service name, `svc-<i>` for generated services.
    pub name: String,
    /// Port name, empty for the only port of a service.
    pub port_name: String,
    /// ClusterIP.
    pub vip: Ipv4Addr,
    /// Service port.
    pub port: u16,
    /// Transport protocol.
    pub protocol: Protocol,
    /// Endpoints in order of creation.
    pub endpoints: Vec<Endpoint>,
}

/// The address ranges of the simulated cluster: one set rules rules, routes and generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddressPlan {
    /// Pod addresses come from here; kube-proxy's `--cluster-cidr`. Clients are inside it, so nothing is masqueraded.
    #[schemars(with = "String")]
    pub cluster_cidr: Ipv4Net,
    /// VIPs come from here (`--service-cluster-ip-range`).
    #[schemars(with = "String")]
    pub service_cidr: Ipv4Net,
    /// Client addresses: inside `cluster_cidr`, disjoint from every pod address.
    #[schemars(with = "String")]
    pub client_range: Ipv4Net,
    /// The node's own address (kube-proxy's node IP).
    pub node_addr: Ipv4Addr,
}

/// What to generate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadSpec {
    /// N, at least 1.
    pub services: u32,
    /// M, endpoints of every service; 0 makes services without endpoints.
    pub endpoints: u32,
    /// VIP layout.
    pub layout: VipLayout,
    /// Protocol of every service.
    pub protocol: Protocol,
    /// Seed of the `random` layout.
    pub seed: u64,
    /// Address ranges.
    pub addresses: AddressPlan,
}

/// The services to program, in order of programming.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Address ranges.
    pub addresses: AddressPlan,
    /// Services in order of programming: position `first` is index 0, `last` is N-1.
    pub services: Vec<Service>,
    /// Self-tests only: a rule that matches nothing after every so many services, in the modes that have a rule a service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ballast: Option<NonZeroU32>,
    /// How flows are spread where the datapath leaves a choice (IPVS), and self-tests' bias.
    #[serde(default)]
    pub scheduling: Scheduling,
    /// How the eBPF load balancer chooses endpoints.
    #[serde(default, skip_serializing_if = "EndpointChoice::is_default")]
    pub endpoint_choice: EndpointChoice,
}
