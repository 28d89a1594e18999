//! Measures a scenario with several seeds in the deterministic vm: a run directory and a run a seed.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::CliError;
use super::run::{assemble_run, check_workloads};
use crate::gate::Measured;
use crate::result::RunFile;
use crate::run::execute::{Venues, execute};
use crate::run::manifest;
use crate::run::offer;
use crate::run::plan::{Plan, VenueOffer};
use crate::run::progress::Progress;
use crate::run::scenario::Scenario;
use crate::run::store::Store;
use crate::venue::vm::{VmVenue, qemu};

/// The opened venue of a gate.
pub(super) struct SeedBench {
    scenario: Scenario,
    offers: Vec<VenueOffer>,
    venues: Venues,
    /// Version of QEMU.
    pub(super) qemu: String,
}

impl SeedBench {
    /// Opens the vm and finds what it can run.
    pub(super) fn open(scenario: Scenario) -> Result<Self, CliError> {
        let (offers, venues) = offer::open(&scenario, &mut |line| eprintln!("{line}"))?;
        let qemu = qemu::version().unwrap_or_else(|_| "unknown".to_owned());
        Ok(Self { scenario, offers, venues, qemu })
    }

    /// The vm.
    pub(super) fn vm(&self) -> Option<&VmVenue> {
        self.venues.vms.first()
    }

    /// The plan of one seed.
    pub(super) fn plan(&self, seed: u64) -> Plan {
        Plan::new(&Scenario { seed, ..self.scenario.clone() }, &self.offers)
    }

    /// Why a gate cannot judge what would be measured here.
    pub(super) fn obstacles(&self) -> Vec<String> {
        let mut obstacles = Vec::new();
        if self.vm().is_none_or(|vm| !vm.acceleration.is_deterministic()) {
            obstacles.push("the vm does not count instructions here: the gate needs QEMU's emulation".to_owned());
        }
        let skipped = self.plan(0).skipped;
        obstacles.extend(skipped.into_iter().map(|skipped| {
            format!("{} cannot be measured: {}", crate::result::name(&skipped.backend), skipped.reason)
        }));
        obstacles
    }

    /// Measures every seed, each in a directory of its own under `out`; what is there already is not measured again.
    pub(super) fn measure(&self, seeds: &[u64], out: &Path, cancel: &AtomicBool) -> Result<Measured, CliError> {
        let mut stores = Vec::new();
        for &seed in seeds {
            let plan = self.plan(seed);
            check_workloads(&plan)?;
            let store = Store::open(&out.join(format!("seed-{seed}")), &plan)?;
            stores.push((plan, store));
        }
        let total = stores.iter().map(|(plan, _)| plan.trials()).sum();
        let mut progress = Progress::start(total, stores.iter().map(done).sum());
        let runs: Result<Vec<RunFile>, CliError> = stores
            .iter_mut()
            .map(|(plan, store)| {
                execute(plan, &self.venues, store, &mut progress, cancel)?;
                let manifest = manifest::manifest(plan, &self.venues, None);
                Ok(assemble_run(manifest, &manifest::skipped(plan), store.records())?)
            })
            .collect();
        progress.finish();
        Ok(Measured::of(&runs?))
    }
}

fn done((plan, store): &(Plan, Store)) -> usize {
    plan.batches.iter().filter(|batch| store.is_done(batch.id)).map(|batch| batch.trials()).sum()
}
