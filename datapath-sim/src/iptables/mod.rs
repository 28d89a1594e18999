//! kube-proxy's iptables mode: a rule a service, walked from the first, and a chain of its own for each service and endpoint.
//!
//! kube-proxy programs legacy and nft-backed iptables alike, and the kernel walks both in the same order, so one model stands
//! for both; what a rule costs differs, how many are visited does not.

mod rules;

use std::num::NonZeroU32;

pub(crate) use rules::MASQUERADE;
use rules::RuleSet;

use crate::conntrack::Conntrack;
use crate::netfilter::{Chain, Rule, Rules, TableName, Verdict, Walk};
use crate::random::Random;
use crate::{Addresses, Datapath, Decision, Outcome, Packet, Service};

/// A node in iptables mode.
#[derive(Debug, Clone)]
pub struct Iptables {
    rules: RuleSet,
    conntrack: Conntrack,
    random: Random,
}

impl Iptables {
    /// A node with `services` in order of programming. `seed` rules what the kernel draws.
    #[must_use]
    pub fn new(addresses: Addresses, services: &[Service], seed: u64) -> Self {
        Self::with_ballast(addresses, services, None, seed)
    }

    /// The same with a rule that matches nothing after every so many services, as lbcurve's self-tests program it.
    #[must_use]
    pub fn with_ballast(addresses: Addresses, services: &[Service], ballast: Option<NonZeroU32>, seed: u64) -> Self {
        let rules = RuleSet::new(addresses, services, ballast);
        Self { rules, conntrack: Conntrack::default(), random: Random::new(seed) }
    }

    /// The rules of a chain, in order.
    pub fn rules(&self, table: TableName, chain: Chain) -> impl Iterator<Item = Rule> + '_ {
        self.rules.of(table, chain)
    }
}

impl Datapath for Iptables {
    fn process(&mut self, packet: &Packet) -> Outcome {
        let mut walk = Walk::enter(&self.rules, &mut self.conntrack, &mut self.random, packet);
        walk.prerouting();
        match walk.route_and_filter() {
            Verdict::Drop => return walk.end(Decision::Drop, packet),
            Verdict::Reject => return walk.end(Decision::Reject, packet),
            Verdict::Accept | Verdict::Return => {}
        }
        walk.postrouting(&self.conntrack, self.rules.node());
        walk.leave(&mut self.conntrack, packet)
    }

    fn reply(&mut self, packet: &Packet) -> Outcome {
        self.process(packet)
    }
}

#[cfg(test)]
mod tests;
