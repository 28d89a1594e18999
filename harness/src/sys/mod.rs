//! Every unsafe block and raw syscall. Unsafe is denied everywhere else in this crate.

pub mod bpf;
pub mod namespace;
