//! Where the datapath sends each flow: one packet a flow, and what became of it.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use aya::maps::{Array, MapError};
use datapath_common::decision::{Decision, LEFT, REJECTED};
use datapath_common::frame::FRAME_LEN;
use datapath_common::probe::{AFTER_DROP, COUNT_DECISIONS};
use datapath_common::traffic::GeneratorConfig;

use super::live::{Frames, generator};
use super::order::aya_xdp;
use super::{TrafficError, TrafficOrder, room};
use crate::net::write_sysctl;
use crate::probe::{DECISIONS, Instrument, ProbeError};
use crate::result::{Bracket, Flow};

/// What became of a flow's first packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// It left the node for this destination.
    Left(SocketAddrV4),
    /// The client was told that there is nothing: ICMP destination unreachable or a TCP reset.
    Rejected,
    /// Nothing was seen of it.
    Lost,
}

/// How long nothing may happen before a flow counts as lost: a rejection follows its packet within the same softirq.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);
/// Flows of one sending: in the XDP bracket frames wait in the ring of a veth, which holds 256.
fn at_once(bracket: Bracket) -> usize {
    match bracket {
        Bracket::Tc => usize::MAX,
        Bracket::Xdp => 64,
    }
}

/// Between two looks.
pub(super) const PAUSE: Duration = Duration::from_millis(5);

impl Instrument {
    /// Sends the first packet of each of the order's flows and tells what became of each, in the order of flows. The packets end at the exit,
    /// so no endpoint answers. Limits on how often the node may send ICMP errors are lifted in its namespace.
    ///
    /// # Errors
    /// [`TrafficError`]: the order is none of new flows, or of more than the instrument was attached for.
    pub fn decide(&mut self, order: &TrafficOrder) -> Result<Vec<Fate>, TrafficError> {
        room::check(&self.node, order.flows())?;
        self.fates_of(order, |segment| segment)
    }

    /// Sends a packet of each flow, with the segment that `segment` makes of the one that opens it.
    pub(super) fn fates_of(
        &mut self,
        order: &TrafficOrder,
        segment: impl Fn(u32) -> u32,
    ) -> Result<Vec<Fate>, TrafficError> {
        self.ready_to_decide(order)?;
        let mut fates = Vec::with_capacity(order.packets as usize);
        for part in self.parts(order) {
            self.forget(part.packets)?;
            self.arm(AFTER_DROP, COUNT_DECISIONS, 0)?;
            let config = part.config(part.flows(), &self.client_link, &self.node_client_link);
            let config = GeneratorConfig { segment: segment(config.segment), ..config };
            self.send_untimed(config, part.packets)?;
            fates.extend(self.await_decisions(part.packets)?);
        }
        Ok(fates)
    }

    /// Checks an order of flows that are told apart, and aims at its targets.
    pub(super) fn ready_to_decide(&mut self, order: &TrafficOrder) -> Result<(), TrafficError> {
        let (flows, most) = (order.packets, self.decisions);
        if order.flow != Flow::New || flows > most {
            return Err(TrafficError::Decisions { flow: order.flow, flows, most });
        }
        order.validate(order.flows())?;
        answer_every_flow(self)?;
        self.aim(order)
    }

    /// The order in parts that can be sent at once.
    pub(super) fn parts(&self, order: &TrafficOrder) -> Vec<TrafficOrder> {
        let most = at_once(self.bracket);
        let part = |first: u32| TrafficOrder {
            packets: most.min((order.packets - first) as usize) as u32,
            first_flow: order.first_flow + u64::from(first),
            ..order.clone()
        };
        (0..order.packets).step_by(most).map(part).collect()
    }

    /// As they are timed, but none waits for the one before: a rejected packet never reaches the exit.
    pub(super) fn send_untimed(&mut self, config: GeneratorConfig, packets: u32) -> Result<(), TrafficError> {
        if self.bracket == Bracket::Tc {
            return self.send_one_by_one(config, packets).map(drop);
        }
        self.load_generator(GeneratorConfig { verdict: aya_xdp::TX, ..config })?;
        let _inside = self.client.enter()?;
        Frames { device: &self.client_link, packets, batch: 1, bytes: FRAME_LEN }.send(generator(&mut self.ebpf)?)
    }

    fn forget(&mut self, flows: u32) -> Result<(), ProbeError> {
        (0..flows).try_for_each(|flow| self.set(DECISIONS, flow, Decision::default()))
    }

    fn await_decisions(&self, flows: u32) -> Result<Vec<Fate>, TrafficError> {
        let (mut known, mut since) = (0, Instant::now());
        loop {
            let fates = self.fates(flows)?;
            let decided = fates.iter().filter(|fate| **fate != Fate::Lost).count();
            if decided > known {
                (known, since) = (decided, Instant::now());
            }
            if decided == fates.len() || since.elapsed() > PATIENCE {
                return Ok(fates);
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn fates(&self, flows: u32) -> Result<Vec<Fate>, ProbeError> {
        let refused = |source: MapError| ProbeError::Map { map: DECISIONS, source };
        let map = self.ebpf.map(DECISIONS).ok_or(ProbeError::Missing { kind: "map", name: DECISIONS })?;
        let map = Array::<_, Decision>::try_from(map).map_err(refused)?;
        (0..flows).map(|flow| map.get(&flow, 0).map(fate).map_err(refused)).collect()
    }
}

fn fate(decision: Decision) -> Fate {
    match decision.fate {
        LEFT => {
            let address = Ipv4Addr::from(u32::from_be(decision.addr_be));
            Fate::Left(SocketAddrV4::new(address, u16::from_be(decision.port_be)))
        }
        REJECTED => Fate::Rejected,
        _ => Fate::Lost,
    }
}

/// Linux answers a client with six rejections at once, then one a second (net/ipv4/icmp.c, `icmp_ratemask`): the others would count as lost.
fn answer_every_flow(instrument: &Instrument) -> Result<(), TrafficError> {
    let _inside = instrument.node.enter()?;
    Ok(write_sysctl("net.ipv4.icmp_ratemask", "0")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_read_as_it_was_written() {
        let left = Decision { addr_be: u32::from_ne_bytes([10, 1, 2, 3]), port_be: 8080_u16.to_be(), fate: LEFT };
        assert_eq!(fate(left), Fate::Left(SocketAddrV4::new(Ipv4Addr::new(10, 1, 2, 3), 8080)));
        assert_eq!(fate(Decision { fate: REJECTED, ..Decision::default() }), Fate::Rejected);
        assert_eq!(fate(Decision::default()), Fate::Lost);
    }
}
