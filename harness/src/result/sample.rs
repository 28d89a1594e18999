//! One trial's contribution to a curve, and the point that several of them make.

use curve_stats::{Observation, StatsError, median, spread};

use super::{Integrity, Point, Quantiles, TrialRecord};

/// Quantiles in the order min, p10, p50, p90, p99, p999.
type Six = [f64; 6];

/// Index of the median in [`Six`].
const P50: usize = 2;

/// One trial of a curve at one N.
pub(super) struct Sample {
    quantiles: Six,
    packets: u64,
    pub(super) integrity: Integrity,
    /// Median that was subtracted, where the sample is a difference.
    baseline: Option<f64>,
}

fn six(q: &Quantiles) -> Six {
    // Exact below 2^53: 104 days in nanoseconds.
    [q.min, q.p10, q.p50, q.p90, q.p99, q.p999].map(|value| value as f64)
}

impl Sample {
    /// The trial as it was measured.
    pub(super) fn traversal(trial: &TrialRecord) -> Self {
        let TrialRecord { packets, mismatched, lost, misdirected, .. } = *trial;
        Self {
            quantiles: six(&trial.quantiles),
            packets,
            integrity: Integrity { mismatched, lost, misdirected },
            baseline: None,
        }
    }

    /// Quantile minus quantile of the paired `direct-conntrack` trial; signed.
    pub(super) fn added(trial: &TrialRecord, baseline: &TrialRecord) -> Self {
        let (mut own, without) = (Self::traversal(trial), Self::traversal(baseline));
        for (value, base) in own.quantiles.iter_mut().zip(without.quantiles) {
            *value -= base;
        }
        own.integrity.add(without.integrity);
        own.baseline = Some(without.median());
        own
    }

    fn median(&self) -> f64 {
        self.quantiles[P50]
    }

    /// What enters the fit: the median, and for a difference what it was taken from.
    pub(super) fn observation(&self, services: u32) -> Observation {
        match self.baseline {
            None => Observation::new(services, self.median()),
            Some(baseline) => Observation::difference(services, self.median() + baseline, baseline),
        }
    }
}

impl Integrity {
    /// Sums, saturating: a count beyond u64 is not to be told from the largest.
    pub(super) fn add(&mut self, other: Self) {
        self.mismatched = self.mismatched.saturating_add(other.mismatched);
        self.lost = self.lost.saturating_add(other.lost);
        self.misdirected = self.misdirected.saturating_add(other.misdirected);
    }

    fn is_suspect(self) -> bool {
        self.lost > 0 || self.misdirected > 0 || self.mismatched > 0
    }
}

/// Why the samples of one N cannot be trusted, if so.
pub(super) fn suspect(samples: &[Sample]) -> Option<String> {
    let bad = samples.iter().filter(|sample| sample.integrity.is_suspect()).count();
    let mut sum = Integrity::default();
    samples.iter().for_each(|sample| sum.add(sample.integrity));
    let Integrity { lost, misdirected, mismatched } = sum;
    (bad > 0).then(|| {
        format!(
            "{bad} of {} trials: {lost} packets lost, {misdirected} misdirected, {mismatched} mismatched",
            samples.len()
        )
    })
}

/// Medians over the samples of one N, quantile by quantile.
pub(super) fn point(services: u32, endpoints: u32, samples: &[Sample]) -> Result<Point, StatsError> {
    let over_trials = |index: usize| {
        let values: Vec<_> = samples.iter().map(|sample| sample.quantiles[index]).collect();
        median(&values)
    };
    let values: Vec<_> = samples.iter().map(Sample::median).collect();
    Ok(Point {
        services,
        endpoints,
        trials: u32::try_from(samples.len()).unwrap_or(u32::MAX),
        packets: samples.iter().fold(0, |sum, sample| sum.saturating_add(sample.packets)),
        min: over_trials(0)?,
        p10: over_trials(1)?,
        p50: over_trials(P50)?,
        p90: over_trials(3)?,
        p99: over_trials(4)?,
        p999: over_trials(5)?,
        spread: spread(&values)?,
        values,
        suspect: suspect(samples),
    })
}
