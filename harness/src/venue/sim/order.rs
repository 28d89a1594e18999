//! The packets of one trial, through a model.

use std::net::{Ipv4Addr, SocketAddrV4};

use datapath_common::flow::{client_of, target_of};
use datapath_sim::{Datapath, Decision, Packet};

use super::SimError;
use super::datapath::{Site, protocol};
use super::tally::Tally;
use crate::result::{Cell, DecisionRecord, Flow, Position};
use crate::run::decide;
use crate::run::measure::targets;
use crate::run::plan::{Measure, Setup};
use crate::traffic::{Fate, TrafficOrder};

/// Packets that the generator would write (`datapath-ebpf`, `generator.rs`), of an order that it would take.
#[derive(Debug)]
pub(super) struct Order<'a> {
    site: &'a Site,
    traffic: TrafficOrder,
    trial: u32,
}

impl<'a> Order<'a> {
    /// The order of a measure.
    ///
    /// # Errors
    /// [`SimError::Order`]: no target or packet, or more flows than clients have ports.
    pub(super) fn new(
        seed: u64,
        setup: &Setup,
        site: &'a Site,
        measure: &Measure,
        (flow, position): (Flow, Position),
    ) -> Result<Self, SimError> {
        let traffic = TrafficOrder {
            flow,
            protocol: setup.protocol,
            targets: targets(&site.workload, setup.protocol, position, seed),
            packets: measure.packets,
            first_flow: measure.first_flow,
            seed: seed ^ measure.first_flow,
            clients: site.workload.addresses.client_range,
        };
        traffic.validate(traffic.flows())?;
        Ok(Self { site, traffic, trial: measure.trial })
    }

    /// The packet of a flow.
    fn packet(&self, flow: u64) -> Packet {
        let TrafficOrder { protocol: of, targets, seed, clients, .. } = &self.traffic;
        let (client, port) = client_of(flow, u32::from(clients.network()) + 1);
        let count = u32::try_from(targets.len()).unwrap_or(u32::MAX);
        let destination = targets[target_of(flow, *seed, count) as usize];
        Packet { source: SocketAddrV4::new(Ipv4Addr::from(client), port), destination, protocol: protocol(*of) }
    }

    /// The packets of so many flows in turn.
    pub(super) fn packets(&self, packets: u64) -> impl Iterator<Item = Packet> {
        let flows = self.traffic.flows();
        (0..packets).map(move |at| self.packet(self.traffic.first_flow + at % flows))
    }

    /// Counts the steps of every packet; established flows are opened before.
    pub(super) fn send(&self, node: &mut dyn Datapath, setup: &Setup) -> Result<Tally, SimError> {
        if self.traffic.flow == Flow::Established {
            for packet in self.packets(self.traffic.flows()) {
                open(node, &packet, setup)?;
            }
        }
        let packets = u64::from(self.traffic.packets);
        let mut tally = Tally::new(packets)?;
        for packet in self.packets(packets) {
            tally.add(node, &packet, self.site)?;
        }
        Ok(tally)
    }

    /// Where each flow goes, judged as in the other venues.
    pub(super) fn decide(&self, node: &mut dyn Datapath, cell: Cell) -> Result<DecisionRecord, SimError> {
        let fate = |packet| {
            let outcome = node.process(&packet);
            match outcome.decision {
                Decision::Reject => Fate::Rejected,
                Decision::Drop => Fate::Lost,
                Decision::Endpoint(_) | Decision::Route => Fate::Left(outcome.packet.destination),
            }
        };
        let fates: Vec<_> = self.packets(self.traffic.flows()).map(fate).collect();
        let reached = decide::reached(&self.site.workload, &self.traffic, &fates);
        decide::record(cell, self.trial, &self.traffic, &reached).map_err(SimError::Decisions)
    }
}

/// Sends a flow's first packet and has it answered: its datapath has then seen both directions.
fn open(node: &mut dyn Datapath, packet: &Packet, setup: &Setup) -> Result<(), SimError> {
    let there = node.process(packet);
    let back = node.reply(&there.packet.reversed());
    if back.packet == packet.reversed() {
        return Ok(());
    }
    let (left, service) = (back.packet.source, packet.destination);
    Err(SimError::NotAnswered { backend: setup.backend, services: setup.services, left, service })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{BackendKind, Bracket};
    use crate::run::plan::MeasureKind;
    use crate::run::scenario::Wishes;
    use crate::traffic::TrafficError;
    use crate::workload::{Protocol, VipLayout, Workload};

    #[test]
    fn what_no_generator_would_send_is_refused_and_not_passed_over() {
        let scenario = Wishes::default().resolve().unwrap();
        let setup = |endpoints| Setup {
            backend: BackendKind::Nftables,
            bracket: Bracket::Tc,
            layout: VipLayout::Sequential,
            protocol: Protocol::Udp,
            services: 2,
            endpoints,
        };
        let (flow, position) = (Flow::New, Position::Missing);
        let measure = Measure { kind: MeasureKind::Traversal { flow, position }, trial: 0, packets: 9, first_flow: 0 };
        let refused = |endpoints: u32, measure: &Measure| {
            let setup = setup(endpoints);
            let site = Site::of(Workload::generate(&setup.workload(&scenario)).unwrap());
            Order::new(scenario.seed, &setup, &site, measure, (flow, position)).err()
        };
        assert!(refused(1, &measure).is_none());
        // Without a pod nobody can be asked directly.
        let nobody = refused(0, &measure);
        assert!(matches!(nobody, Some(SimError::Order(TrafficError::Empty { targets: 0, packets: 9 }))), "{nobody:?}");
        let nothing = refused(1, &Measure { packets: 0, ..measure });
        assert!(matches!(nothing, Some(SimError::Order(TrafficError::Empty { packets: 0, .. }))), "{nothing:?}");
        let beyond = refused(1, &Measure { first_flow: u64::MAX / 2, ..measure });
        assert!(matches!(beyond, Some(SimError::Order(TrafficError::TooManyFlows { .. }))), "{beyond:?}");
    }
}
