//! Reachability: what came back from a ClusterIP and from a load balancer's address, and where the packets went.

mod check;

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use check::ReachabilityFault;
pub(super) use check::check;

use super::{Cell, FailureKind, name};

/// The experiments of one backend: a line of `trials.jsonl`, and an entry of `run.json`'s `reachability`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReachabilityRecord {
    /// The cell: its position is the service whose ClusterIP is asked.
    #[serde(flatten)]
    pub cell: Cell,
    /// Index of the trial within its cell, from 0.
    pub trial: u32,
    /// Every attempt, in the order of the experiment.
    pub attempts: Vec<Attempt>,
}

/// Some packets or connections to one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// What was asked.
    #[serde(flatten)]
    pub asked: Question,
    /// Echo requests, or connections that were begun.
    pub sent: u64,
    /// Of these, with an echo reply or a whole and right answer.
    pub answered: u64,
    /// Of the others, those that a message of ICMP came back for, by type and code.
    pub icmp: Vec<IcmpError>,
    /// Of the others, those that failed in a way that the sender saw.
    pub failures: BTreeMap<FailureKind, u64>,
    /// Where they arrived: echo requests that a namespace received for itself, connections that it answered.
    pub arrived: Arrivals,
    /// IP packets that the node sent to the network outside meanwhile.
    pub left: u64,
}

/// What tells one attempt of a backend from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Question {
    /// Whom.
    pub to: Destination,
    /// From where.
    pub from: Origin,
    /// With which filter rules.
    pub rules: FilterRules,
    /// Whether the service had the load balancer's address by then.
    pub exposed: bool,
}

/// Whom an attempt asks.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Destination {
    /// Ping of a pod's address: the control, which must come back.
    Pod,
    /// Ping of a ClusterIP.
    ClusterIp,
    /// A connection to the load balancer's address, at the Ingress's port, which is no port of the service.
    Ingress,
    /// A connection to the load balancer's address, at the service's port.
    Service,
}

/// From where an attempt is made.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A client inside the cluster, whose packets the node forwards.
    Client,
    /// The node itself.
    Node,
}

/// Whether the filter rules are there that kube-proxy did not have before v1.27 (IPVS: `KUBE-IPVS-FILTER` and `KUBE-IPVS-OUT-FILTER`;
/// iptables: `KUBE-PROXY-FIREWALL`; nftables: `cluster-ips-check`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum FilterRules {
    /// As kube-proxy 1.36 programs them.
    Kept,
    /// Taken out.
    Removed,
}

/// A message of ICMP that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct IcmpError {
    /// Type, 3 where the destination cannot be reached.
    pub icmp_type: u8,
    /// Code; of type 3: 0 network, 1 host, 3 port unreachable, 13 prohibited.
    pub code: u8,
    /// How often.
    pub count: u64,
}

/// Where an attempt's packets or connections arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Arrivals {
    /// The node itself.
    pub node: u64,
    /// The pods' namespace.
    pub pods: u64,
    /// The namespace outside, which has the load balancer's address.
    pub outside: u64,
}

/// Every trial once, in order of cell and index. Of one that was recorded twice the last counts.
pub(crate) fn last_of_each(records: &[ReachabilityRecord]) -> Vec<ReachabilityRecord> {
    let by_identity: BTreeMap<_, _> = records.iter().map(|record| ((&record.cell, record.trial), record)).collect();
    by_identity.into_values().cloned().collect()
}

impl Origin {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Client, Self::Node];
}

impl ReachabilityRecord {
    /// The attempt that asked so.
    #[must_use]
    pub fn attempt(&self, asked: Question) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.asked == asked)
    }

    /// Why the experiment from `from` shows nothing: a control that did not come back. `None` where all did.
    #[must_use]
    pub fn invalid(&self, from: Origin) -> Option<String> {
        let mut failed = self.attempts.iter().filter(|attempt| attempt.asked.from == from && attempt.failed_control());
        failed.next().map(|attempt| {
            let Attempt { asked, sent, answered, .. } = attempt;
            format!("the control failed: {answered} of {sent} answers, {asked}")
        })
    }
}

impl Question {
    /// Whether it must be answered, and by whom is known: a pod, or the load balancer before the service has its address.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.to == Destination::Pod || (self.to == Destination::Ingress && !self.exposed)
    }
}

impl Attempt {
    /// Whether it is a control, and not every answer came from where it must.
    fn failed_control(&self) -> bool {
        let arrived = if self.asked.to == Destination::Pod { self.arrived.pods } else { self.arrived.outside };
        self.asked.is_control() && (self.answered != self.sent || arrived != self.sent)
    }

    /// Those of which nothing came back.
    #[must_use]
    pub fn silent(&self) -> u64 {
        let seen = self.icmp.iter().map(|error| error.count).chain(self.failures.values().copied());
        self.sent.saturating_sub(seen.fold(self.answered, u64::saturating_add))
    }

    /// What came back in place of answers, in words: `3 ICMP 3/3 (port unreachable), 2 silent`.
    #[must_use]
    pub fn came_back(&self) -> String {
        let mut parts: Vec<_> = self.icmp.iter().map(ToString::to_string).collect();
        parts.extend(self.failures.iter().map(|(kind, count)| format!("{count} {}", name(kind))));
        parts.extend((self.silent() > 0).then(|| format!("{} silent", self.silent())));
        if parts.is_empty() { "nothing else".to_owned() } else { parts.join(", ") }
    }

    /// Where the packets went, in words.
    #[must_use]
    pub fn went_to(&self) -> String {
        let Arrivals { node, pods, outside } = self.arrived;
        let places = [("node", node), ("pods", pods), ("load balancer", outside)];
        let found: Vec<_> = places.iter().filter(|(_, count)| *count > 0).map(|(place, _)| *place).collect();
        match (found.is_empty(), self.left > 0) {
            (false, _) => found.join(", "),
            (true, true) => "out of the node, to nobody".to_owned(),
            (true, false) => "no further than the node".to_owned(),
        }
    }
}

impl fmt::Display for IcmpError {
    /// E.g. `5 ICMP 3/3 (port unreachable)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { icmp_type, code, count } = self;
        write!(f, "{count} ICMP {icmp_type}/{code}")?;
        match (icmp_type, code) {
            (3, 0) => f.write_str(" (network unreachable)"),
            (3, 1) => f.write_str(" (host unreachable)"),
            (3, 3) => f.write_str(" (port unreachable)"),
            (3, 9 | 10 | 13) => f.write_str(" (prohibited)"),
            (11, _) => f.write_str(" (time exceeded)"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pod => "ping of a pod",
            Self::ClusterIp => "ping of the ClusterIP",
            Self::Ingress => "load balancer's address, Ingress's port",
            Self::Service => "load balancer's address, service's port",
        })
    }
}

impl fmt::Display for FilterRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kept => "as 1.36",
            Self::Removed => "without the filter",
        })
    }
}

impl fmt::Display for Question {
    /// E.g. `ping of the ClusterIP from client, rules as 1.36`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { to, from, rules, exposed } = self;
        write!(f, "{to} from {}, rules {rules}", name(from))?;
        match (to, exposed) {
            (Destination::Ingress, false) => f.write_str(", before the service has the address"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(to: Destination, exposed: bool, answered: u64, arrived: Arrivals) -> Attempt {
        let asked = Question { to, from: Origin::Node, rules: FilterRules::Kept, exposed };
        Attempt { asked, sent: 5, answered, icmp: Vec::new(), failures: BTreeMap::new(), arrived, left: 0 }
    }

    #[test]
    fn a_control_counts_where_all_of_it_came_from_where_it_must() {
        let pods = Arrivals { pods: 5, ..Arrivals::default() };
        let outside = Arrivals { outside: 5, ..Arrivals::default() };
        assert!(!attempt(Destination::Pod, false, 5, pods).failed_control());
        assert!(attempt(Destination::Pod, false, 4, pods).failed_control());
        assert!(attempt(Destination::Pod, false, 5, outside).failed_control());
        assert!(!attempt(Destination::Ingress, false, 5, outside).failed_control());
        assert!(attempt(Destination::Ingress, false, 5, pods).failed_control());
        // What is under test may go anywhere.
        assert!(!attempt(Destination::Ingress, true, 0, pods).failed_control());
        assert!(!attempt(Destination::ClusterIp, false, 0, pods).failed_control());
    }

    #[test]
    fn what_came_back_adds_up() {
        let mut attempt = attempt(Destination::ClusterIp, false, 1, Arrivals::default());
        attempt.icmp.push(IcmpError { icmp_type: 3, code: 3, count: 2 });
        attempt.failures.insert(FailureKind::Refused, 1);
        assert_eq!(attempt.silent(), 1);
        assert_eq!(attempt.came_back(), "2 ICMP 3/3 (port unreachable), 1 refused, 1 silent");
        assert_eq!(attempt.went_to(), "no further than the node");
        attempt.left = 1;
        assert_eq!(attempt.went_to(), "out of the node, to nobody");
    }
}
