//! Connection tracking and the translations that hang on it (net/netfilter/nf_conntrack_core.c, nf_nat_core.c).
//!
//! A flow is known by the 5-tuple of its first packet and by that of the answer to what became of it. Nothing expires: a model's
//! clock stands still.
//!
//! Not modelled, where a source is taken: that a masquerade without `--random-fully` keeps the port which its client's other flows got
//! (`find_appropriate_src`), that newer kernels take over the port of a closing connection (`nf_nat_used_tuple_harder`), and that two flows which
//! clash may be made one (`nf_ct_resolve_clash`).

use std::net::SocketAddrV4;

use crate::random::Random;
use crate::table::HashMap;
use crate::{Packet, Steps};

/// Ports that are tried one after another, in the first round (`max_attempts` in `nf_nat_l4proto_unique_tuple`).
const FIRST_ROUND: u32 = 128;
/// A round of fewer is the last.
const LAST_ROUND: u32 = 16;

/// Which way a packet of a known flow goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Original,
    Reply,
}

/// A flow: its first packet as it came, and the answer as it will come.
#[derive(Debug, Clone, Copy)]
struct Flow {
    original: Packet,
    reply: Packet,
    /// Whether the answer has been seen, from when on the flow is established.
    seen_reply: bool,
}

/// A packet of a known flow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) direction: Direction,
    /// Whether both directions have been seen.
    pub(crate) established: bool,
    /// The packet as it leaves.
    pub(crate) translated: Packet,
    /// Whether the flow's destination was translated.
    pub(crate) dnat: bool,
}

/// The table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conntrack {
    flows: Vec<Flow>,
    index: HashMap<Packet, (usize, Direction)>,
}

impl Conntrack {
    /// Looks a packet up: one probe. An answer establishes its flow.
    pub(crate) fn find(&mut self, packet: &Packet, steps: &mut Steps) -> Option<Known> {
        steps.conntrack_probes += 1;
        let (flow, direction) = *self.index.get(packet)?;
        let flow = &mut self.flows[flow];
        let translated = match direction {
            Direction::Original => flow.reply.reversed(),
            Direction::Reply => {
                flow.seen_reply = true;
                flow.original.reversed()
            }
        };
        let dnat = flow.original.destination != flow.reply.source;
        Some(Known { direction, established: flow.seen_reply, translated, dnat })
    }

    /// The source of a new flow that leaves as `translated` (`get_unique_tuple`): its own where no other flow expects its answers, else,
    /// and with `random_fully` at once, one that is drawn. One probe for each that is tried.
    pub(crate) fn source(
        &self,
        translated: Packet,
        random_fully: bool,
        random: &mut Random,
        steps: &mut Steps,
    ) -> SocketAddrV4 {
        if !random_fully {
            // As it came, and once more after the address has been chosen, which can be only that one.
            for _ in 0..2 {
                if self.is_free(&translated, steps) {
                    return translated.source;
                }
            }
        }
        self.drawn_source(translated, random, steps)
    }

    /// `nf_nat_l4proto_unique_tuple()`: ports in a row from a random one on, in rounds that get shorter. Where all that it tried are taken
    /// the last one is left, and [`confirm`](Self::confirm) refuses the flow.
    fn drawn_source(&self, mut packet: Packet, random: &mut Random, steps: &mut Steps) -> SocketAddrV4 {
        let (first, ports) = like(packet.source.port());
        let mut attempts = FIRST_ROUND;
        loop {
            let mut offset = random.next_u32() as u16;
            for _ in 0..attempts {
                packet.source.set_port(first + offset % ports);
                if self.is_free(&packet, steps) {
                    return packet.source;
                }
                offset = offset.wrapping_add(1);
            }
            if attempts < LAST_ROUND {
                return packet.source;
            }
            attempts /= 2;
        }
    }

    /// `nf_nat_used_tuple()`: whether no flow expects the answers of `translated`.
    fn is_free(&self, translated: &Packet, steps: &mut Steps) -> bool {
        steps.conntrack_probes += 1;
        !self.index.contains_key(&translated.reversed())
    }

    /// Confirms a new flow that leaves as `translated`: a probe for each direction. `false` where another flow expects its answers: the
    /// packet is dropped then (`__nf_conntrack_confirm`).
    #[must_use]
    pub(crate) fn confirm(&mut self, original: Packet, translated: Packet, steps: &mut Steps) -> bool {
        steps.conntrack_probes += 2;
        let reply = translated.reversed();
        if self.index.contains_key(&reply) {
            return false;
        }
        let flow = self.flows.len();
        self.flows.push(Flow { original, reply, seen_reply: false });
        self.index.insert(original, (flow, Direction::Original));
        self.index.insert(reply, (flow, Direction::Reply));
        true
    }
}

/// The ports among which a source is drawn, first and number: as privileged as the one it had, by a loose convention.
fn like(port: u16) -> (u16, u16) {
    match port {
        0..512 => (1, 511),
        512..1024 => (600, 424),
        _ => (1024, 64_512),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Protocol;

    fn packet(source: &str, destination: &str) -> Packet {
        let address = |text: &str| text.parse().expect("an address");
        Packet { source: address(source), destination: address(destination), protocol: Protocol::Udp }
    }

    #[test]
    fn a_flow_is_established_by_its_answer() {
        let (mut table, mut steps) = (Conntrack::default(), Steps::default());
        let sent = packet("10.0.0.1:1000", "10.64.0.10:80");
        assert!(table.find(&sent, &mut steps).is_none());
        let translated = packet("10.0.0.1:1000", "10.128.0.2:8080");
        assert!(table.confirm(sent, translated, &mut steps));
        let again = table.find(&sent, &mut steps).expect("known");
        assert!(!again.established && again.dnat && again.translated == translated);
        let answer = table.find(&translated.reversed(), &mut steps).expect("known");
        assert!(answer.established && answer.translated == sent.reversed());
        assert!(table.find(&sent, &mut steps).expect("known").established);
        assert_eq!(steps.conntrack_probes, 6);
    }

    const POD: &str = "10.128.0.2:8080";

    /// A table in which these source ports are taken towards the pod, and a flow more.
    fn taken(ports: impl Iterator<Item = u16>) -> (Conntrack, Packet) {
        let mut table = Conntrack::default();
        let sent = |port: u16, to: &str| packet(&format!("10.0.0.1:{port}"), to);
        for port in ports {
            assert!(table.confirm(sent(port, "10.64.0.10:80"), sent(port, POD), &mut Steps::default()));
        }
        (table, sent(40_000, POD))
    }

    fn port(table: &Conntrack, sent: Packet, random_fully: bool, seed: u64) -> (u16, u64) {
        let mut steps = Steps::default();
        let source = table.source(sent, random_fully, &mut Random::new(seed), &mut steps);
        (source.port(), steps.conntrack_probes)
    }

    #[test]
    fn a_source_that_is_free_stays_unless_it_is_to_be_random() {
        let (table, sent) = taken(std::iter::empty());
        assert_eq!(port(&table, sent, false, 1), (40_000, 1));
        let ports: std::collections::BTreeSet<_> = (0..50).map(|seed| port(&table, sent, true, seed)).collect();
        assert!(ports.len() > 45 && ports.iter().all(|(port, probes)| *port >= 1024 && *probes == 1), "{ports:?}");
    }

    #[test]
    fn a_source_that_is_taken_moves_to_a_port_from_a_random_one_on() {
        let (table, sent) = taken(40_000..=40_000);
        let drawn = |seed| 1024 + Random::new(seed).next_u32() as u16 % 64_512;
        for seed in 0..50 {
            assert_eq!(port(&table, sent, false, seed), (drawn(seed), 3));
        }
        // The three ports from the drawn one on are taken too.
        let (table, sent) = taken((drawn(1)..).take(3).chain(40_000..=40_000));
        assert_eq!(port(&table, sent, false, 1), (drawn(1) + 3, 6));
    }

    #[test]
    fn ports_stay_as_privileged_as_they_were() {
        let (table, sent) = taken(std::iter::empty());
        let from = |port: u16| Packet { source: SocketAddrV4::new(*sent.source.ip(), port), ..sent };
        let mut random = Random::new(2);
        let mut drawn = |port| table.source(from(port), true, &mut random, &mut Steps::default()).port();
        assert!((0..2_000).all(|_| (1..512).contains(&drawn(80))));
        assert!((0..2_000).all(|_| (600..1024).contains(&drawn(512))));
        assert!((0..2_000).all(|_| (1024..=u16::MAX).contains(&drawn(1024))));
    }

    /// 128 ports, then 64, 32, 16 and 8.
    #[test]
    fn where_all_that_are_tried_are_taken_the_flow_is_refused() {
        let (mut table, sent) = taken(1024..=u16::MAX);
        let (last, probes) = port(&table, sent, true, 3);
        assert_eq!(probes, 248);
        let again = Packet { source: SocketAddrV4::new(*sent.source.ip(), last), ..sent };
        assert!(!table.confirm(packet("10.0.0.1:40000", "10.64.0.11:80"), again, &mut Steps::default()));
    }
}
