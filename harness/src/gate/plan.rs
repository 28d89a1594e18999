//! The plan that a gate measures unless it is told otherwise.

use crate::run::scenario::{Preset, ScenarioError, VenueChoice, Wishes};

/// `file`'s wishes in the deterministic vm, the only place where a gate's counts repeat; where they are silent, small: what has a
/// rule a service, what has hash buckets, and what has neither, at N = 1, 100 and 1,000.
///
/// # Errors
/// [`ScenarioError::NotForAGate`]: the file asks for another venue, for real time, or for one seed, where a gate has several.
pub fn gate_wishes(file: Wishes) -> Result<Wishes, ScenarioError> {
    use crate::result::BackendKind::{IptablesLegacy, Ipvs, Nftables};
    let contradicts = [
        ("venue", file.venue.is_some_and(|venue| venue != VenueChoice::Vm)),
        ("deterministic", file.deterministic == Some(false)),
        ("seed", file.seed.is_some()),
    ];
    if let Some((wish, _)) = contradicts.into_iter().find(|(_, contradicts)| *contradicts) {
        return Err(ScenarioError::NotForAGate { wish });
    }
    let needed = Wishes { venue: Some(VenueChoice::Vm), deterministic: Some(true), ..Wishes::default() };
    let small = Wishes {
        preset: Some(Preset::Quick),
        backends: Some(vec![IptablesLegacy, Ipvs, Nftables]),
        services: Some(vec![1, 100, 1_000]),
        ..Wishes::default()
    };
    Ok(needed.or(file).or(small))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_a_gate_cannot_follow_is_refused_by_name() {
        let refused = |text: &str| match gate_wishes(toml::from_str(text).unwrap()) {
            Err(ScenarioError::NotForAGate { wish }) => Some(wish),
            _ => None,
        };
        assert_eq!(refused("venue = 'host'"), Some("venue"));
        assert_eq!(refused("deterministic = false"), Some("deterministic"));
        assert_eq!(refused("seed = 7"), Some("seed"));
        assert_eq!(refused("venue = 'vm'\nservices = [5]"), None);
    }
}
