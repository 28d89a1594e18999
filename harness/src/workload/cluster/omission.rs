//! What of a file a workload does not have, and why.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why something was left out, or taken for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Omission {
    /// A DNS name: nothing is programmed for it.
    ExternalName,
    /// `clusterIP: None`: clients find pods by DNS.
    Headless,
    /// Neither a selector nor an EndpointSlice says what is behind it.
    NoSelector,
    /// Its ClusterIP is IPv6 only.
    NoIpv4,
    /// A service without a port.
    NoPorts,
    /// SCTP: generator and responder speak TCP and UDP.
    Sctp,
    /// Node ports, load balancers' and external addresses; the service's ClusterIP is imported.
    Outside,
    /// `sessionAffinity: ClientIP`; the service is imported without it.
    SessionAffinity,
    /// `internalTrafficPolicy: Local`; the service is imported with the endpoints of every node.
    TrafficPolicy,
    /// EndpointSlices of IPv6 or DNS names.
    SliceType,
    /// EndpointSlices of no imported service.
    SliceOfNone,
    /// A DaemonSet's pods, one a node: counted as one.
    DaemonSet,
    /// Objects of other kinds.
    OtherKinds,
}

/// What was left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// Why.
    pub why: Omission,
    /// What, by name (`namespace/name`, a port behind it; of other kinds the kind and how many).
    pub names: Vec<String>,
}

/// Names that a sentence lists.
const LISTED: usize = 6;

impl fmt::Display for Omission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExternalName => "ExternalName services left out, nothing is programmed for them",
            Self::Headless => "headless services left out, clients find their pods by DNS",
            Self::NoSelector => "services without selector and EndpointSlice left out",
            Self::NoIpv4 => "services without an IPv4 ClusterIP left out",
            Self::NoPorts => "services without a port left out",
            Self::Sctp => "SCTP ports left out, packets are TCP or UDP",
            Self::Outside => "node ports, load balancer and external addresses left out, the ClusterIP is imported",
            Self::SessionAffinity => "session affinity left out, the service is imported",
            Self::TrafficPolicy => "internalTrafficPolicy Local left out, endpoints of every node are imported",
            Self::SliceType => "EndpointSlices of IPv6 or names left out",
            Self::SliceOfNone => "EndpointSlices of no imported service left out",
            Self::DaemonSet => "DaemonSets counted as one pod, the file does not say how many nodes there are",
            Self::OtherKinds => "objects of other kinds not looked at",
        })
    }
}

impl fmt::Display for LeftOut {
    /// E.g. `headless services left out, clients find their pods by DNS: 2 (default/db, default/queue)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { why, names } = self;
        let listed = names.get(..LISTED).unwrap_or(names).join(", ");
        let more = names.len().saturating_sub(LISTED);
        write!(f, "{why}: {} ({listed}", names.len())?;
        if more > 0 {
            write!(f, " and {more} more")?;
        }
        f.write_str(")")
    }
}

/// Collects what is left out, by reason.
#[derive(Debug, Default)]
pub(super) struct Omissions(BTreeMap<Omission, Vec<String>>);

impl Omissions {
    pub(super) fn add(&mut self, why: Omission, name: String) {
        self.0.entry(why).or_default().push(name);
    }

    pub(super) fn into_list(self) -> Vec<LeftOut> {
        self.0.into_iter().map(|(why, names)| LeftOut { why, names }).collect()
    }
}
