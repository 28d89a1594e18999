//! What work takes of the machine: CPU time of threads and memory of the kernel, as `/proc` tells it (proc(5)).

mod cpu;
mod memory;

use std::io;
use std::path::PathBuf;

pub use cpu::{CpuTicks, Thread, ThreadTime, kernel_threads, ksoftirqd, sum_ns};
pub use memory::{KernelMemory, settled};

/// A text of `/proc` could not be read, or not understood.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// The kernel refused.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is there, but not as proc(5) describes it.
    #[error("{} is not as proc(5) describes it", path.display())]
    Text {
        /// The file.
        path: PathBuf,
    },
}

fn read<T>(path: impl Into<PathBuf>, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, UsageError> {
    let path = path.into();
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&text).ok_or(UsageError::Text { path }),
        Err(source) => Err(UsageError::Read { path, source }),
    }
}
