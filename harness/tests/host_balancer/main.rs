//! The eBPF load balancer on this kernel: its programs under `BPF_PROG_TEST_RUN`, packet in and packet out, and its maps read back.
//! Root, namespaces of its own, nothing else touched.
#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

#[path = "../addresses/mod.rs"]
mod addresses;
mod bench;
mod maps;
mod packets;
mod rejection;
mod translation;
mod untouched;
