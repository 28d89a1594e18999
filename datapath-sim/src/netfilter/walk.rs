//! A packet's walk through chains.

use super::{Chain, Rule, Rules, StateMatch, TableName, Target};
use crate::conntrack::Known;
use crate::random::Random;
use crate::{Packet, Steps};

/// Where a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// At the end of a chain, or by `RETURN`.
    Return,
    Accept,
    Drop,
    Reject,
}

/// What NAT rules decided.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Nat {
    pub(crate) destination: Option<std::net::SocketAddrV4>,
    pub(crate) masquerade: bool,
}

/// A packet on its way through a node.
pub(crate) struct Walk<'a, R> {
    pub(crate) rules: &'a R,
    pub(crate) random: &'a mut Random,
    pub(crate) packet: Packet,
    pub(crate) known: Option<Known>,
    pub(crate) mark: bool,
    pub(crate) nat: Nat,
    pub(crate) steps: Steps,
}

impl<R: Rules> Walk<'_, R> {
    /// Through a base chain; one without rules is not hooked in.
    pub(crate) fn base(&mut self, table: TableName, chain: Chain) -> Verdict {
        if self.rules.len(table, chain) == 0 { Verdict::Return } else { self.chain(table, chain) }
    }

    fn chain(&mut self, table: TableName, chain: Chain) -> Verdict {
        self.steps.chains += 1;
        let length = self.rules.len(table, chain);
        let mut at = 0;
        while at < length {
            let next = self.rules.next(table, chain, at, &self.packet).min(length);
            self.steps.rules += (next - at) as u64;
            at = next + 1;
            if next == length {
                break;
            }
            let rule = self.rules.rule(table, chain, next);
            self.steps.rules += 1;
            if self.matches(&rule)
                && let Some(verdict) = self.hit(table, rule.target)
            {
                return verdict;
            }
        }
        Verdict::Return
    }

    /// What a target leads to; `None`: on to the next rule.
    fn hit(&mut self, table: TableName, target: Target) -> Option<Verdict> {
        match target {
            Target::Jump(to) => Some(self.chain(table, to)).filter(|verdict| *verdict != Verdict::Return),
            Target::Accept => Some(Verdict::Accept),
            Target::Drop => Some(Verdict::Drop),
            Target::Reject => Some(Verdict::Reject),
            Target::Return => Some(Verdict::Return),
            Target::Mark => {
                self.mark = true;
                None
            }
            Target::Unmark => {
                self.mark = !self.mark;
                None
            }
            Target::Dnat(to) => {
                self.nat.destination = Some(to);
                Some(Verdict::Accept)
            }
            Target::Masquerade => {
                self.nat.masquerade = true;
                Some(Verdict::Accept)
            }
        }
    }

    fn matches(&mut self, rule: &Rule) -> bool {
        let Packet { source, destination, protocol } = self.packet;
        let addresses = rule.source.is_none_or(|(range, negated)| range.contains(*source.ip()) != negated)
            && rule.destination.is_none_or(|range| range.contains(*destination.ip()))
            && rule.protocol.is_none_or(|wanted| wanted == protocol)
            && rule.port.is_none_or(|port| port == destination.port());
        addresses
            && rule.state.is_none_or(|state| self.state_is(state))
            && rule.mark.is_none_or(|mark| mark == self.mark)
            && (!rule.local || self.rules.is_local(*destination.ip()))
            && rule.set.is_none_or(|set| {
                self.steps.set_probes += 1;
                self.rules.set_holds(set, &self.packet)
            })
            && rule.one_of.is_none_or(|left| drawn(self.random, left))
    }

    fn state_is(&self, wanted: StateMatch) -> bool {
        let established = self.known.is_some_and(|known| known.established);
        match wanted {
            StateMatch::New => !established,
            StateMatch::Invalid => false,
            StateMatch::Established => established,
            StateMatch::NotEstablishedNorDnat => {
                let dnat = self.nat.destination.is_some() || self.known.is_some_and(|known| known.dnat);
                !established && !dnat
            }
        }
    }
}

/// `xt_statistic`'s random mode: 31 random bits below a threshold, which iptables rounds from a probability of ten decimals.
fn drawn(random: &mut Random, left: u32) -> bool {
    let probability = (1e10 / f64::from(left.max(1))).round() / 1e10;
    let threshold = (probability * f64::from(1_u32 << 31)).round();
    f64::from(random.next_u32() >> 1) < threshold
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_so_many_is_drawn() {
        let mut random = Random::new(3);
        for (left, low, high) in [(1, 30_000, 30_000), (2, 14_700, 15_300), (3, 9_700, 10_300), (1_000, 1, 60)] {
            let drawn = (0..30_000).filter(|_| drawn(&mut random, left)).count();
            assert!((low..=high).contains(&drawn), "one of {left}: {drawn} of 30,000");
        }
    }
}
