//! The preflight of a run: probed when host trials begin, kept beside them, so that a resumed run keeps its worst.

use std::fs;
use std::io;
use std::path::Path;

use super::plan::Plan;
use super::store::{Store, StoreError};
use crate::preflight::{PreflightError, probe};
use crate::result::{Preflight, VenueKind};
use crate::whole::write_whole;

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

/// What earlier, interrupted attempts found before they measured the host trials that are there; none where there are none.
///
/// # Errors
/// [`NoiseError::Store`].
pub fn earlier(plan: &Plan, store: &Store) -> Result<Option<Preflight>, NoiseError> {
    let found = read(&store.dir().join(PREFLIGHT))?;
    let mut measured = plan.batches.iter().filter(|batch| batch.venue == VenueKind::Host);
    Ok(found.filter(|_| measured.any(|batch| store.is_done(batch.id))))
}

/// Probes the machine, which host trials are to follow at once. Of this probe and those of earlier attempts the one with the
/// lowest score stands for the run: its trials were measured under all of them.
///
/// # Errors
/// [`NoiseError`].
pub fn probe_and_keep(earlier: Option<Preflight>, store: &Store) -> Result<Preflight, NoiseError> {
    let path = store.dir().join(PREFLIGHT);
    let now = probe()?;
    let worst = match earlier {
        Some(earlier) if earlier.score < now.score => earlier,
        _ => now,
    };
    let text = serde_json::to_string_pretty(&worst).map_err(|error| encode(&path, error))?;
    write_whole(&path, text.as_bytes()).map_err(|source| StoreError::Io { action: "write", path, source })?;
    Ok(worst)
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
            emulated: false,
            saturation: false,
            lacking: Vec::new(),
        };
        Plan::new(&wishes.resolve().unwrap(), &[offer])
    }

    #[test]
    fn a_resumed_run_keeps_its_worst_and_no_probe_that_no_trial_followed() {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan(VenueKind::Host);
        let mut store = Store::open(dir.path(), &plan).unwrap();
        assert_eq!(earlier(&plan, &store).unwrap(), None);
        let mut worst = probe_and_keep(None, &store).unwrap();
        assert_eq!(earlier(&plan, &store).unwrap(), None, "no batch was measured after it");

        (worst.score, worst.verdict) = (0, NoiseVerdict::TooNoisy);
        fs::write(dir.path().join(PREFLIGHT), serde_json::to_string(&worst).unwrap()).unwrap();
        store.finish_batch(plan.batches[0].id);
        let found = earlier(&plan, &store).unwrap();
        assert_eq!(found.as_ref(), Some(&worst));
        assert_eq!(probe_and_keep(found, &store).unwrap().verdict, NoiseVerdict::TooNoisy);

        fs::write(dir.path().join(PREFLIGHT), "{").unwrap();
        assert!(matches!(earlier(&plan, &store), Err(NoiseError::Store(_))));
    }

    #[test]
    fn the_vm_has_none() {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan(VenueKind::Vm);
        let mut store = Store::open(dir.path(), &plan).unwrap();
        plan.batches.iter().for_each(|batch| store.finish_batch(batch.id));
        assert_eq!(earlier(&plan, &store).unwrap(), None);
    }
}
