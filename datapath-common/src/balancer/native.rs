//! The load balancer's tables in user space: hash tables and arrays in place of the kernel's maps.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::vec::Vec;

use super::{ConnectionKey, Endpoint, Service, ServiceKey, Tables, V4};

/// A hash without a drawn key, so that counted instructions repeat.
pub type Map<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// Services, endpoints and Maglev tables, and the flows that were balanced.
#[derive(Debug, Clone, Default)]
pub struct NativeTables {
    /// The map `SERVICES`.
    pub services: Map<ServiceKey<V4>, Service>,
    /// The map `ENDPOINTS`.
    pub endpoints: Vec<Endpoint<V4>>,
    /// The map `MAGLEV`, slot by slot.
    pub slots: Vec<u16>,
    /// The map `CONNECTIONS`.
    pub connections: Map<ConnectionKey<V4>, Endpoint<V4>>,
    /// The map `REPLIES`.
    pub replies: Map<ConnectionKey<V4>, Endpoint<V4>>,
    /// The number drawn last; 0 before the first.
    pub drawn: u32,
    /// Whether there is no room for another flow.
    pub full: bool,
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
        if !self.full {
            self.connections.insert(*flow, *endpoint);
            self.replies.insert(*reply, flow.destination());
        }
        !self.full
    }

    /// A Weyl sequence: uniform, and next to nothing beside the lookups.
    fn random(&mut self) -> u32 {
        self.drawn = self.drawn.wrapping_add(0x9e37_79b9);
        self.drawn
    }
}
