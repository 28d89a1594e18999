//! Every unsafe block and raw syscall.

pub mod process;
