//! kube-proxy's nftables mode (pkg/proxy/nftables/proxier.go): verdict maps lead to a chain a service, which draws an endpoint by
//! number.
//!
//! Sets and maps are hash tables that grow with their entries (net/netfilter/nft_set_hash.c), so a lookup is counted as one
//! probe: entries that share a bucket are not modelled. The drawn number is looked up in the service's own map: one probe more.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::conntrack::Conntrack;
use crate::netfilter::{Chain, Rule, Rules, TableName, Verdict, Walk};
use crate::random::Random;
use crate::table::{HashMap, HashSet, map_for};
use crate::{Addresses, Datapath, Decision, Endpoint, Outcome, Packet, Protocol, Service};

/// The sets and maps of the table.
#[derive(Debug, Clone)]
struct Sets {
    addresses: Addresses,
    /// `service-ips` with each service's endpoints in kube-proxy's order; without any it stands in `no-endpoint-services`.
    services: HashMap<(SocketAddrV4, Protocol), Vec<SocketAddrV4>>,
    cluster_ips: HashSet<Ipv4Addr>,
}

impl Sets {
    fn new(addresses: Addresses, services: &[Service]) -> Self {
        let mut sets = Self {
            addresses,
            services: map_for(services.len()),
            cluster_ips: services.iter().map(|service| *service.address.ip()).collect(),
        };
        for service in services {
            let mut endpoints: Vec<_> = service.endpoints.iter().map(|Endpoint { address, .. }| *address).collect();
            endpoints.sort_by_cached_key(ToString::to_string);
            sets.services.entry((service.address, service.protocol)).or_insert(endpoints);
        }
        sets
    }

    fn endpoints(&self, packet: &Packet) -> Option<&[SocketAddrV4]> {
        self.services.get(&(packet.destination, packet.protocol)).map(Vec::as_slice)
    }
}

/// The mode has no rules of the iptables kind: a [`Walk`] carries its packets, and its own chains are below.
impl Rules for Sets {
    fn len(&self, _table: TableName, _chain: Chain) -> usize {
        0
    }

    fn rule(&self, _table: TableName, _chain: Chain, _at: usize) -> Rule {
        Rule::all(crate::netfilter::Target::Return)
    }

    fn is_local(&self, address: Ipv4Addr) -> bool {
        self.addresses.is_local(address)
    }
}

/// A node in nftables mode.
#[derive(Debug, Clone)]
pub struct Nftables {
    sets: Sets,
    conntrack: Conntrack,
    random: Random,
}

impl Nftables {
    /// A node with `services`. `seed` rules what the kernel draws.
    #[must_use]
    pub fn new(addresses: Addresses, services: &[Service], seed: u64) -> Self {
        Self { sets: Sets::new(addresses, services), conntrack: Conntrack::default(), random: Random::new(seed) }
    }
}

impl Datapath for Nftables {
    fn process(&mut self, packet: &Packet) -> Outcome {
        let mut walk = Walk::enter(&self.sets, &mut self.conntrack, &mut self.random, packet);
        walk.firewall_check();
        if walk.known.is_none() {
            walk.services();
        }
        walk.prerouting();
        walk.route_and_filter();
        match walk.endpoints_and_cluster_ips() {
            Verdict::Drop => return walk.end(Decision::Drop, packet),
            Verdict::Reject => return walk.end(Decision::Reject, packet),
            Verdict::Accept | Verdict::Return => {}
        }
        if walk.known.is_none() && !walk.is_local() {
            walk.masquerading();
        }
        walk.postrouting(&self.conntrack, self.sets.addresses.node);
        walk.leave(&mut self.conntrack, packet)
    }

    fn reply(&mut self, packet: &Packet) -> Outcome {
        self.process(packet)
    }
}

impl Walk<'_, Sets> {
    fn chain_entered(&mut self) {
        self.steps.chains += 1;
    }

    fn rule(&mut self, probes: u64) {
        self.steps.rules += 1;
        self.steps.set_probes += probes;
    }

    fn is_new(&self) -> bool {
        self.known.is_none_or(|known| !known.established)
    }

    /// `filter-prerouting-pre-dnat`, and for a new flow `firewall-check`: no LoadBalancer service has source ranges.
    fn firewall_check(&mut self) {
        self.chain_entered();
        self.rule(0);
        if self.is_new() {
            self.chain_entered();
            self.rule(1);
        }
    }

    /// `nat-prerouting` and `services`.
    fn services(&mut self) {
        self.chain_entered();
        self.rule(0);
        self.chain_entered();
        self.rule(1);
        let (source, destination) = (self.packet.source, self.packet.destination);
        if self.rules.cluster_ips.contains(destination.ip()) && !self.rules.addresses.cluster.contains(*source.ip()) {
            self.mark = true;
        }
        self.rule(1);
        match self.rules.endpoints(&self.packet) {
            Some(endpoints) if !endpoints.is_empty() => self.service(endpoints.len()),
            // `@nodeport-ips`, and where that holds the address, `@service-nodeports`, which holds nothing.
            _ => self.rule(if *destination.ip() == self.rules.addresses.node { 2 } else { 1 }),
        }
    }

    /// A service's own chain: a number is drawn, and its map says whose it is.
    fn service(&mut self, endpoints: usize) {
        self.chain_entered();
        self.rule(1);
        let drawn = self.random.below(u32::try_from(endpoints).unwrap_or(u32::MAX)) as usize;
        self.nat.destination = self.rules.endpoints(&self.packet).and_then(|endpoints| endpoints.get(drawn)).copied();
    }

    /// `filter-forward` or `filter-input`, with the checks that they lead new flows to.
    fn endpoints_and_cluster_ips(&mut self) -> Verdict {
        self.chain_entered();
        let local = self.is_local();
        if local {
            self.input_check();
        }
        self.rule(0);
        if self.is_new() {
            self.chain_entered();
            self.rule(1);
            if self.rules.endpoints(&self.packet).is_some_and(<[_]>::is_empty) {
                self.chain_entered();
                self.rule(0);
                return Verdict::Reject;
            }
        }
        if local { Verdict::Return } else { self.cluster_ips_check() }
    }

    /// `nodeport-endpoints-check`.
    fn input_check(&mut self) {
        self.rule(0);
        if self.is_new() {
            self.chain_entered();
            self.rule(if *self.packet.destination.ip() == self.rules.addresses.node { 2 } else { 1 });
        }
    }

    /// `cluster-ips-check`: no other port of a VIP is answered, and no address of the service range that nobody has.
    fn cluster_ips_check(&mut self) -> Verdict {
        self.rule(0);
        if !self.is_new() {
            return Verdict::Return;
        }
        self.chain_entered();
        self.rule(1);
        let destination = *self.packet.destination.ip();
        if self.rules.cluster_ips.contains(&destination) {
            return Verdict::Reject;
        }
        // A range alone is compared, not looked up (`nft` turns a set of one range into a comparison).
        self.rule(0);
        if self.rules.addresses.services.contains(destination) { Verdict::Drop } else { Verdict::Return }
    }

    /// `nat-postrouting` and `masquerading`: what is marked, and what comes back to where it left from (`@hairpin-connections`, which
    /// holds entries of endpoints on this node only: none here).
    fn masquerading(&mut self) {
        self.chain_entered();
        self.rule(0);
        self.chain_entered();
        self.rule(0);
        if self.mark {
            self.nat.masquerade = true;
            return;
        }
        self.rule(u64::from(self.nat.destination.is_some()));
    }
}

#[cfg(test)]
mod tests;
