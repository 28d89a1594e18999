//! The vm venue: a stock kernel in QEMU, this binary as its init.
//!
//! `kernel` finds a distribution's kernel and the modules to load, `image` packs the initramfs, `qemu` boots it and
//! reads framed lines from its serial port, `guest` is the other end of that line: what this binary does as PID 1.

pub mod boot;
pub mod cache;
mod elf;
pub mod error;
pub mod frame;
pub mod guest;
pub mod image;
pub mod job;
pub mod kernel;
pub mod qemu;
mod run_tool;
mod venue;
pub mod work;

pub use boot::{GuestReport, GuestSpec, boot, probe_kvm};
pub use cache::Cache;
pub use error::VmError;
pub use job::GuestJob;
pub use kernel::{KernelImage, KernelPairError, KernelSource, pair_kernels};
pub use qemu::accel::{Acceleration, Kvm};
pub use run_tool::ToolError;
pub use venue::{VmOpenError, VmVenue};
pub use work::{StaleWork, remove_stale, stale_work};
