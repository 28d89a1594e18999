//! The counted steps of one packet.

use std::fmt;
use std::ops::{Add, AddAssign};

/// How often a packet visited which kind of data structure. What a model counts beyond this is nothing: no parsing, no checksums,
/// no locks, no devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub struct Steps {
    /// Lookups of a route.
    pub routes: u64,
    /// Buckets of the connection tracking table looked up: one a packet, and for a new flow those that confirm it and that find
    /// its translation free.
    pub conntrack_probes: u64,
    /// Chains entered, the base chains included that hold a rule.
    pub chains: u64,
    /// Rules evaluated, matching or not.
    pub rules: u64,
    /// Lookups in ipsets, and in sets and maps of nftables: hash tables that grow with their entries.
    pub set_probes: u64,
    /// Buckets of IPVS's service table looked up.
    pub service_probes: u64,
    /// Services passed in those buckets, the one that matches included.
    pub service_entries: u64,
    /// Buckets of IPVS's connection table looked up.
    pub connection_probes: u64,
    /// Connections passed in those buckets, the one that matches included.
    pub connection_entries: u64,
    /// Destinations that an IPVS scheduler looked at.
    pub destinations: u64,
    /// Lookups and insertions in BPF maps.
    pub map_probes: u64,
}

/// What is counted: a kind for each field of [`Steps`]. Written as one step of it: `a rule visited`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepKind {
    /// [`Steps::routes`].
    Route,
    /// [`Steps::conntrack_probes`].
    ConntrackProbe,
    /// [`Steps::chains`].
    Chain,
    /// [`Steps::rules`].
    Rule,
    /// [`Steps::set_probes`].
    SetProbe,
    /// [`Steps::service_probes`].
    ServiceProbe,
    /// [`Steps::service_entries`].
    ServiceEntry,
    /// [`Steps::connection_probes`].
    ConnectionProbe,
    /// [`Steps::connection_entries`].
    ConnectionEntry,
    /// [`Steps::destinations`].
    Destination,
    /// [`Steps::map_probes`].
    MapProbe,
}

impl StepKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Route,
        Self::ConntrackProbe,
        Self::Chain,
        Self::Rule,
        Self::SetProbe,
        Self::ServiceProbe,
        Self::ServiceEntry,
        Self::ConnectionProbe,
        Self::ConnectionEntry,
        Self::Destination,
        Self::MapProbe,
    ];
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Route => "a route looked up",
            Self::ConntrackProbe => "a conntrack bucket looked up",
            Self::Chain => "a chain entered",
            Self::Rule => "a rule visited",
            Self::SetProbe => "a set looked up",
            Self::ServiceProbe => "a bucket of services looked up",
            Self::ServiceEntry => "a bucket entry passed",
            Self::ConnectionProbe => "a bucket of connections looked up",
            Self::ConnectionEntry => "a connection passed",
            Self::Destination => "a destination looked at",
            Self::MapProbe => "a map looked up",
        })
    }
}

impl Steps {
    /// All steps together.
    #[must_use]
    pub fn total(&self) -> u64 {
        StepKind::ALL.into_iter().map(|kind| self.of(kind)).sum()
    }

    /// Those of one kind.
    #[must_use]
    pub fn of(&self, kind: StepKind) -> u64 {
        match kind {
            StepKind::Route => self.routes,
            StepKind::ConntrackProbe => self.conntrack_probes,
            StepKind::Chain => self.chains,
            StepKind::Rule => self.rules,
            StepKind::SetProbe => self.set_probes,
            StepKind::ServiceProbe => self.service_probes,
            StepKind::ServiceEntry => self.service_entries,
            StepKind::ConnectionProbe => self.connection_probes,
            StepKind::ConnectionEntry => self.connection_entries,
            StepKind::Destination => self.destinations,
            StepKind::MapProbe => self.map_probes,
        }
    }
}

impl Add for Steps {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            routes: self.routes + other.routes,
            conntrack_probes: self.conntrack_probes + other.conntrack_probes,
            chains: self.chains + other.chains,
            rules: self.rules + other.rules,
            set_probes: self.set_probes + other.set_probes,
            service_probes: self.service_probes + other.service_probes,
            service_entries: self.service_entries + other.service_entries,
            connection_probes: self.connection_probes + other.connection_probes,
            connection_entries: self.connection_entries + other.connection_entries,
            destinations: self.destinations + other.destinations,
            map_probes: self.map_probes + other.map_probes,
        }
    }
}

impl AddAssign for Steps {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_leaves_nothing_out() {
        let one = Steps {
            routes: 1,
            conntrack_probes: 10,
            chains: 100,
            rules: 1_000,
            set_probes: 10_000,
            service_probes: 100_000,
            service_entries: 1_000_000,
            connection_probes: 10_000_000,
            connection_entries: 100_000_000,
            destinations: 1_000_000_000,
            map_probes: 10_000_000_000,
        };
        assert_eq!(one.total(), 11_111_111_111);
        assert_eq!((one + one).total(), 22_222_222_222);
    }
}
