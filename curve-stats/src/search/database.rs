//! Every trial of a search, by load. Trials of one goal count for all others.

use std::collections::BTreeMap;

use super::TrialResult;
use super::classify::{Criteria, LoadClassification, classify};

/// The relevant bounds of a goal (sections 4.8.1 and 4.8.2), as indices of loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bounds {
    /// The largest lower bound that is below every upper bound.
    pub(super) lower: Option<u32>,
    /// The smallest upper bound.
    pub(super) upper: Option<u32>,
}

/// Trial results by index of their load.
#[derive(Debug, Default)]
pub(super) struct Database {
    by_load: BTreeMap<u32, Vec<TrialResult>>,
}

impl Database {
    pub(super) fn add(&mut self, load: u32, result: TrialResult) {
        self.by_load.entry(load).or_default().push(result);
    }

    pub(super) fn at(&self, load: u32) -> &[TrialResult] {
        self.by_load.get(&load).map_or(&[], Vec::as_slice)
    }

    /// The largest load below `load` that has trials.
    pub(super) fn below(&self, load: u32) -> Option<u32> {
        self.by_load.range(..load).next_back().map(|(index, _)| *index)
    }

    /// Going from the smallest load up, the first upper bound ends it: a lower bound beyond is taken for a fluke (section 5.3.3).
    pub(super) fn bounds(&self, criteria: &Criteria) -> Bounds {
        let mut bounds = Bounds::default();
        for (index, trials) in &self.by_load {
            match classify(criteria, trials) {
                LoadClassification::LowerBound => bounds.lower = Some(*index),
                LoadClassification::UpperBound => {
                    bounds.upper = Some(*index);
                    break;
                }
                LoadClassification::Undecided => {}
            }
        }
        bounds
    }
}
