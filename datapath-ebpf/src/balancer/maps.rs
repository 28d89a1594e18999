//! The maps, as the tables of `datapath_common::balancer`. User space sizes them when it loads them.

use aya_ebpf::helpers::bpf_get_prandom_u32;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LruHashMap};
use datapath_common::balancer::maglev::SLOTS_AN_ELEMENT;
use datapath_common::balancer::{Config, ConnectionKey, Endpoint, Service, ServiceKey, Tables, V4};

#[map]
static SERVICES: HashMap<ServiceKey<V4>, Service> = HashMap::with_max_entries(1, 0);
#[map]
static ENDPOINTS: Array<Endpoint<V4>> = Array::with_max_entries(1, 0);
#[map]
static MAGLEV: Array<[u16; SLOTS_AN_ELEMENT as usize]> = Array::with_max_entries(1, 0);
/// From client to VIP: the endpoint.
#[map]
static CONNECTIONS: LruHashMap<ConnectionKey<V4>, Endpoint<V4>> = LruHashMap::with_max_entries(1, 0);
/// From endpoint to client: the VIP.
#[map]
static REPLIES: LruHashMap<ConnectionKey<V4>, Endpoint<V4>> = LruHashMap::with_max_entries(1, 0);
#[map]
static CONFIG: Array<Config> = Array::with_max_entries(1, 0);

/// The kernel's maps.
pub(crate) struct Maps;

impl Tables<V4> for Maps {
    #[inline(always)]
    fn service(&mut self, key: &ServiceKey<V4>) -> Option<Service> {
        // SAFETY: copied at once; an entry that is replaced meanwhile makes one packet go to the old endpoint or to none.
        unsafe { SERVICES.get(key) }.copied()
    }

    #[inline(always)]
    fn endpoint(&mut self, index: u32) -> Option<Endpoint<V4>> {
        ENDPOINTS.get(index).copied()
    }

    #[inline(always)]
    fn slot(&mut self, index: u32) -> Option<u16> {
        let element = MAGLEV.get(index / SLOTS_AN_ELEMENT)?;
        // SAFETY: a remainder is below the array's length.
        Some(unsafe { *element.get_unchecked((index % SLOTS_AN_ELEMENT) as usize) })
    }

    #[inline(always)]
    fn connection(&mut self, flow: &ConnectionKey<V4>) -> Option<Endpoint<V4>> {
        // SAFETY: as for services.
        unsafe { CONNECTIONS.get(flow) }.copied()
    }

    #[inline(always)]
    fn insert(&mut self, flow: &ConnectionKey<V4>, endpoint: &Endpoint<V4>, reply: &ConnectionKey<V4>) -> bool {
        CONNECTIONS.insert(flow, endpoint, 0).is_ok() && REPLIES.insert(reply, flow.destination(), 0).is_ok()
    }

    #[inline(always)]
    fn random(&mut self) -> u32 {
        // SAFETY: a helper without arguments.
        unsafe { bpf_get_prandom_u32() }
    }
}

/// The VIP and port that a reply of an endpoint has to come from.
#[inline(always)]
pub(crate) fn vip_of(reply: &ConnectionKey<V4>) -> Option<Endpoint<V4>> {
    // SAFETY: copied at once.
    unsafe { REPLIES.get(reply) }.copied()
}

/// The node's address.
#[inline(always)]
pub(crate) fn node() -> Option<V4> {
    CONFIG.get(0).map(|config| config.node)
}
