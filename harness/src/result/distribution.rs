//! All trials of a cell as one distribution: a percentile spectrum fine enough for an HDR plot over 1 / (1 - quantile).

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AssembleError, Cell, MergeError, MergedHistogram, TrialKind, TrialRecord, Unit};

/// Quantiles of a distribution: those that people ask for, and steps between them that halve what is above.
const QUANTILES: [f64; 37] = [
    0.0, 0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.875, 0.9, 0.925, 0.9375, 0.95, 0.96,
    0.97, 0.975, 0.98, 0.985, 0.99, 0.9925, 0.995, 0.9975, 0.998, 0.999, 0.9992, 0.9995, 0.999_75, 0.9999, 0.999_95,
    0.999_99, 1.0,
];

/// A quantile and its value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuantileValue {
    /// From 0 to 1.
    pub quantile: f64,
    /// Value that this share of the packets does not exceed.
    pub value: u64,
}

/// All packets of a cell's trials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Distribution {
    /// The cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// What was timed.
    pub kind: TrialKind,
    /// Unit of the values.
    pub unit: Unit,
    /// Packets timed.
    pub packets: u64,
    /// Exact minimum; 0 without a packet.
    pub min: u64,
    /// Highest value, to three significant digits.
    pub max: u64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub stdev: f64,
    /// Percentile spectrum, ascending; empty without a packet.
    pub quantiles: Vec<QuantileValue>,
}

/// The percentile spectrum of a histogram whose exact minimum is `min`.
pub(super) fn spectrum(min: u64, histogram: &Histogram<u64>) -> Vec<QuantileValue> {
    let value = |quantile| if quantile == 0.0 { min } else { histogram.value_at_quantile(quantile).max(min) };
    QUANTILES.iter().map(|&quantile| QuantileValue { quantile, value: value(quantile) }).collect()
}

/// One distribution for each cell, kind and unit of `trials`, which are in that order.
pub(super) fn distributions(trials: &[&TrialRecord]) -> Result<Vec<Distribution>, AssembleError> {
    let mut merged = MergedHistogram::new();
    let same = |a: &&TrialRecord, b: &&TrialRecord| (&a.cell, a.kind, a.unit) == (&b.cell, b.kind, b.unit);
    let groups = trials.chunk_by(same).filter_map(|group| Some((*group.first()?, group)));
    groups
        .map(|(first, group)| {
            distribution(&mut merged, first, group)
                .map_err(|source| AssembleError::Distribution { cell: Box::new(first.cell.clone()), source })
        })
        .collect()
}

fn distribution(
    merged: &mut MergedHistogram,
    first: &TrialRecord,
    trials: &[&TrialRecord],
) -> Result<Distribution, MergeError> {
    merged.clear();
    for trial in trials {
        merged.add(&trial.histogram, trial.packets)?;
    }
    let timed = trials.iter().filter(|trial| trial.packets > 0);
    let min = timed.map(|trial| trial.quantiles.min).min().unwrap_or(0);
    let histogram = merged.histogram()?;
    let quantiles = if histogram.is_empty() { Vec::new() } else { spectrum(min, &histogram) };
    Ok(Distribution {
        cell: first.cell.clone(),
        kind: first.kind,
        unit: first.unit,
        packets: histogram.len(),
        min,
        max: histogram.max(),
        mean: histogram.mean(),
        stdev: histogram.stdev(),
        quantiles,
    })
}
