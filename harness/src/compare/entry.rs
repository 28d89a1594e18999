//! The measured cells of a run, of whatever kind, as a comparison sees them.

use curve_stats::Spread;

use super::quantity::{Quantity, Scale};
use crate::result::{Axes, ConnectionCurve, ConnectionPoint, Curve, Estimate, Metric, RateCurve, RunFile, Unit};

/// One quantity of one cell, and the value of every trial.
#[derive(Debug, Clone)]
pub(super) struct Entry<'a> {
    pub(super) axes: &'a Axes,
    pub(super) quantity: Quantity,
    pub(super) scale: Scale,
    pub(super) services: u32,
    /// Median over trials.
    pub(super) value: f64,
    pub(super) spread: Spread,
    pub(super) values: &'a [f64],
    pub(super) trials: u32,
    /// Packets a trial, where all trials have as many.
    pub(super) packets: Option<u64>,
    /// Whether it is a rate that holds what a queue held when sending ended.
    pub(super) counts_queues: bool,
    /// Why it cannot be trusted.
    pub(super) suspect: Option<String>,
}

/// Every cell of a run. The floor measures the probe, not a backend.
pub(super) fn entries(run: &RunFile) -> impl Iterator<Item = Entry<'_>> {
    let curves = run.curves.iter().filter(|curve| curve.key.metric != Metric::Floor);
    let packets = curves.flat_map(of_packets);
    packets.chain(run.rates.iter().flat_map(of_rates)).chain(run.connections.iter().flat_map(of_connections))
}

fn of_packets(curve: &Curve) -> impl Iterator<Item = Entry<'_>> {
    curve.points.iter().map(|point| Entry {
        axes: &curve.key.axes,
        quantity: Quantity::Packet(curve.key.metric),
        scale: Scale::Cost(curve.key.unit),
        services: point.services,
        value: point.p50,
        spread: point.spread,
        values: &point.values,
        trials: point.trials,
        packets: Some(point.packets / u64::from(point.trials.max(1))),
        counts_queues: false,
        suspect: point.suspect.clone(),
    })
}

/// Where a search found no rate there is nothing to compare.
fn of_rates(curve: &RateCurve) -> impl Iterator<Item = Entry<'_>> {
    curve.points.iter().filter_map(|point| {
        Some(Entry {
            axes: &curve.key.axes,
            quantity: Quantity::Rate(curve.key.rate, curve.key.method, curve.key.packet_size, curve.key.new_share),
            scale: Scale::Packets,
            services: point.services,
            value: point.value?,
            spread: point.spread?,
            values: &point.values,
            trials: point.trials,
            packets: None,
            counts_queues: point.counts_queues(),
            suspect: (point.irregular > 0)
                .then(|| format!("irregular in {} of {} searches", point.irregular, point.trials)),
        })
    })
}

fn of_connections(curve: &ConnectionCurve) -> impl Iterator<Item = Entry<'_>> {
    curve.points.iter().flat_map(|point| {
        quantities(curve, point).into_iter().filter_map(|(quantity, scale, estimate)| {
            let estimate = estimate?;
            Some(Entry {
                axes: &curve.key.axes,
                quantity,
                scale,
                services: point.services,
                value: estimate.value,
                spread: estimate.spread,
                values: &estimate.values,
                trials: point.trials - point.invalid,
                packets: None,
                counts_queues: false,
                suspect: point.trouble(),
            })
        })
    })
}

fn quantities<'a>(curve: &ConnectionCurve, point: &'a ConnectionPoint) -> [(Quantity, Scale, Option<&'a Estimate>); 4] {
    let load = curve.key.load;
    let (connect, exchange) = (point.connect.as_ref(), point.exchange.as_ref());
    let time = Scale::Cost(Unit::Ns);
    [
        (Quantity::Connections(load), Scale::Exchanges, point.per_second.as_ref()),
        (Quantity::Stream(load), Scale::Bits, point.bits_per_second.as_ref()),
        (Quantity::Connect(load), time, connect.map(|times| &times.p50)),
        (Quantity::Exchange(load), time, exchange.map(|times| &times.p50)),
    ]
}
