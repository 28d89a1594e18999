//! Why a boot gave no result.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use super::frame::FrameError;
use super::image::ImageError;

/// Why a boot gave no result.
#[derive(Debug, thiserror::Error)]
pub enum VmError {
    /// QEMU is not installed.
    #[error("qemu-system-x86_64 is not installed: run `apt-get install qemu-system-x86`")]
    QemuMissing(#[source] io::Error),
    /// QEMU could not be started.
    #[error("cannot start qemu-system-x86_64")]
    Start(#[source] io::Error),
    /// QEMU ended before the guest had said that it was done.
    #[error("the guest ended early ({status}){}", tail(console))]
    Ended {
        /// How QEMU ended.
        status: ExitStatus,
        /// Last lines of the guest's console and of QEMU.
        console: Vec<String>,
    },
    /// The guest's kernel panicked.
    #[error("the guest's kernel panicked{}", tail(console))]
    Panicked {
        /// Last lines of the guest's console.
        console: Vec<String>,
    },
    /// Nothing came for too long.
    #[error("the vm hung: no line for {} s{}", stall.as_secs(), tail(console))]
    VmStalled {
        /// How long it was waited for.
        stall: Duration,
        /// Last lines of the guest's console.
        console: Vec<String>,
    },
    /// The guest or its job failed and said why.
    #[error("failed in the guest: {message}")]
    Guest {
        /// What it said.
        message: String,
    },
    /// A line was lost, cut or altered on its way (a full disk under the temporary directory does that).
    #[error("the guest's answer is damaged (is the disk full?)")]
    Damaged(#[from] FrameError),
    /// The caller asked to stop.
    #[error("interrupted")]
    Cancelled,
    /// The initramfs could not be packed.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A file of the boot could not be written or read.
    #[error("cannot use {path} (is the disk full?)")]
    Work {
        /// The file or directory.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
}

fn tail(console: &[String]) -> String {
    if console.is_empty() { String::new() } else { format!("; its last words: {}", console.join(" | ")) }
}
