//! Connection tracking and the translations that hang on it (net/netfilter/nf_conntrack_core.c, nf_nat_core.c).
//!
//! A flow is known by the 5-tuple of its first packet and by that of the answer to what became of it. Nothing expires: a model's
//! clock stands still.

use std::net::SocketAddrV4;

use crate::table::HashMap;
use crate::{Packet, Steps};

/// First port that a translated source takes; lower ones are privileged (`nf_nat_l4proto_unique_tuple`).
const FIRST_PORT: u16 = 1024;

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

    /// A source for `translated` whose answers no other flow expects: its own where that is free, else the next port. One probe for
    /// each that is tried.
    pub(crate) fn free_source(&self, translated: Packet, steps: &mut Steps) -> SocketAddrV4 {
        let mut packet = translated;
        for _ in FIRST_PORT..=u16::MAX {
            steps.conntrack_probes += 1;
            if !self.index.contains_key(&packet.reversed()) {
                break;
            }
            packet.source.set_port(packet.source.port().checked_add(1).unwrap_or(FIRST_PORT));
        }
        packet.source
    }

    /// Confirms a new flow that leaves as `translated`: a probe for each direction.
    pub(crate) fn confirm(&mut self, original: Packet, translated: Packet, steps: &mut Steps) {
        steps.conntrack_probes += 2;
        let reply = translated.reversed();
        let flow = self.flows.len();
        self.flows.push(Flow { original, reply, seen_reply: false });
        self.index.insert(original, (flow, Direction::Original));
        self.index.insert(reply, (flow, Direction::Reply));
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
        table.confirm(sent, translated, &mut steps);
        let again = table.find(&sent, &mut steps).expect("known");
        assert!(!again.established && again.dnat && again.translated == translated);
        let answer = table.find(&translated.reversed(), &mut steps).expect("known");
        assert!(answer.established && answer.translated == sent.reversed());
        assert!(table.find(&sent, &mut steps).expect("known").established);
        assert_eq!(steps.conntrack_probes, 6);
    }

    #[test]
    fn a_source_that_is_taken_moves_to_the_next_port() {
        let (mut table, mut steps) = (Conntrack::default(), Steps::default());
        let to = |vip| packet("10.0.0.1:65535", vip);
        let pod = packet("10.0.0.1:65535", "10.128.0.2:8080");
        table.confirm(to("10.64.0.10:80"), pod, &mut steps);
        assert_eq!(table.free_source(pod, &mut steps), "10.0.0.1:1024".parse().expect("an address"));
        assert_eq!(steps.conntrack_probes, 4);
    }
}
