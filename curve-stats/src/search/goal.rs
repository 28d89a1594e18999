//! What is searched for (section 4.6).

use std::time::Duration;

use super::classify::{Criteria, LoadClassification, classify};
use super::throughput::conditional_throughput;
use super::{ConditionalThroughput, GoalAttribute, InputError, PacketsPerSecond, Ratio, TrialResult, Width};

/// A Search Goal (section 4.6.7): which loads are to be told from which, and how exactly.
///
/// Goals of one search should share their final trial duration, and no width should be below a loss ratio (sections 4.6.1 and 5.6.2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SearchGoal {
    /// Goal Loss Ratio (4.6.3): a trial that loses a larger share is a high-loss trial. Below 1.
    pub loss_ratio: Ratio,
    /// Goal Exceed Ratio (4.6.4): the share of trials (by duration) that may be high-loss at a lower bound. Below 1.
    pub exceed_ratio: Ratio,
    /// Goal Initial Trial Duration (4.6.6): the shortest trial that is chosen for this goal.
    pub initial_trial_duration: Duration,
    /// Goal Final Trial Duration (4.6.1): shorter trials never make a lower bound.
    pub final_trial_duration: Duration,
    /// Goal Duration Sum (4.6.2): full-length trials of this much in all decide a load.
    pub duration_sum: Duration,
    /// Goal Width (4.6.5): how far apart the two bounds of a regular result may be, as a share of the upper.
    pub width: Width,
    /// Coarser targets before the goal itself: each is twice as wide as the next, with shorter trials and a smaller sum of
    /// durations. CSIT's way to spend little time far from the result.
    pub preceding_targets: u8,
}

impl SearchGoal {
    /// FD.io CSIT's non-drop rate: 21 trials of one second, of which half may lose, bounds within 0.5%.
    pub const NDR: Self = Self {
        loss_ratio: Ratio::ZERO,
        exceed_ratio: Ratio(0.5),
        initial_trial_duration: Duration::from_secs(1),
        final_trial_duration: Duration::from_secs(1),
        duration_sum: Duration::from_secs(21),
        width: Width(0.005),
        preceding_targets: 2,
    };

    /// FD.io CSIT's partial drop rate: the same with a loss ratio of 0.5%.
    pub const PDR: Self = Self { loss_ratio: Ratio(0.005), ..Self::NDR };

    /// The goal whose result is the throughput of RFC 2544 (section 4.10.2): no loss in one trial of 60 seconds.
    #[must_use]
    pub fn rfc2544(width: Width) -> Self {
        let minute = Duration::from_secs(60);
        Self { exceed_ratio: Ratio::ZERO, final_trial_duration: minute, duration_sum: minute, width, ..Self::NDR }
    }

    /// What the trials at one load make of it for this goal (section 4.7.2).
    #[must_use]
    pub fn classify(&self, trials: &[TrialResult]) -> LoadClassification {
        classify(&self.criteria(), trials)
    }

    /// What the trials at one load would give as its conditional throughput for this goal (section 4.8.3), if they include a
    /// full-length one.
    #[must_use]
    pub fn conditional_throughput(
        &self,
        load: PacketsPerSecond,
        trials: &[TrialResult],
    ) -> Option<ConditionalThroughput> {
        conditional_throughput(&self.criteria(), load, trials)
    }

    pub(super) fn check(&self) -> Result<(), InputError> {
        use GoalAttribute::{DurationSum, ExceedRatio, FinalTrialDuration, InitialTrialDuration, LossRatio};
        let goal = *self;
        let ratios = [(LossRatio, self.loss_ratio), (ExceedRatio, self.exceed_ratio)];
        if let Some((attribute, _)) = ratios.into_iter().find(|(_, ratio)| ratio.0 >= 1.0) {
            return Err(InputError::MetByAll { attribute, goal });
        }
        let durations = [
            (InitialTrialDuration, self.initial_trial_duration),
            (FinalTrialDuration, self.final_trial_duration),
            (DurationSum, self.duration_sum),
        ];
        if let Some((attribute, _)) = durations.into_iter().find(|(_, duration)| duration.is_zero()) {
            return Err(InputError::NoDuration { attribute, goal });
        }
        if self.initial_trial_duration > self.final_trial_duration {
            let (initial, last) = (self.initial_trial_duration, self.final_trial_duration);
            return Err(InputError::InitialAboveFinal { initial, last });
        }
        Ok(())
    }

    pub(super) fn criteria(&self) -> Criteria {
        self.criteria_at(1.0)
    }

    /// Criteria on the way from the first target (0) to the goal itself (1): durations grow geometrically, the first sum is one
    /// initial trial.
    fn criteria_at(&self, progress: f64) -> Criteria {
        let first = self.initial_trial_duration;
        Criteria {
            loss_ratio: self.loss_ratio.0,
            exceed_ratio: self.exceed_ratio.0,
            trial_duration: between(first, self.final_trial_duration, progress),
            duration_sum: between(first, self.duration_sum, progress),
        }
    }

    /// The coarser targets and the goal itself. `width` is the goal's, in steps of the grid of loads.
    pub(super) fn targets(&self, width: u32) -> Vec<Target> {
        let last = u32::from(self.preceding_targets);
        let target = |index| {
            let progress = if last == 0 { 1.0 } else { f64::from(index) / f64::from(last) };
            let doubled = 1_u32.checked_shl(last - index).unwrap_or(u32::MAX);
            Target { criteria: self.criteria_at(progress), width: width.saturating_mul(doubled) }
        };
        (0..=last).map(target).collect()
    }
}

/// A stage on the way to a goal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Target {
    pub(super) criteria: Criteria,
    /// How far apart the bounds may be, in steps of the grid.
    pub(super) width: u32,
}

fn between(first: Duration, last: Duration, progress: f64) -> Duration {
    if first == last || progress >= 1.0 {
        return last;
    }
    let (first, last) = (first.as_secs_f64(), last.as_secs_f64());
    Duration::from_secs_f64(first * (last / first).powf(progress))
}
