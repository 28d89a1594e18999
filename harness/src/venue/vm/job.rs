//! What the host asks the guest to do.

use std::io::{self, Write};
use std::sync::atomic::AtomicBool;
use std::thread;

use serde::{Deserialize, Serialize};

use super::guest::self_test;
use crate::chain::one_line;
use crate::result::{Unit, VenueKind};
use crate::run::measure::{self, MeasureError, Place};
use crate::run::plan::Batch;
use crate::run::record::Record;
use crate::run::scenario::Scenario;

/// A job, carried as JSON in the initramfs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestJob {
    /// Make a batch's visits; answers one record a line.
    Measure {
        /// What the batch was planned from, without paths of the host.
        scenario: Scenario,
        /// The batch.
        batch: Batch,
        /// Unit of the guest's clock.
        unit: Unit,
    },
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
    /// A visit failed.
    #[error("{}", one_line(.0))]
    Measure(#[from] MeasureError),
}

/// Runs the job that `bytes` hold, in the guest.
pub fn run(bytes: &[u8], out: &mut dyn Write) -> Result<(), JobError> {
    match GuestJob::from_bytes(bytes)? {
        GuestJob::Measure { scenario, batch, unit } => measure_batch(&scenario, &batch, unit, out),
        GuestJob::SelfTest => Ok(self_test(out)?),
        GuestJob::Nothing => Ok(()),
        GuestJob::Panic => panic!("asked to panic"),
        GuestJob::Hang => loop {
            thread::park();
        },
    }
}

fn measure_batch(scenario: &Scenario, batch: &Batch, unit: Unit, out: &mut dyn Write) -> Result<(), JobError> {
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    let place = Place { venue: VenueKind::Vm, kernel, unit };
    // Nothing interrupts a guest but its own end.
    let cancel = AtomicBool::new(false);
    let mut emit = |record: Record| {
        let line = serde_json::to_string(&record).map_err(|error| MeasureError::Emit(error.into()))?;
        writeln!(out, "{line}").map_err(|error| MeasureError::Emit(error.into()))
    };
    for visit in &batch.visits {
        measure::visit(&place, scenario, visit, &cancel, &mut emit)?;
    }
    Ok(())
}
