//! What the host asks the guest to do.

use std::io::{self, Write};
use std::process::{Command, ExitStatus};
use std::sync::atomic::AtomicBool;
use std::thread;

use serde::{Deserialize, Serialize};

use super::guest::{prepare_connections, self_test};
use crate::backend::dump::{Dump, ProgramError, program_in_fresh_namespace};
use crate::backend::ipvs::compare::{CompareError, compare_ipvs};
use crate::chain::one_line;
use crate::result::{Unit, VenueKind};
use crate::run::measure::{self, MeasureError, Place};
use crate::run::plan::Batch;
use crate::run::record::Record;
use crate::run::scenario::Scenario;
use crate::workload::WorkloadSpec;

/// A job, carried as JSON in the initramfs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestJob {
    /// Make a batch's visits; answers one record a line.
    Measure {
        /// What the batch was planned from, without paths of the host.
        scenario: Box<Scenario>,
        /// The batch.
        batch: Batch,
        /// Unit of the guest's clock.
        unit: Unit,
        /// Whether its time is an emulated machine's.
        emulated: bool,
    },
    /// Program each dump's services in a namespace of its own; answers one [`LiveState`](crate::backend::dump::LiveState) a line.
    Verify {
        /// The dumps.
        dumps: Vec<Dump>,
    },
    /// Run a program that was packed, in a namespace of its own; answers its output. Fails with the program.
    Program {
        /// Name and arguments.
        words: Vec<String>,
    },
    /// Program IPVS services and their addresses by netlink and by the usual tools; answers one [`Comparison`](crate::backend::ipvs::compare::Comparison).
    CompareIpvs {
        /// The services.
        workload: WorkloadSpec,
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
    /// A dump's services cannot be programmed.
    #[error("{name}: {}", one_line(.source))]
    Verify {
        /// The dump.
        name: String,
        /// Why.
        source: ProgramError,
    },
    /// The packed program failed.
    #[error("{program} failed ({status})")]
    Program {
        /// Its name.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The comparison failed.
    #[error("{}", one_line(.0))]
    CompareIpvs(#[from] CompareError),
    /// A visit failed.
    #[error("{}", one_line(.0))]
    Measure(#[from] MeasureError),
}

/// Runs the job that `bytes` hold, in the guest.
pub fn run(bytes: &[u8], out: &mut dyn Write) -> Result<(), JobError> {
    match GuestJob::from_bytes(bytes)? {
        GuestJob::Measure { scenario, batch, unit, emulated } => {
            let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
            measure_batch(&Place { venue: VenueKind::Vm, kernel, unit, emulated }, &scenario, &batch, out)
        }
        GuestJob::Verify { dumps } => verify(&dumps, out),
        GuestJob::Program { words } => program(&words, out),
        GuestJob::CompareIpvs { workload } => {
            let comparison = compare_ipvs(&workload)?;
            Ok(writeln!(out, "{}", serde_json::to_string(&comparison)?)?)
        }
        GuestJob::SelfTest => Ok(self_test(out)?),
        GuestJob::Nothing => Ok(()),
        GuestJob::Panic => panic!("asked to panic"),
        GuestJob::Hang => loop {
            thread::park();
        },
    }
}

fn measure_batch(place: &Place, scenario: &Scenario, batch: &Batch, out: &mut dyn Write) -> Result<(), JobError> {
    if batch.connects() {
        prepare_connections()?;
    }
    // Nothing interrupts a guest but its own end.
    let cancel = AtomicBool::new(false);
    let mut emit = |record: Record| {
        let line = serde_json::to_string(&record).map_err(|error| MeasureError::Emit(error.into()))?;
        writeln!(out, "{line}").map_err(|error| MeasureError::Emit(error.into()))
    };
    for visit in &batch.visits {
        measure::visit(place, scenario, visit, &cancel, &mut emit)?;
    }
    Ok(())
}

fn verify(dumps: &[Dump], out: &mut dyn Write) -> Result<(), JobError> {
    for dump in dumps {
        let live =
            program_in_fresh_namespace(dump).map_err(|source| JobError::Verify { name: dump.name.clone(), source })?;
        writeln!(out, "{}", serde_json::to_string(&live)?)?;
    }
    Ok(())
}

fn program(words: &[String], out: &mut dyn Write) -> Result<(), JobError> {
    let (name, arguments) = words.split_first().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let output = Command::new(name).args(arguments).output()?;
    out.write_all(&output.stdout)?;
    out.write_all(&output.stderr)?;
    if output.status.success() {
        return Ok(());
    }
    Err(JobError::Program { program: name.clone(), status: output.status })
}
