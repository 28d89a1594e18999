//! The load balancer's tables in user space: hash tables and arrays instead of the kernel's maps.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use datapath_common::balancer::{ConnectionKey, Endpoint, Service, ServiceKey, Tables, V4, maglev};

/// Endpoints of every service.
pub const ENDPOINTS: u32 = 10;
const TCP: u8 = 6;
const PORT: u16 = 80;
const FIRST_VIP: u32 = 0x0a40_000a;
const FIRST_POD: u32 = 0x0a80_0001;
const FIRST_CLIENT: u32 = 0x0af8_0001;

/// A hash without a drawn key, so that instructions repeat.
type Map<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// N services x [`ENDPOINTS`], and the flows that were balanced.
#[derive(Debug, Clone, Default)]
pub struct NativeTables {
    services: Map<ServiceKey<V4>, Service>,
    endpoints: Vec<Endpoint<V4>>,
    slots: Vec<u16>,
    connections: Map<ConnectionKey<V4>, Endpoint<V4>>,
    replies: Map<ConnectionKey<V4>, Endpoint<V4>>,
    draw: u32,
}

impl NativeTables {
    /// Programs N services, with a Maglev table each or with endpoints that are drawn.
    #[must_use]
    pub fn new(services: u32, maglev: bool) -> Self {
        let mut tables = Self::default();
        for service in 0..services {
            tables.add(service, maglev);
        }
        tables
    }

    fn add(&mut self, service: u32, maglev: bool) {
        let first = service * ENDPOINTS;
        self.endpoints.extend((0..ENDPOINTS).map(|pod| endpoint(first + pod)));
        let (table, slots) = if maglev { self.add_slots(first) } else { (0, 0) };
        let vip = address(FIRST_VIP + service);
        self.services
            .insert(ServiceKey::new(vip, PORT.to_be(), TCP), Service { first, count: ENDPOINTS, table, slots });
        self.services.insert(ServiceKey::wildcard(vip), Service::default());
    }

    fn add_slots(&mut self, first: u32) -> (u32, u32) {
        let size = maglev::size_for(ENDPOINTS);
        let start = self.slots.len();
        // Tables begin where an element of the kernel's array does.
        let padded = size.next_multiple_of(maglev::SLOTS_AN_ELEMENT);
        self.slots.resize(start + padded as usize, 0);
        let table = &mut self.slots[start..start + size as usize];
        build_maglev(&self.endpoints[first as usize..], table);
        (start as u32, size)
    }

    /// Forgets the flows, and keeps the room for them.
    pub fn forget_flows(&mut self) {
        self.connections.clear();
        self.replies.clear();
    }
}

/// Fills a Maglev table.
///
/// # Panics
/// The table's size is not one of [`maglev::SIZES`], or there are no endpoints or too many.
pub fn build_maglev(endpoints: &[Endpoint<V4>], table: &mut [u16]) {
    let mut turns = vec![maglev::Turn::default(); endpoints.len()];
    maglev::build(endpoints, &mut turns, table).unwrap_or_else(|error| panic!("{error:?}"));
}

/// Pod `index` and its port.
#[must_use]
pub fn endpoint(index: u32) -> Endpoint<V4> {
    Endpoint::new(address(FIRST_POD + index), 8080_u16.to_be())
}

/// The packet of a flow to a service by its index; an index that is not programmed is no service.
#[must_use]
pub fn connection(flow: u64, service: u32) -> ConnectionKey<V4> {
    ConnectionKey {
        src: address(FIRST_CLIENT + (flow >> 15) as u32),
        dst: address(FIRST_VIP + service),
        src_port_be: (1024 + (flow & 0x7fff) as u16).to_be(),
        dst_port_be: PORT.to_be(),
        protocol: TCP.into(),
    }
}

fn address(number: u32) -> V4 {
    V4::new(number.to_be_bytes())
}

impl Tables<V4> for NativeTables {
    fn service(&mut self, key: &ServiceKey<V4>) -> Option<Service> {
        self.services.get(key).copied()
    }

    fn endpoint(&mut self, index: u32) -> Option<Endpoint<V4>> {
        self.endpoints.get(index as usize).copied()
    }

    fn slot(&mut self, index: u32) -> Option<u16> {
        self.slots.get(index as usize).copied()
    }

    fn connection(&mut self, flow: &ConnectionKey<V4>) -> Option<Endpoint<V4>> {
        self.connections.get(flow).copied()
    }

    fn insert(&mut self, flow: &ConnectionKey<V4>, endpoint: &Endpoint<V4>, reply: &ConnectionKey<V4>) -> bool {
        self.connections.insert(*flow, *endpoint);
        self.replies.insert(*reply, flow.destination());
        true
    }

    /// A Weyl sequence: uniform, and next to nothing beside the lookups.
    fn random(&mut self) -> u32 {
        self.draw = self.draw.wrapping_add(0x9e37_79b9);
        self.draw
    }
}

#[cfg(test)]
mod tests {
    use datapath_common::balancer::{Decision, balance};

    use super::*;

    #[test]
    fn every_kind_of_packet_is_decided() {
        for maglev in [false, true] {
            let mut tables = NativeTables::new(100, maglev);
            let first = balance(&mut tables, &connection(7, 99));
            let own =
                |decision| matches!(decision, Decision::Forward(pod) if (990..1000).any(|at| endpoint(at) == pod));
            assert!(own(first), "{first:?}");
            assert_eq!(balance(&mut tables, &connection(7, 99)), first);
            assert_eq!(balance(&mut tables, &connection(7, 100)), Decision::Pass);
            assert_eq!((tables.connections.len(), tables.replies.len()), (1, 1));
            tables.forget_flows();
            assert!(own(balance(&mut tables, &connection(7, 99))));
        }
    }
}
