//! What the packets of a trial took.

use datapath_common::histogram::{MAX_VALUE, SIGNIFICANT_DIGITS};
use datapath_sim::{Datapath, Decision, Packet};
use hdrhistogram::Histogram;

use super::SimError;
use super::datapath::Site;
use crate::result::{Cell, Quantiles, TrialKind, TrialRecord, encode_histogram};
use crate::run::measure::Place;
use crate::run::plan::Measure;

/// What a trial counted.
pub(super) struct Tally {
    histogram: Histogram<u64>,
    min: u64,
    sent: u64,
    misdirected: u64,
}

impl Tally {
    pub(super) fn new(sent: u64) -> Result<Self, SimError> {
        let histogram = Histogram::new_with_bounds(1, MAX_VALUE, SIGNIFICANT_DIGITS)?;
        Ok(Self { histogram, min: u64::MAX, sent, misdirected: 0 })
    }

    /// A packet that is answered with an error or dropped is lost, one that leaves for no pod is misdirected.
    pub(super) fn add(&mut self, node: &mut dyn Datapath, packet: &Packet, site: &Site) -> Result<(), SimError> {
        let outcome = node.process(packet);
        if matches!(outcome.decision, Decision::Reject | Decision::Drop) {
            return Ok(());
        }
        if !site.workload.addresses.cluster_cidr.contains(outcome.packet.destination.ip()) {
            self.misdirected += 1;
            return Ok(());
        }
        let steps = outcome.steps.total();
        self.min = self.min.min(steps);
        self.histogram.record(steps).map_err(|source| SimError::Record { steps, source })
    }

    pub(super) fn record(self, cell: Cell, place: &Place, measure: &Measure) -> Result<TrialRecord, SimError> {
        let packets = self.histogram.len();
        let at = |quantile| self.histogram.value_at_quantile(quantile);
        let min = if packets == 0 { 0 } else { self.min };
        Ok(TrialRecord {
            cell,
            kind: TrialKind::Traversal,
            trial: measure.trial,
            unit: place.unit,
            packets,
            mismatched: 0,
            lost: self.sent - packets - self.misdirected,
            misdirected: self.misdirected,
            quantiles: Quantiles { min, p10: at(0.1), p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999) },
            histogram: encode_histogram(&self.histogram)?,
        })
    }
}
