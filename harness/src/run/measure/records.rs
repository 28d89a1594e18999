//! Records of what was measured.

use super::MeasureError;
use super::site::Site;
use crate::probe::Sample;
use crate::result::{Cell, Flow, Position, Quantiles, TrialKind, TrialRecord, encode_histogram};
use crate::run::plan::Measure;
use crate::run::record::Record;

impl Site<'_> {
    pub(super) fn cell(&self, flow: Flow, position: Position) -> Cell {
        self.setup.cell(self.place.venue, &self.place.kernel, flow, position)
    }

    pub(super) fn trial(
        &self,
        measure: &Measure,
        kind: TrialKind,
        flow: Flow,
        position: Position,
        sample: &Sample,
    ) -> Result<Record, MeasureError> {
        Ok(Record::Trial(TrialRecord {
            cell: self.cell(flow, position),
            kind,
            trial: measure.trial,
            unit: self.place.unit,
            packets: sample.measured,
            mismatched: sample.mismatched,
            lost: sample.lost,
            misdirected: sample.misdirected,
            quantiles: quantiles(sample),
            histogram: encode_histogram(&sample.histogram)?,
        }))
    }
}

fn quantiles(sample: &Sample) -> Quantiles {
    let at = |quantile| sample.histogram.value_at_quantile(quantile);
    Quantiles { min: sample.min, p10: at(0.1), p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999) }
}
