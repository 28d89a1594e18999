//! The counted steps of one packet.

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

impl Steps {
    /// All steps together.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self { routes, conntrack_probes, chains, rules, set_probes, .. } = *self;
        let Self {
            service_probes,
            service_entries,
            connection_probes,
            connection_entries,
            destinations,
            map_probes,
            ..
        } = *self;
        let netfilter = routes + conntrack_probes + chains + rules + set_probes;
        let ipvs = service_probes + service_entries + connection_probes + connection_entries + destinations;
        netfilter + ipvs + map_probes
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
