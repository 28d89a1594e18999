//! Maximum Receive Rate: what is forwarded of short bursts at maximum load, whatever is lost.
//!
//! FD.io CSIT takes it for every change, since it takes seconds: ten bursts of one second, their mean and standard deviation. It is
//! no throughput: a device that loses what it cannot carry may carry more, or less, when less is offered.

use std::time::Duration;

use super::{InputError, Measurer, Pace, PacketsPerSecond, SearchError, Trial, TrialResult};

/// What came of the bursts.
#[derive(Debug, Clone, PartialEq)]
pub struct MaximumReceiveRate {
    /// Mean of `values`.
    pub mean: PacketsPerSecond,
    /// Standard deviation of `values` (of a sample: n - 1), where there are two.
    pub stdev: Option<PacketsPerSecond>,
    /// Forwarding rate of each valid burst, in the order of time.
    pub values: Vec<PacketsPerSecond>,
    /// Valid bursts of which nothing was lost. Where there are any, the rate is what was offered, and the device may carry more.
    pub lossless: u32,
    /// Bursts in which the sender did not keep its rate. They are in no figure.
    pub invalid: u32,
}

/// Sends `bursts` bursts of `duration` at `max_load`.
///
/// # Errors
/// No burst or no duration was asked for, less than a packet is a burst, a burst failed, or in none the sender kept its rate.
pub fn mrr<M: Measurer>(
    measurer: &mut M,
    max_load: PacketsPerSecond,
    bursts: u32,
    duration: Duration,
) -> Result<MaximumReceiveRate, SearchError<M::Error>> {
    if bursts == 0 {
        return Err(InputError::NoBursts.into());
    }
    if max_load.0 * duration.as_secs_f64() < 1.0 {
        return Err(InputError::NoPacket { min: max_load, shortest: duration }.into());
    }
    let trial = Trial { load: max_load, duration };
    let mut valid = Vec::new();
    for _ in 0..bursts {
        let outcome = measurer.measure(max_load, duration).map_err(|source| SearchError::Measurer { trial, source })?;
        if outcome.pace() == Pace::Kept {
            valid.push(TrialResult { trial, outcome });
        }
    }
    summary(&valid, bursts).ok_or(SearchError::NoValidBurst { bursts, trial })
}

fn summary(valid: &[TrialResult], bursts: u32) -> Option<MaximumReceiveRate> {
    if valid.is_empty() {
        return None;
    }
    let values: Vec<_> = valid.iter().map(TrialResult::forwarding_rate).collect();
    let count = values.len() as f64;
    let mean = values.iter().map(|value| value.0).sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value.0 - mean).powi(2)).sum();
    let stdev = (values.len() > 1).then(|| PacketsPerSecond((squares / (count - 1.0)).sqrt()));
    let lossless = valid.iter().filter(|result| result.outcome.lost() == 0).count() as u32;
    let invalid = bursts - values.len() as u32;
    Some(MaximumReceiveRate { mean: PacketsPerSecond(mean), stdev, values, lossless, invalid })
}
