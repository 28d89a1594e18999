//! The hooks at which translations are decided and applied.

use std::net::Ipv4Addr;

use super::walk::Nat;
use super::{Chain, Rules, TableName, Verdict, Walk};
use crate::conntrack::Conntrack;
use crate::random::Random;
use crate::{Decision, Outcome, Packet, Steps};

impl<'a, R: Rules> Walk<'a, R> {
    /// A packet at its entry; connection tracking has looked it up.
    pub(crate) fn enter(rules: &'a R, conntrack: &mut Conntrack, random: &'a mut Random, packet: &Packet) -> Self {
        let mut steps = Steps::default();
        let known = conntrack.find(packet, &mut steps);
        Self { rules, random, packet: *packet, known, mark: false, nat: Nat::default(), steps }
    }

    /// The hook before routing: a new flow meets the nat table, and its translation must be free; a known one has its destination
    /// translated as before.
    pub(crate) fn prerouting(&mut self) {
        if let Some(known) = self.known {
            self.packet.destination = known.translated.destination;
            return;
        }
        self.base(TableName::Nat, Chain::Prerouting);
        self.steps.conntrack_probes += 1;
        if let Some(destination) = self.nat.destination {
            self.packet.destination = destination;
        }
    }

    /// The route, and the filter table on the way through the node or into it.
    pub(crate) fn route_and_filter(&mut self) -> Verdict {
        self.steps.routes += 1;
        let hook = if self.is_local() { Chain::Input } else { Chain::Forward };
        self.base(TableName::Filter, hook)
    }

    /// Whether the packet is for the node itself, as it is now.
    pub(crate) fn is_local(&self) -> bool {
        self.rules.is_local(*self.packet.destination.ip())
    }

    /// The hook after routing, the counterpart of [`prerouting`](Self::prerouting) for the source. A packet for the node itself passes the
    /// one behind its input instead, where no rule stands.
    pub(crate) fn postrouting(&mut self, conntrack: &Conntrack, node: Ipv4Addr) {
        if let Some(known) = self.known {
            self.packet.source = known.translated.source;
            return;
        }
        if !self.is_local() {
            self.base(TableName::Nat, Chain::Postrouting);
        }
        // kube-proxy masquerades with `--random-fully`.
        let random_fully = self.nat.masquerade;
        if self.nat.masquerade {
            self.packet.source.set_ip(node);
        }
        self.packet.source = conntrack.source(self.packet, random_fully, self.random, &mut self.steps);
    }

    /// What became of a packet that has left: a new flow is confirmed.
    pub(crate) fn leave(mut self, conntrack: &mut Conntrack, original: &Packet) -> Outcome {
        if self.known.is_none() && !conntrack.confirm(*original, self.packet, &mut self.steps) {
            return self.end(Decision::Drop, original);
        }
        let decision = if self.packet.destination == original.destination || self.is_answer() {
            Decision::Route
        } else {
            Decision::Endpoint(self.packet.destination)
        };
        Outcome { decision, packet: self.packet, steps: self.steps }
    }

    fn is_answer(&self) -> bool {
        self.known.is_some_and(|known| known.direction == crate::conntrack::Direction::Reply)
    }

    /// What became of a packet that did not leave.
    pub(crate) fn end(self, decision: Decision, original: &Packet) -> Outcome {
        Outcome { decision, packet: *original, steps: self.steps }
    }
}
