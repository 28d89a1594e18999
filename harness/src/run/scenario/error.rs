//! Why a scenario is refused.

use std::path::PathBuf;

use super::{MOST_MAGLEV_ENDPOINTS, MOST_PACKETS, MOST_SERVICES, MOST_TRIALS};
use crate::venue::vm::KernelPairError;
use crate::workload::cluster::ClusterError;

/// Why a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file could not be read.
    #[error("cannot read scenario {path}: {source}")]
    Read {
        /// File.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a scenario.
    #[error("{path} is not a scenario: {source}")]
    Parse {
        /// File.
        path: PathBuf,
        /// Why, with line and column.
        source: Box<toml::de::Error>,
    },
    /// An axis has no value.
    #[error("{axis} is empty: name at least one value")]
    Empty {
        /// Axis.
        axis: &'static str,
    },
    /// N, trials or packets is zero.
    #[error("{axis} must be at least 1, not 0")]
    Zero {
        /// Axis.
        axis: &'static str,
    },
    /// More packets than a trial can send without filling the node's conntrack table.
    #[error("packets must be at most {MOST_PACKETS} a trial, not {asked}: more would fill the node's conntrack table")]
    TooManyPackets {
        /// Asked for.
        asked: u32,
    },
    /// More flows than a trial can open without filling the node's conntrack table.
    #[error(
        "{wish} must be at most {MOST_PACKETS} flows a cell, not {asked}: more would fill the node's conntrack table"
    )]
    TooManyFlows {
        /// What they were asked for: `decisions`, `fairness`.
        wish: &'static str,
        /// Asked for.
        asked: u32,
    },
    /// Packet sizes, but no search that they are for.
    #[error("packet sizes are those of a search for rates: ask for one with --rates")]
    SizesWithoutRates,
    /// Loads of real connections, and none.
    #[error("--connections names loads and none: leave one or the other out")]
    NoneOfLoads,
    /// Mixes of flows, but no search that they are for.
    #[error(
        "a mix of new and established flows (--new-share) is one of a search for rates: ask for one with --rates; timed one by one, \
         packets are of one flow or the other (--flows)"
    )]
    SharesWithoutRates,
    /// More endpoints than a Maglev table can name.
    #[error(
        "endpoints must be at most {MOST_MAGLEV_ENDPOINTS} with --endpoint-choice maglev, not {asked}: a slot of its table names no more"
    )]
    TooManyMaglevEndpoints {
        /// Asked for.
        asked: u32,
    },
    /// More trials than a plan can hold: each is an entry of it before the first packet.
    #[error("trials must be at most {MOST_TRIALS} a cell, not {asked}")]
    TooManyTrials {
        /// Asked for.
        asked: u32,
    },
    /// A gate's scenario asks for what a gate cannot do.
    #[error("a gate counts the instructions of several seeds in the vm: leave `{wish}` out of its scenario")]
    NotForAGate {
        /// What was asked for.
        wish: &'static str,
    },
    /// The kernels and their modules do not pair.
    #[error(transparent)]
    Kernels(#[from] KernelPairError),
    /// Kernels are for the vm only.
    #[error("--kernel is for the vm, and --venue host measures this kernel only: use --venue vm or auto")]
    KernelOnHost,
    /// Kernels are for the vm only.
    #[error("--kernel is for the vm, and --venue sim counts in models, of all of them: use --venue vm")]
    KernelInSim,
    /// The cluster's file could not be read.
    #[error("cannot read the cluster {path}: {source}")]
    ReadCluster {
        /// File.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The cluster's file is not one.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A cluster says itself what a wish asks for.
    #[error("--cluster says what {wish} are: leave --{wish} out")]
    ClusterSays {
        /// What was asked for.
        wish: &'static str,
    },
    /// Endpoints are counted by their index within a service, and imported services have different numbers of them.
    #[error(
        "--decisions counts endpoints of services that have as many each, which those of --cluster have not: leave one out"
    )]
    ClusterDecisions,
    /// What becomes of flows is asked of services with as many endpoints each.
    #[error(
        "--fairness changes the endpoints of services that have as many each, which those of --cluster have not: leave one out"
    )]
    ClusterFairness,
    /// Only a run imports a cluster.
    #[error("only `lbcurve run` imports a cluster: leave `cluster` out of the scenario")]
    ClusterNotHere,
    /// What only an imported cluster has.
    #[error("{wish} is for imported services: name their file with --cluster")]
    NoCluster {
        /// What was asked for.
        wish: &'static str,
    },
    /// More service ports than a run has targets for.
    #[error(
        "{services} service ports, {ports} of the cluster at scale {scale}, are more than the {MOST_SERVICES} of a run"
    )]
    TooLargeScale {
        /// N.
        services: u64,
        /// Service ports of the cluster.
        ports: usize,
        /// The scale.
        scale: u32,
    },
    /// Models count, whatever is asked.
    #[error("--deterministic is for the vm, and --venue sim always counts: leave it out")]
    DeterministicInSim,
}
