//! kube-proxy's IPVS mode: a hash table of services, a scheduler each, and rules and ipsets whose number does not grow.
//!
//! The way of a packet (net/netfilter/ipvs/ip_vs_core.c): before routing the nat table sees that the VIP is a service's and lets it
//! pass; the VIP is an address of the node (on `kube-ipvs0`), so the packet is routed into it; behind the filter table IPVS's hooks look its connection
//! up as an answer, then as a request; where there is none they look the service up, ask its scheduler, and send the packet
//! out through the node's output hooks. Answers of endpoints come through the forward hook.
//!
//! A service that is found but has no destination rejects. Two things are left to the node instead: what comes from FTP's data port,
//! and what FTP's service alone was found for on another port than its own. (kube-proxy's rules reject the second before IPVS sees it.)
//!
//! Not modelled: time (nothing expires), persistence, thresholds of destinations, and the sync and estimator threads.

mod connections;
mod rules;
mod scheduler;
mod services;

use std::net::SocketAddrV4;

pub use scheduler::Scheduler;
pub use services::Table;

use crate::conntrack::{Conntrack, Direction};
use crate::netfilter::{Chain, Rule, Rules, TableName, Verdict, Walk};
use crate::random::Random;
use crate::{Addresses, Datapath, Decision, Outcome, Packet, Service, Steps};
use connections::Connections;
use rules::RuleSet;
use services::{Scheduled, Services};

/// Salt of the connection table's key, which the kernel draws apart from others.
const CONNECTION_KEY: u64 = 0x636f_6e6e;

/// A node in IPVS mode.
#[derive(Debug, Clone)]
pub struct Ipvs {
    rules: RuleSet,
    services: Services,
    connections: Connections,
    conntrack: Conntrack,
    random: Random,
}

impl Ipvs {
    /// A node with `services` in order of programming, all with one scheduler. `seed` rules what the kernel draws, the key of its
    /// connection table included.
    #[must_use]
    pub fn new(addresses: Addresses, services: &[Service], scheduler: Scheduler, table: Table, seed: u64) -> Self {
        Self {
            rules: RuleSet::new(addresses, services),
            services: Services::new(services, scheduler, table),
            connections: Connections::new(Random::new(seed ^ CONNECTION_KEY).next_u32()),
            conntrack: Conntrack::default(),
            random: Random::new(seed),
        }
    }

    /// The rules of a chain, in order.
    pub fn rules(&self, table: TableName, chain: Chain) -> impl Iterator<Item = Rule> + '_ {
        self.rules.of(table, chain)
    }

    /// Active and inactive connections of a service's endpoints, in the order in which the kernel holds them: the last added first.
    #[must_use]
    pub fn connections(&self, service: usize) -> Vec<(SocketAddrV4, u32, u32)> {
        self.services.connections(service)
    }
}

impl Datapath for Ipvs {
    fn process(&mut self, packet: &Packet) -> Outcome {
        let mut walk = Walk::enter(&self.rules, &mut self.conntrack, &mut self.random, packet);
        // A known request keeps the VIP until IPVS translates it; an answer's destination may have been masqueraded.
        if walk.known.is_none_or(|known| known.direction == Direction::Reply) {
            walk.prerouting();
        }
        match walk.route_and_filter() {
            Verdict::Drop => return walk.end(Decision::Drop, packet),
            Verdict::Reject => return walk.end(Decision::Reject, packet),
            Verdict::Accept | Verdict::Return => {}
        }
        self.connections.answer(&walk.packet, &mut walk.steps);
        if walk.is_local() {
            let mark = walk.mark;
            match serve(&mut self.services, &mut self.connections, &walk.packet, mark, &mut walk.steps) {
                Served::Not => {}
                Served::Rejects => return walk.end(Decision::Reject, packet),
                Served::Sends(endpoint) => {
                    walk.packet.destination = endpoint;
                    walk.base(TableName::Filter, Chain::Output);
                }
            }
        }
        walk.postrouting(&self.conntrack, self.rules.node());
        walk.leave(&mut self.conntrack, packet)
    }

    fn reply(&mut self, packet: &Packet) -> Outcome {
        self.process(packet)
    }
}

/// What IPVS's input hook does with a packet.
enum Served {
    /// Nothing: no service's, or one that leaves it to the node.
    Not,
    /// Its service has no destination for it.
    Rejects,
    Sends(SocketAddrV4),
}

fn serve(
    services: &mut Services,
    connections: &mut Connections,
    packet: &Packet,
    mark: bool,
    steps: &mut Steps,
) -> Served {
    if let Some(endpoint) = connections.request(packet, steps) {
        return Served::Sends(endpoint);
    }
    let Some(service) = services.find(packet, mark, steps) else { return Served::Not };
    match services.schedule(service, packet, steps) {
        Scheduled::Left => Served::Not,
        Scheduled::Rejected => Served::Rejects,
        Scheduled::Sent(endpoint) => {
            connections.add(packet, endpoint);
            Served::Sends(endpoint)
        }
    }
}

#[cfg(test)]
mod tests;
