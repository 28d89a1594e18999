//! Paced trials and throughput searches on this kernel, in small: root, namespaces of its own, nothing else touched.
#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

mod bench;
mod latency;
mod leftovers;
mod packets;
mod rates;
