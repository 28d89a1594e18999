//! What a service is in the maps, wherever it stands.

use datapath_common::balancer::maglev::{SLOTS_AN_ELEMENT, Turn, build, size_for};
use datapath_common::balancer::{Endpoint, ServiceKey, V4};

use super::LayoutError;
use crate::backend::ebpf::compare::name;
use crate::workload::{EndpointChoice, Protocol, Service};

/// An element of the map `MAGLEV`.
pub(crate) type Slots = [u16; SLOTS_AN_ELEMENT as usize];

/// The key of a service.
pub(crate) fn key(service: &Service) -> ServiceKey<V4> {
    let protocol = match service.protocol {
        Protocol::Tcp => datapath_common::frame::IPPROTO_TCP,
        Protocol::Udp => datapath_common::frame::IPPROTO_UDP,
    };
    ServiceKey::new(vip(service), service.port.to_be(), protocol)
}

/// Its address.
pub(crate) fn vip(service: &Service) -> V4 {
    V4::new(service.vip.octets())
}

/// Its endpoints in order.
pub(crate) fn endpoints(service: &Service) -> Vec<Endpoint<V4>> {
    service.endpoints.iter().map(|pod| Endpoint::new(V4::new(pod.addr.octets()), pod.port.to_be())).collect()
}

/// Slots of its Maglev table.
pub(crate) fn slots_of(choice: EndpointChoice, service: &Service) -> u32 {
    match choice {
        EndpointChoice::Maglev if !service.endpoints.is_empty() => {
            size_for(u32::try_from(service.endpoints.len()).unwrap_or(u32::MAX))
        }
        _ => 0,
    }
}

/// Its Maglev table in elements of the map; the last one is filled up with zeros.
pub(crate) fn table(choice: EndpointChoice, service: &Service) -> Result<Vec<Slots>, LayoutError> {
    let size = slots_of(choice, service) as usize;
    let mut slots = vec![0; size.next_multiple_of(SLOTS_AN_ELEMENT as usize)];
    if size > 0 {
        let endpoints = endpoints(service);
        let mut turns = vec![Turn::default(); endpoints.len()];
        build(&endpoints, &mut turns, &mut slots[..size]).map_err(|source| LayoutError::Table {
            service: name(&key(service)),
            endpoints: endpoints.len(),
            source,
        })?;
    }
    Ok(slots.chunks_exact(SLOTS_AN_ELEMENT as usize).map(|chunk| [chunk[0], chunk[1], chunk[2], chunk[3]]).collect())
}
