//! The preflight of a run: probed before host trials are measured, kept beside them, so that a resumed run keeps its worst.

use std::fs;
use std::io;
use std::path::Path;

use super::plan::Plan;
use super::store::{Store, StoreError, write_whole};
use crate::preflight::{PreflightError, probe};
use crate::result::{Preflight, VenueKind};

/// Name of the file.
pub const PREFLIGHT: &str = "preflight.json";

/// Why there is no preflight.
#[derive(Debug, thiserror::Error)]
pub enum NoiseError {
    /// The machine cannot be probed.
    #[error(transparent)]
    Probe(#[from] PreflightError),
    /// The file cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Probes the machine where host trials are still to be measured. Of this probe and those of earlier, interrupted attempts
/// the one with the lowest score stands for the run: its trials were measured under all of them.
///
/// # Errors
/// [`NoiseError`].
pub fn preflight(plan: &Plan, store: &Store, dir: &Path) -> Result<Option<Preflight>, NoiseError> {
    let path = dir.join(PREFLIGHT);
    let earlier = read(&path)?;
    let measured_here = |batch: &super::plan::Batch| batch.venue == VenueKind::Host && !store.is_done(batch.id);
    if !plan.batches.iter().any(measured_here) {
        return Ok(earlier);
    }
    let now = probe()?;
    let worst = match earlier {
        Some(earlier) if earlier.score < now.score => earlier,
        _ => now,
    };
    let text = serde_json::to_string_pretty(&worst).map_err(|error| encode(&path, error))?;
    write_whole(&path, text.as_bytes())?;
    Ok(Some(worst))
}

fn read(path: &Path) -> Result<Option<Preflight>, StoreError> {
    match fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|error| StoreError::Io {
            action: "understand",
            path: path.to_owned(),
            source: error.into(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io { action: "read", path: path.to_owned(), source }),
    }
}

fn encode(path: &Path, error: serde_json::Error) -> StoreError {
    StoreError::Io { action: "encode", path: path.to_owned(), source: error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{BackendKind, NoiseVerdict};
    use crate::run::plan::VenueOffer;
    use crate::run::scenario::Wishes;

    fn plan(venue: VenueKind) -> Plan {
        let wishes = Wishes { services: Some(vec![1]), trials: Some(1), ..Wishes::default() };
        let offer = VenueOffer {
            venue,
            kernel: "6.1".into(),
            identity: "test".into(),
            backends: vec![BackendKind::DirectConntrack],
            unready: Vec::new(),
            deterministic: false,
            saturation: false,
        };
        Plan::new(&wishes.resolve().unwrap(), &[offer])
    }

    #[test]
    fn a_resumed_run_keeps_its_worst_and_a_vm_run_has_none() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &plan(VenueKind::Vm)).unwrap();
        assert_eq!(preflight(&plan(VenueKind::Vm), &store, dir.path()).unwrap(), None);

        let host = plan(VenueKind::Host);
        let mut worst = preflight(&host, &store, dir.path()).unwrap().unwrap();
        (worst.score, worst.verdict) = (0, NoiseVerdict::TooNoisy);
        fs::write(dir.path().join(PREFLIGHT), serde_json::to_string(&worst).unwrap()).unwrap();
        let resumed = preflight(&host, &store, dir.path()).unwrap().unwrap();
        assert_eq!(resumed.verdict, NoiseVerdict::TooNoisy);

        fs::write(dir.path().join(PREFLIGHT), "{").unwrap();
        assert!(matches!(preflight(&host, &store, dir.path()), Err(NoiseError::Store(_))));
    }
}
