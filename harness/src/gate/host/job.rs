//! What one side is asked, and how it answers: the protocol of `lbcurve visit`.

use std::io::{self, Read, Write};
use std::sync::atomic::AtomicBool;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::probe::OBJECT;
use crate::result::VenueKind;
use crate::run::measure::{self, MeasureError};
use crate::run::plan::Batch;
use crate::run::record::Record;
use crate::run::scenario::Scenario;
use crate::venue::host;

/// Version of job and answer. Raise it when another lbcurve would misread either.
pub const PROTOCOL: u32 = 1;

/// First line of every answer, before the job is read: an empty job asks for it alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub lbcurve_visit: u32,
    /// Version of lbcurve.
    pub version: String,
    /// SHA-256 of its eBPF object, hexadecimal.
    pub ebpf_object_sha256: String,
}

/// A job: visits on this kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisitJob {
    /// What the batch was planned from.
    pub scenario: Scenario,
    /// The visits; one record a measure comes back.
    pub batch: Batch,
}

/// Why a job cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Not a job of this version.
    #[error("not a job that this lbcurve understands")]
    Unknown(#[source] serde_json::Error),
    /// Job or answer cannot be passed on.
    #[error("cannot {action}")]
    Io {
        /// Verb.
        action: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A job of another venue.
    #[error("a job for the {0:?} venue: visits are made on this kernel only")]
    Venue(VenueKind),
    /// A visit failed.
    #[error(transparent)]
    Measure(#[from] MeasureError),
}

impl Hello {
    /// What this lbcurve says.
    pub fn own() -> Self {
        let ebpf_object_sha256 = HEXLOWER.encode(&Sha256::digest(OBJECT));
        Self { lbcurve_visit: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned(), ebpf_object_sha256 }
    }
}

/// Says hello, reads a job to its end and answers one record a line.
///
/// # Errors
/// [`JobError`]; the namespaces are gone in any case.
pub fn serve(input: &mut dyn Read, output: &mut dyn Write, cancel: &AtomicBool) -> Result<(), JobError> {
    write_line(output, &Hello::own())?;
    let mut text = String::new();
    input.read_to_string(&mut text).map_err(|source| JobError::Io { action: "read the job", source })?;
    if text.is_empty() {
        return Ok(());
    }
    let VisitJob { scenario, batch } = serde_json::from_str(&text).map_err(JobError::Unknown)?;
    if batch.venue != VenueKind::Host {
        return Err(JobError::Venue(batch.venue));
    }
    let place = host::place();
    for visit in &batch.visits {
        let mut records = Vec::new();
        let mut collect = |record: Record| {
            records.push(record);
            Ok(())
        };
        measure::visit(&place, &scenario, visit, cancel, &mut collect)?;
        records.iter().try_for_each(|record| write_line(output, record))?;
    }
    Ok(())
}

fn write_line(output: &mut dyn Write, line: &impl Serialize) -> Result<(), JobError> {
    let failed = |source| JobError::Io { action: "write the answer", source };
    let text = serde_json::to_string(line).map_err(|error| failed(error.into()))?;
    writeln!(output, "{text}").and_then(|()| output.flush()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::scenario::Wishes;

    fn job(venue: VenueKind) -> VisitJob {
        let scenario = Wishes { seed: Some(u64::MAX), ..Wishes::default() }.resolve().unwrap();
        VisitJob { scenario, batch: Batch { id: 3, venue, kernel: "6.1".into(), visits: Vec::new() } }
    }

    fn answer(input: &str) -> (Result<(), JobError>, String) {
        let mut output = Vec::new();
        let outcome = serve(&mut input.as_bytes(), &mut output, &AtomicBool::new(false));
        (outcome, String::from_utf8(output).unwrap())
    }

    #[test]
    fn a_job_survives_the_way() {
        let job = job(VenueKind::Host);
        let text = serde_json::to_string(&job).unwrap();
        assert_eq!(serde_json::from_str::<VisitJob>(&text).unwrap(), job);
    }

    #[test]
    fn hello_comes_first_whatever_is_asked() {
        let host = serde_json::to_string(&job(VenueKind::Host)).unwrap();
        let vm = serde_json::to_string(&job(VenueKind::Vm)).unwrap();
        for (input, fine) in [("", true), (host.as_str(), true), ("{}", false), ("run", false), (vm.as_str(), false)] {
            let (outcome, said) = answer(input);
            assert_eq!(outcome.is_ok(), fine, "{input}");
            assert_eq!(serde_json::from_str::<Hello>(said.trim()).unwrap(), Hello::own(), "{input}");
        }
    }

    #[test]
    fn a_member_of_another_version_is_refused() {
        let mut value = serde_json::to_value(job(VenueKind::Host)).unwrap();
        value["speed"] = 1.into();
        assert!(matches!(answer(&value.to_string()).0, Err(JobError::Unknown(_))));
    }
}
