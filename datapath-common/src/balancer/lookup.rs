//! What becomes of a packet.

use super::choose::{hash, scale};
use super::key::{Address, ConnectionKey, Endpoint, Service, ServiceKey};

/// The load balancer's tables: maps of the kernel, or a simulation of them.
pub trait Tables<A: Address> {
    /// Looks a service up by hash.
    fn service(&mut self, key: &ServiceKey<A>) -> Option<Service>;
    /// Endpoint `index` of the array of all endpoints.
    fn endpoint(&mut self, index: u32) -> Option<Endpoint<A>>;
    /// Slot `index` of the array of all Maglev tables: an endpoint's place within its service.
    fn slot(&mut self, index: u32) -> Option<u16>;
    /// Looks up by hash where a flow goes.
    fn connection(&mut self, flow: &ConnectionKey<A>) -> Option<Endpoint<A>>;
    /// Remembers where a flow goes, and where its replies (`reply`, a 5-tuple) seem to come from. `false` where there is no room.
    fn insert(&mut self, flow: &ConnectionKey<A>, endpoint: &Endpoint<A>, reply: &ConnectionKey<A>) -> bool;
    /// A uniform draw.
    fn random(&mut self) -> u32;
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision<A> {
    /// It goes to this endpoint.
    Forward(Endpoint<A>),
    /// It asks for a VIP and finds nobody: ICMP port unreachable.
    Reject,
    /// It asks for no VIP: untouched.
    Pass,
    /// It cannot be served: no room for its flow, or tables that contradict each other while they are being changed.
    Drop,
}

/// Decides what becomes of the packet with the 5-tuple `packet`; ports are 0 for protocols without them. A new flow of a service is
/// remembered.
///
/// A flow that is known keeps its endpoint even when its service has lost all: what is established lives on, as it does with
/// kube-proxy.
#[inline(always)]
pub fn balance<A: Address>(tables: &mut impl Tables<A>, packet: &ConnectionKey<A>) -> Decision<A> {
    let Some(service) = tables.service(&packet.service()) else {
        return match tables.service(&ServiceKey::wildcard(packet.dst)) {
            Some(_) => Decision::Reject,
            None => Decision::Pass,
        };
    };
    if let Some(endpoint) = tables.connection(packet) {
        return Decision::Forward(endpoint);
    }
    if service.count == 0 {
        return Decision::Reject;
    }
    let Some(endpoint) = choose(tables, &service, packet) else {
        return Decision::Drop;
    };
    if tables.insert(packet, &endpoint, &packet.reply_from(&endpoint)) {
        Decision::Forward(endpoint)
    } else {
        Decision::Drop
    }
}

#[inline(always)]
fn choose<A: Address>(tables: &mut impl Tables<A>, service: &Service, flow: &ConnectionKey<A>) -> Option<Endpoint<A>> {
    let place = if service.slots == 0 {
        scale(tables.random(), service.count)
    } else {
        tables.slot(service.table.wrapping_add(scale(hash(flow), service.slots)))? as u32
    };
    tables.endpoint(service.first.wrapping_add(place))
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::super::native::NativeTables;
    use super::super::{V4, maglev};
    use super::*;

    const VIP: V4 = V4::new([10, 96, 0, 1]);
    const TCP: u8 = 6;

    fn packet(port: u16, to: u16) -> ConnectionKey<V4> {
        let src = V4::new([10, 0, 0, 1]);
        ConnectionKey { src, dst: VIP, src_port_be: port.to_be(), dst_port_be: to.to_be(), protocol: u32::from(TCP) }
    }

    fn model(endpoints: u32, slots: u32) -> NativeTables {
        // Two endpoints of another service stand before.
        let all = (0..endpoints + 2).map(|i| Endpoint::new(V4(i), 8080_u16.to_be())).collect();
        let mut model = NativeTables { endpoints: all, ..NativeTables::default() };
        let service = Service { first: 2, count: endpoints, table: 4, slots };
        model.services.insert(ServiceKey::new(VIP, 80_u16.to_be(), TCP), service);
        model.services.insert(ServiceKey::wildcard(VIP), Service::default());
        if slots > 0 {
            let mut turns = std::vec![maglev::Turn::default(); endpoints as usize];
            model.slots = std::vec![0; 4 + slots as usize];
            maglev::build(&model.endpoints[2..], &mut turns, &mut model.slots[4..]).unwrap();
        }
        model
    }

    #[test]
    fn a_flow_keeps_its_endpoint_and_its_replies_find_the_vip() {
        for slots in [0, 251] {
            let mut model = model(2, slots);
            let mut reached = Vec::new();
            for port in 1..100 {
                let flow = packet(port, 80);
                let Decision::Forward(endpoint) = balance(&mut model, &flow) else { panic!("not forwarded") };
                assert_eq!(balance(&mut model, &flow), Decision::Forward(endpoint));
                assert_eq!(model.replies[&flow.reply_from(&endpoint)], flow.destination());
                reached.push(endpoint.addr.0);
            }
            // Drawn once a flow, or never.
            let mut others = NativeTables::default();
            let drawn = (0..99).map(|_| others.random()).last();
            assert_eq!(model.drawn, if slots == 0 { drawn.unwrap() } else { 0 });
            let (first, second) =
                (reached.iter().filter(|a| **a == 2).count(), reached.iter().filter(|a| **a == 3).count());
            assert!(first + second == 99 && first > 25 && second > 25, "{first} {second}");
        }
    }

    #[test]
    fn without_endpoints_new_flows_are_rejected_and_known_ones_live_on() {
        let mut model = model(1, 0);
        let known = packet(1, 80);
        let Decision::Forward(endpoint) = balance(&mut model, &known) else { panic!("not forwarded") };
        model.services.get_mut(&known.service()).unwrap().count = 0;
        assert_eq!(balance(&mut model, &known), Decision::Forward(endpoint));
        assert_eq!(balance(&mut model, &packet(2, 80)), Decision::Reject);
    }

    #[test]
    fn what_no_service_of_a_vip_has_is_rejected_and_other_addresses_pass() {
        let mut model = model(1, 0);
        assert_eq!(balance(&mut model, &packet(1, 81)), Decision::Reject);
        assert_eq!(balance(&mut model, &ConnectionKey { protocol: 17, ..packet(1, 80) }), Decision::Reject);
        let icmp = ConnectionKey { protocol: 1, src_port_be: 0, dst_port_be: 0, ..packet(1, 80) };
        assert_eq!(balance(&mut model, &icmp), Decision::Reject);
        assert_eq!(balance(&mut model, &ConnectionKey { dst: V4(7), ..packet(1, 80) }), Decision::Pass);
        assert!(model.connections.is_empty());
    }

    #[test]
    fn without_room_or_with_a_hole_in_the_tables_a_packet_is_dropped() {
        let mut full = model(1, 0);
        full.full = true;
        assert_eq!(balance(&mut full, &packet(1, 80)), Decision::Drop);
        let mut holed = model(1, 0);
        holed.endpoints.truncate(2);
        assert_eq!(balance(&mut holed, &packet(1, 80)), Decision::Drop);
        let mut holed = model(2, 251);
        holed.slots.clear();
        assert_eq!(balance(&mut holed, &packet(1, 80)), Decision::Drop);
    }
}
