//! The load balancer's tables in user space, programmed with services.

use datapath_common::balancer::native::NativeTables;
use datapath_common::balancer::{ConnectionKey, Endpoint, Service, ServiceKey, V4, maglev};

/// Endpoints of every service.
pub const ENDPOINTS: u32 = 10;
const TCP: u8 = 6;
const PORT: u16 = 80;
const FIRST_VIP: u32 = 0x0a40_000a;
const FIRST_POD: u32 = 0x0a80_0001;
const FIRST_CLIENT: u32 = 0x0af8_0001;

/// N services x [`ENDPOINTS`], with a Maglev table each or with endpoints that are drawn.
#[must_use]
pub fn tables(services: u32, maglev: bool) -> NativeTables {
    let mut tables = NativeTables::default();
    for service in 0..services {
        add(&mut tables, service, maglev);
    }
    tables
}

fn add(tables: &mut NativeTables, service: u32, maglev: bool) {
    let first = service * ENDPOINTS;
    tables.endpoints.extend((0..ENDPOINTS).map(|pod| endpoint(first + pod)));
    let (table, slots) = if maglev { add_slots(tables, first) } else { (0, 0) };
    let vip = address(FIRST_VIP + service);
    let programmed = Service { first, count: ENDPOINTS, table, slots };
    tables.services.insert(ServiceKey::new(vip, PORT.to_be(), TCP), programmed);
    tables.services.insert(ServiceKey::wildcard(vip), Service::default());
}

fn add_slots(tables: &mut NativeTables, first: u32) -> (u32, u32) {
    let size = maglev::size_for(ENDPOINTS);
    let start = tables.slots.len();
    // Tables begin where an element of the kernel's array does.
    let padded = size.next_multiple_of(maglev::SLOTS_AN_ELEMENT);
    tables.slots.resize(start + padded as usize, 0);
    let table = &mut tables.slots[start..start + size as usize];
    build_maglev(&tables.endpoints[first as usize..], table);
    (start as u32, size)
}

/// Forgets the flows, and keeps the room for them.
pub fn forget_flows(tables: &mut NativeTables) {
    tables.connections.clear();
    tables.replies.clear();
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

#[cfg(test)]
mod tests {
    use datapath_common::balancer::{Decision, balance};

    use super::*;

    #[test]
    fn every_kind_of_packet_is_decided() {
        for maglev in [false, true] {
            let mut tables = tables(100, maglev);
            let first = balance(&mut tables, &connection(7, 99));
            let own =
                |decision| matches!(decision, Decision::Forward(pod) if (990..1000).any(|at| endpoint(at) == pod));
            assert!(own(first), "{first:?}");
            assert_eq!(balance(&mut tables, &connection(7, 99)), first);
            assert_eq!(balance(&mut tables, &connection(7, 100)), Decision::Pass);
            assert_eq!((tables.connections.len(), tables.replies.len()), (1, 1));
            forget_flows(&mut tables);
            assert!(own(balance(&mut tables, &connection(7, 99))));
        }
    }
}
