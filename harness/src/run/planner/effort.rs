//! How much is measured: trials, packets, repetitions.

use crate::result::VenueKind;
use crate::run::plan::{MeasureKind, VenueOffer};
use crate::run::scenario::{Preset, Scenario};

/// Trials and packets of a venue.
pub(super) struct Effort {
    pub(super) rounds: u32,
    pub(super) trials_a_visit: u32,
    pub(super) packets: u32,
    /// Rounds that measure saturation too: it takes long, and its spread is smaller.
    saturation_rounds: u32,
    /// Rounds that search for rates too: as few, unless trials are asked for by number.
    search_rounds: u32,
}

pub(super) fn effort(scenario: &Scenario, offer: &VenueOffer) -> Effort {
    let trials = scenario.trials.unwrap_or(if offer.deterministic { 5 } else { 10 });
    let saturation_rounds = match scenario.preset {
        Preset::Quick => 3,
        Preset::Standard => 5,
        Preset::Full => trials,
    };
    let packets = scenario.packets.unwrap_or(match (offer.deterministic, offer.venue) {
        // Counts repeat, but over a cluster's services each packet draws one, and their mean is asked for.
        (true, _) if scenario.cluster.is_some() => 1_000,
        (true, _) => 200,
        (false, VenueKind::Vm | VenueKind::Sim) => 1_000,
        (false, VenueKind::Host) => 2_000,
    });
    let (rounds, trials_a_visit) = if offer.venue == VenueKind::Host { (trials, 1) } else { (1, trials) };
    let search_rounds = scenario.trials.unwrap_or(saturation_rounds);
    Effort { rounds, trials_a_visit, packets, saturation_rounds, search_rounds }
}

impl Effort {
    /// Whether a round, from 0, measures a kind.
    pub(super) fn is_in(&self, kind: MeasureKind, round: u32) -> bool {
        match kind {
            MeasureKind::Saturation { .. } => round < self.saturation_rounds,
            MeasureKind::Rates { .. } => round < self.search_rounds,
            _ => true,
        }
    }
}

pub(super) fn repetitions(kind: MeasureKind, effort: &Effort) -> u32 {
    match kind {
        MeasureKind::Programming | MeasureKind::Decisions { .. } | MeasureKind::Rates { .. } => 1,
        _ => effort.trials_a_visit,
    }
}
