//! What the eBPF programs and user space share: histogram buckets, map values, frames.
//!
//! Everything is `no_std`, `repr(C)` without implicit padding, and free of I/O. Fields named `*_be` hold the bytes as they
//! stand in a packet, loaded in native order; everything else is in native order.
#![no_std]

#[cfg(any(test, feature = "native"))]
extern crate std;

pub mod balancer;
pub mod decision;
pub mod flow;
pub mod frame;
pub mod histogram;
pub mod pace;
pub mod probe;
pub mod traffic;

#[cfg(feature = "user")]
mod user;
