//! Every unsafe block and raw syscall. Unsafe is denied everywhere else in this crate.

pub mod bpf;
pub mod bpf_batch;
pub mod ethtool;
pub mod namespace;
pub mod process;
pub mod schedule;
pub mod socket;
pub mod timer;
pub mod wait;
