//! The load balancer: what the eBPF programs, user space and the simulation share. One source for all three, so that what is
//! simulated is what runs.
//!
//! A packet's service is looked up by (VIP, port, protocol). A flow that the connection table knows keeps its endpoint; another
//! one gets an endpoint drawn at random or by a Maglev table, and is remembered in both directions. What asks for a VIP on a port
//! or by a protocol that no service has is rejected, as kube-proxy's nftables mode does (its chain `cluster-ips-check`).
//!
//! Everything is generic over the address, so that IPv6 needs no second lookup.

pub mod again;
pub mod checksum;
pub mod choose;
mod key;
mod lookup;
pub mod maglev;
#[cfg(any(test, feature = "native"))]
pub mod native;
pub mod reject;
#[cfg(feature = "user")]
mod user;

pub use key::{Address, Config, ConnectionKey, Endpoint, Service, ServiceKey, V4, V6};
pub use lookup::{Decision, Tables, balance};
