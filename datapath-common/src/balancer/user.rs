//! User space's licence to copy the load balancer's types in and out of maps.
#![expect(unsafe_code, reason = "aya::Pod is an unsafe trait: it promises that any bytes may be copied as they are")]

use aya::Pod;

use super::again::Order;
use super::{Config, ConnectionKey, Endpoint, Service, ServiceKey, V4};

// SAFETY: repr(C), made of integers, without padding (their sizes are asserted).
unsafe impl Pod for ServiceKey<V4> {}
// SAFETY: as above.
unsafe impl Pod for Service {}
// SAFETY: as above.
unsafe impl Pod for Endpoint<V4> {}
// SAFETY: as above.
unsafe impl Pod for ConnectionKey<V4> {}
// SAFETY: as above.
unsafe impl Pod for Config {}
// SAFETY: as above.
unsafe impl Pod for Order {}
