//! Load Classification (section 6.1 and appendix A): what the trials at one load make of it.

use std::time::Duration;

use super::TrialResult;

/// What a load is to a goal (section 4.7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadClassification {
    /// Certain to meet the goal, whatever trials up to the Goal Duration Sum would add.
    LowerBound,
    /// Certain to fail it.
    UpperBound,
    /// Trials that are missing would decide.
    Undecided,
}

/// What trials are held to: a goal's own attributes, or those of a coarser target before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Criteria {
    pub(super) loss_ratio: f64,
    pub(super) exceed_ratio: f64,
    pub(super) trial_duration: Duration,
    pub(super) duration_sum: Duration,
}

impl Criteria {
    /// Whether a trial is long enough to decide by itself (section 4.7.1.4).
    pub(super) fn full_length(&self, result: &TrialResult) -> bool {
        result.trial.duration >= self.trial_duration
    }

    fn high_loss(&self, result: &TrialResult) -> bool {
        result.loss_ratio() > self.loss_ratio
    }

    /// The larger of the goal's sum of durations and what full-length trials have taken, in seconds.
    pub(super) fn whole(&self, seconds: f64) -> f64 {
        seconds.max(self.duration_sum.as_secs_f64())
    }
}

/// Seconds of trials at one load, by length and loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sums {
    pub(super) full_low: f64,
    pub(super) full_high: f64,
    pub(super) short_low: f64,
    pub(super) short_high: f64,
}

impl Sums {
    pub(super) fn of(criteria: &Criteria, trials: &[TrialResult]) -> Self {
        let sum = |full: bool, high: bool| {
            let counts =
                |result: &&TrialResult| criteria.full_length(result) == full && criteria.high_loss(result) == high;
            let durations = trials.iter().filter(counts).map(TrialResult::effective_duration);
            durations.fold(Duration::ZERO, Duration::saturating_add).as_secs_f64()
        };
        Self {
            full_low: sum(true, false),
            full_high: sum(true, true),
            short_low: sum(false, false),
            short_high: sum(false, true),
        }
    }

    /// Seconds that count as high-loss: full-length ones, and what short high-loss trials have beyond what short low-loss trials
    /// make up for. Short low-loss trials never count for a load by themselves.
    pub(super) fn effective_high(&self, criteria: &Criteria) -> f64 {
        let exceed_coefficient = criteria.exceed_ratio / (1.0 - criteria.exceed_ratio);
        self.full_high + (self.short_high - self.short_low * exceed_coefficient).max(0.0)
    }
}

/// Classifies a load by all trials at it.
pub(super) fn classify(criteria: &Criteria, trials: &[TrialResult]) -> LoadClassification {
    let sums = Sums::of(criteria, trials);
    let high = sums.effective_high(criteria);
    let whole = criteria.whole(sums.full_low + high);
    let allowed = whole * criteria.exceed_ratio;
    // The worst that is possible: every second that is missing, or was high-loss, is high-loss.
    let pessimistic_high = whole - sums.full_low;
    match (pessimistic_high <= allowed, high <= allowed) {
        (true, true) => LoadClassification::LowerBound,
        (false, false) => LoadClassification::UpperBound,
        _ => LoadClassification::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds, as the draft's appendix C gives them for one load at one point in time: what is summed (full-length high and low,
    /// short high and low), then effective high-loss sum, effective whole sum and pessimistic high-loss sum.
    type Row = ([f64; 4], [f64; 3]);

    /// The goals of C.1: duration sum in seconds, exceed ratio; and their columns of tables 1 to 6.
    const GOALS: [(u64, f64, [Row; 6]); 4] = [
        (
            60,
            0.0,
            [
                ([0.0, 0.0, 0.0, 59.0], [0.0, 60.0, 60.0]),
                ([0.0, 0.0, 1.0, 59.0], [1.0, 60.0, 60.0]),
                ([0.0, 0.0, 60.0, 59.0], [60.0, 60.0, 60.0]),
                ([0.0, 0.0, 60.0, 60.0], [60.0, 60.0, 60.0]),
                ([60.0, 0.0, 60.0, 60.0], [120.0, 120.0, 120.0]),
                ([60.0, 60.0, 60.0, 60.0], [120.0, 180.0, 120.0]),
            ],
        ),
        (
            120,
            0.5,
            [
                ([0.0, 0.0, 0.0, 59.0], [0.0, 120.0, 120.0]),
                ([0.0, 0.0, 1.0, 59.0], [0.0, 120.0, 120.0]),
                ([0.0, 0.0, 60.0, 59.0], [1.0, 120.0, 120.0]),
                ([0.0, 0.0, 60.0, 60.0], [0.0, 120.0, 120.0]),
                ([60.0, 0.0, 60.0, 60.0], [60.0, 120.0, 120.0]),
                ([60.0, 60.0, 60.0, 60.0], [60.0, 120.0, 60.0]),
            ],
        ),
        (
            120,
            0.5,
            [
                ([0.0, 59.0, 0.0, 0.0], [0.0, 120.0, 61.0]),
                ([1.0, 59.0, 0.0, 0.0], [1.0, 120.0, 61.0]),
                ([60.0, 59.0, 0.0, 0.0], [60.0, 120.0, 61.0]),
                ([60.0, 60.0, 0.0, 0.0], [60.0, 120.0, 60.0]),
                ([60.0, 120.0, 0.0, 0.0], [60.0, 180.0, 60.0]),
                ([60.0, 180.0, 0.0, 0.0], [60.0, 240.0, 60.0]),
            ],
        ),
        (
            60,
            0.2,
            [
                ([0.0, 0.0, 0.0, 59.0], [0.0, 60.0, 60.0]),
                ([0.0, 0.0, 1.0, 59.0], [0.0, 60.0, 60.0]),
                ([0.0, 0.0, 60.0, 59.0], [45.25, 60.0, 60.0]),
                ([0.0, 0.0, 60.0, 60.0], [45.0, 60.0, 60.0]),
                ([0.0, 60.0, 60.0, 60.0], [45.0, 105.0, 45.0]),
                ([0.0, 120.0, 60.0, 60.0], [45.0, 165.0, 45.0]),
            ],
        ),
    ];

    #[test]
    fn the_sums_are_those_of_the_tables() {
        for (goal, (sum, exceed_ratio, rows)) in GOALS.iter().enumerate() {
            let duration_sum = Duration::from_secs(*sum);
            let criteria =
                Criteria { loss_ratio: 0.0, exceed_ratio: *exceed_ratio, trial_duration: duration_sum, duration_sum };
            for (point, ([full_high, full_low, short_high, short_low], expected)) in rows.iter().copied().enumerate() {
                let sums = Sums { full_low, full_high, short_low, short_high };
                let high = sums.effective_high(&criteria);
                let whole = criteria.whole(full_low + high);
                assert_eq!([high, whole, whole - full_low], expected, "goal {}, point {}", goal + 1, point + 1);
            }
        }
    }
}
