//! What a search is given (section 4.6.8).

use std::time::Duration;

use super::grid::Grid;
use super::{InputError, PacketsPerSecond, SearchGoal, Width};

/// The draft's Controller Input.
#[derive(Debug, Clone, PartialEq)]
pub struct ControllerInput {
    /// Search Goals, one at least. Their order is that of the results, and changes nothing else.
    pub goals: Vec<SearchGoal>,
    /// Min Load (section 4.6.8.2): no trial has a smaller one. At least one packet in the shortest trial.
    pub min_load: PacketsPerSecond,
    /// Max Load (section 4.6.8.1): no trial has a larger one.
    pub max_load: PacketsPerSecond,
    /// How much the search may take.
    pub budget: Budget,
}

/// How much a search may take. It never takes more trials, and stops before a trial that would exceed the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Trials, invalid ones included.
    pub trials: usize,
    /// Time of trials: what they really took, with what the next is to take.
    pub time: Duration,
}

impl ControllerInput {
    /// Checks everything, and lays out the loads.
    pub(super) fn grid(&self) -> Result<Grid, InputError> {
        let narrowest = self.goals.iter().map(|goal| goal.width.0).reduce(f64::min).ok_or(InputError::NoGoals)?;
        self.goals.iter().try_for_each(SearchGoal::check)?;
        let (min, max) = (self.min_load, self.max_load);
        let shortest = self.shortest();
        if min.0 * shortest.as_secs_f64() < 1.0 {
            return Err(InputError::NoPacket { min, shortest });
        }
        if min >= max {
            return Err(InputError::Limits { min, max });
        }
        Grid::new(min, max, Width(narrowest))
    }

    /// The shortest trial that is chosen.
    pub(super) fn shortest(&self) -> Duration {
        self.goals.iter().map(|goal| goal.initial_trial_duration).min().unwrap_or_default()
    }
}
