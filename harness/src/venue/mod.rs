//! Where the kernel under test runs.

pub mod host;
pub mod vm;
