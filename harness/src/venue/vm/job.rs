//! What the host asks the guest to do.

use std::io::{self, Write};
use std::thread;

use serde::{Deserialize, Serialize};

use super::guest::self_test;

/// A job, carried as JSON in the initramfs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestJob {
    /// Prove that the guest is whole and repeats itself: clock, threads, modules and the tools' view of the kernel.
    SelfTest,
    /// End at once, to prove that a guest starts.
    Nothing,
    /// Panic, to prove that a panic is reported.
    Panic,
    /// Say nothing for ever, to prove that the watchdog ends it.
    Hang,
}

impl GuestJob {
    /// The job's bytes for the initramfs.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// The job of the initramfs.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

/// Why a job failed in the guest.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The bytes are no job of this version.
    #[error("job of another version of lbcurve")]
    Unknown(#[from] serde_json::Error),
    /// A system call or a write failed.
    #[error("job failed: {0}")]
    Io(#[from] io::Error),
}

/// Runs the job that `bytes` hold, in the guest.
pub fn run(bytes: &[u8], out: &mut dyn Write) -> Result<(), JobError> {
    match GuestJob::from_bytes(bytes)? {
        GuestJob::SelfTest => Ok(self_test(out)?),
        GuestJob::Nothing => Ok(()),
        GuestJob::Panic => panic!("asked to panic"),
        GuestJob::Hang => loop {
            thread::park();
        },
    }
}
