//! Where the kernel under test runs.

pub mod host;
pub mod sim;
pub mod vm;
