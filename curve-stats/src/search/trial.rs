//! Trials, and who measures them (sections 4.5 and 4.9.1).

use std::fmt;
use std::time::Duration;

use super::{OutcomeError, PacketsPerSecond};

/// What a measurer is asked for: the draft's Trial Input (section 4.5.3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// Trial Load: the rate to offer.
    pub load: PacketsPerSecond,
    /// Trial Duration: how long to offer it.
    pub duration: Duration,
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "trial of {:?} at {}", self.duration, self.load)
    }
}

/// Whether the sender offered what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Within the measurer's tolerance.
    Kept,
    /// It fell behind: the trial says nothing about the device.
    Missed,
}

/// What came of a trial, as counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrialOutcome {
    offered: u64,
    forwarded: u64,
    duration: Duration,
    pace: Pace,
}

impl TrialOutcome {
    /// Packets that were offered and forwarded, how long sending really took, and whether the sender kept its rate. What the tester
    /// left unsent is not lost by the device: it belongs into `pace`.
    ///
    /// # Errors
    /// Nothing was offered, or more forwarded than offered (section 4.5.5: a forwarding ratio is at most 1).
    pub fn new(offered: u64, forwarded: u64, duration: Duration, pace: Pace) -> Result<Self, OutcomeError> {
        match offered {
            0 => Err(OutcomeError::NothingOffered),
            _ if forwarded > offered => Err(OutcomeError::MoreThanOffered { offered, forwarded }),
            _ => Ok(Self { offered, forwarded, duration, pace }),
        }
    }

    /// Packets that the sender sent.
    #[must_use]
    pub fn offered(&self) -> u64 {
        self.offered
    }

    /// Packets that the device forwarded.
    #[must_use]
    pub fn forwarded(&self) -> u64 {
        self.forwarded
    }

    /// Packets that the device lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.offered - self.forwarded
    }

    /// How long sending really took.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// Whether the sender kept its rate.
    #[must_use]
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Packets a second that the sender really sent.
    pub(super) fn sent_rate(&self) -> f64 {
        self.offered as f64 / self.duration.as_secs_f64()
    }
}

/// A trial and its outcome (section 4.5.10).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrialResult {
    /// What was asked for.
    pub trial: Trial,
    /// What came of it.
    pub outcome: TrialOutcome,
}

impl TrialResult {
    /// Trial Loss Ratio (section 4.5.6), 0 to 1: lost over offered.
    #[must_use]
    pub fn loss_ratio(&self) -> f64 {
        self.outcome.lost() as f64 / self.outcome.offered as f64
    }

    /// Trial Forwarding Ratio (section 4.5.5), 0 to 1.
    #[must_use]
    pub fn forwarding_ratio(&self) -> f64 {
        self.outcome.forwarded as f64 / self.outcome.offered as f64
    }

    /// Trial Forwarding Rate (section 4.5.7): load times forwarding ratio.
    #[must_use]
    pub fn forwarding_rate(&self) -> PacketsPerSecond {
        PacketsPerSecond(self.trial.load.0 * self.forwarding_ratio())
    }

    /// Trial Effective Duration (section 4.5.8). It is the Trial Duration, which is the draft's default: where the sender kept its
    /// rate the two differ by less than a packet's time, and a sum of durations must not miss its threshold by that.
    #[must_use]
    pub fn effective_duration(&self) -> Duration {
        self.trial.duration
    }
}

/// Who performs trials (section 4.9.1): a traffic generator and its counters, or a simulated device.
///
/// A device that needs a warm-up gets it before the search (section 5.3.4): the first trial counts like any other.
pub trait Measurer {
    /// What can go wrong in a trial.
    type Error: std::error::Error + 'static;

    /// Offers `load` for `duration` and counts what is forwarded.
    ///
    /// # Errors
    /// The trial could not be performed. It ends the search.
    fn measure(&mut self, load: PacketsPerSecond, duration: Duration) -> Result<TrialOutcome, Self::Error>;
}
