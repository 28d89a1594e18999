//! The plan that a gate measures unless it is told otherwise.

use crate::run::scenario::{Preset, VenueChoice, Wishes};

/// `file`'s wishes in the deterministic vm, the only place where a gate's counts repeat; where they are silent, small: what has a
/// rule a service, what has hash buckets, and what has neither, at N = 1, 100 and 1,000.
pub fn gate_wishes(file: Wishes) -> Wishes {
    use crate::result::BackendKind::{IptablesLegacy, Ipvs, Nftables};
    let needed = Wishes { venue: Some(VenueChoice::Vm), deterministic: Some(true), ..Wishes::default() };
    let small = Wishes {
        preset: Some(Preset::Quick),
        backends: Some(vec![IptablesLegacy, Ipvs, Nftables]),
        services: Some(vec![1, 100, 1_000]),
        ..Wishes::default()
    };
    needed.or(file).or(small)
}
