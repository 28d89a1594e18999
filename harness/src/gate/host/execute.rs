//! Makes the turns: one process a visit, side after side, each side's records in a store of its own.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::job::VisitJob;
use super::plan::{Asked, Turn};
use super::{Executable, Side, SideError};
use crate::run::plan::Plan;
use crate::run::progress::Progress;
use crate::run::record::Record;
use crate::run::store::{Store, StoreError};

/// Why the turns ended early. What was finished is in the stores.
#[derive(Debug, thiserror::Error)]
pub enum DuelError {
    /// A side failed.
    #[error("the {} failed", side.name())]
    Side {
        /// Which.
        side: Side,
        /// How.
        #[source]
        source: SideError,
    },
    /// A side's directory failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A visit answered for other cells than it was asked for.
    #[error("the {} answered {found} records to {asked} measures, or other ones", side.name())]
    OtherRecords {
        /// Which side.
        side: Side,
        /// Records.
        found: usize,
        /// Measures.
        asked: usize,
    },
    /// SIGINT or SIGTERM.
    #[error("interrupted")]
    Interrupted,
}

/// Both sides: executable, plan and store.
#[derive(Debug)]
pub struct Duel {
    /// Baseline, candidate.
    executables: [Executable; 2],
    plans: [Plan; 2],
    stores: [Store; 2],
    turns: Vec<Turn>,
}

impl Duel {
    /// Opens or resumes the sides' directories under `out`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(asked: &Asked, executables: [Executable; 2], out: &Path) -> Result<Self, StoreError> {
        let plans = Side::BOTH.map(|side| asked.plan(side, &executables[side as usize]));
        let open = |side: Side| Store::open(&out.join(side.name()), &plans[side as usize]);
        let stores = [open(Side::Baseline)?, open(Side::Candidate)?];
        Ok(Self { executables, plans, stores, turns: asked.turns() })
    }

    /// Executable of a side.
    pub fn executable(&self, side: Side) -> &Executable {
        &self.executables[side as usize]
    }

    /// Plan and store of a side.
    pub fn side(&self, side: Side) -> (&Plan, &Store) {
        (&self.plans[side as usize], &self.stores[side as usize])
    }

    /// What each side has measured.
    pub fn records(&self) -> [&[Record]; 2] {
        Side::BOTH.map(|side| self.stores[side as usize].records())
    }

    /// Turns that are still to be made.
    pub fn left(&self) -> usize {
        self.turns.iter().filter(|turn| !self.is_done(turn)).count()
    }

    fn is_done(&self, turn: &Turn) -> bool {
        self.stores[turn.side as usize].is_done(turn.batch)
    }

    fn take(&mut self, turn: Turn, progress: &mut Progress) -> Result<(), DuelError> {
        let plan = &self.plans[turn.side as usize];
        let Some(batch) = plan.batches.get(turn.batch as usize) else { return Ok(()) };
        let job = VisitJob { scenario: plan.scenario.clone(), batch: batch.clone() };
        let side = turn.side;
        let records = self.executables[side as usize].visit(&job).map_err(|source| DuelError::Side { side, source })?;
        let slots: Vec<_> = records.iter().map(Record::slot).collect();
        if slots != batch.slots() {
            return Err(DuelError::OtherRecords { side, found: slots.len(), asked: batch.slots().len() });
        }
        let store = &mut self.stores[side as usize];
        for record in records {
            store.append(record)?;
            progress.trial();
        }
        store.finish_batch(turn.batch);
        progress.batch(batch);
        Ok(())
    }
}

/// Makes every turn that is not done yet. Of a pair that was cut in half by an interruption only the other half is made: it was
/// measured under the same plan, and a pair further apart in time is noisier, not wrong.
///
/// # Errors
/// [`DuelError`].
pub fn execute(duel: &mut Duel, cancel: &AtomicBool, progress: &mut Progress) -> Result<(), DuelError> {
    for turn in duel.turns.clone() {
        if duel.is_done(&turn) {
            continue;
        }
        if cancel.load(Ordering::Relaxed) {
            return Err(DuelError::Interrupted);
        }
        // A terminal's Ctrl-C reaches the visit too, which then ends in order and fails.
        duel.take(turn, progress)
            .map_err(|error| if cancel.load(Ordering::Relaxed) { DuelError::Interrupted } else { error })?;
    }
    for side in Side::BOTH {
        let plan = duel.plans[side as usize].clone();
        duel.stores[side as usize].finish(&plan)?;
    }
    Ok(())
}
