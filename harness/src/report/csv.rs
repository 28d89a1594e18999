//! Curves as CSV: one row a point, for a spreadsheet, R or pandas.

use curve_stats::{Spread, median, spread};
use serde::Serialize;

use super::{fit, rates as of_rates};
use crate::result::{
    Cell, ConnectionCurve, ConnectionPoint, Curve, Estimate, LoadedLatency, Percentiles, Point, RateCurve, RunFile,
    Unit, VenueKind, flow_words, name,
};

/// Rows cannot be written as CSV.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the points as CSV")]
pub struct CsvError(#[from] csv::Error);

/// The columns. Every value is a number as JSON has it, or empty.
#[derive(Default, Serialize)]
struct Row {
    venue: Option<VenueKind>,
    kernel: String,
    backend: String,
    bracket: String,
    layout: String,
    protocol: String,
    /// Of a rate or a latency under load with a mix of flows the share of packets that open one: `10% new`.
    flow: String,
    position: String,
    metric: String,
    unit: String,
    services: u32,
    endpoints: u32,
    trials: u32,
    packets: u64,
    min: Option<f64>,
    p10: Option<f64>,
    p50: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
    p999: Option<f64>,
    /// Bounds of `p50` over trials: an interval of that level, or without one the range.
    p50_low: Option<f64>,
    p50_high: Option<f64>,
    p50_level: Option<f64>,
    class: String,
    slope_per_service: Option<f64>,
    suspect: String,
    /// Load of real connections, `packets` are then exchanges that were begun; of a latency under load the share of the loss-free rate.
    load: String,
    /// Exchanges that failed.
    failed: Option<u64>,
    /// How a rate was searched for.
    method: String,
    /// Bytes of its packets.
    packet_bytes: String,
    /// Of latencies under load: further percentiles, and what was offered.
    p9999: Option<f64>,
    max: Option<f64>,
    load_pps: Option<f64>,
    /// True where times are an emulated machine's.
    emulated: Option<bool>,
}

/// Every point of every curve, a row each, in the order of `run.json`, below a row of names. Of rates and real connections what a trial has one value of stands in
/// `p50`: the median over trials. Of latencies under load that is the median of the searches' own medians; their other percentiles are of the packets of all searches.
///
/// # Errors
/// The library refuses a row, which no content of a run can bring about.
pub fn csv(run: &RunFile) -> Result<String, CsvError> {
    let traversals = run.curves.iter().flat_map(|curve| curve.points.iter().map(move |point| row(curve, point)));
    let rates = run.rates.iter().flat_map(rates);
    let connections = run.connections.iter().flat_map(connections);
    let emulated =
        |row: &Row| row.venue.is_some_and(|venue| run.environment.is_emulated(venue, &row.kernel)).then_some(true);
    let rows = traversals.chain(rates).chain(connections).chain(run.loaded.iter().map(loaded));
    written(rows.map(|row| Row { emulated: emulated(&row), ..row }))
}

/// Rows below one of their names.
pub(super) fn written<T: Serialize>(rows: impl Iterator<Item = T>) -> Result<String, CsvError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn row(curve: &Curve, point: &Point) -> Row {
    let key = &curve.key;
    let row = Row {
        metric: key.metric.to_string(),
        unit: key.unit.to_string(),
        trials: point.trials,
        packets: point.packets,
        min: finite(point.min),
        p10: finite(point.p10),
        p90: finite(point.p90),
        p99: finite(point.p99),
        p999: finite(point.p999),
        class: fit::label(&curve.fit),
        slope_per_service: curve.fit.slope_per_service.and_then(finite),
        suspect: point.suspect.clone().unwrap_or_default(),
        ..of_cell(key.axes.cell(point.services))
    };
    row.with(Some(point.p50), Some(&point.spread))
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// The columns of a cell.
fn of_cell(cell: Cell) -> Row {
    Row {
        venue: Some(cell.venue),
        kernel: cell.kernel,
        backend: name(&cell.backend),
        bracket: name(&cell.bracket),
        layout: name(&cell.layout),
        protocol: name(&cell.protocol),
        flow: name(&cell.flow),
        position: name(&cell.position),
        services: cell.services,
        endpoints: cell.endpoints,
        ..Row::default()
    }
}

impl Row {
    /// With the median over trials and its bounds.
    fn with(self, value: Option<f64>, spread: Option<&Spread>) -> Self {
        Self {
            p50: value.and_then(finite),
            p50_low: spread.and_then(|spread| finite(spread.low())),
            p50_high: spread.and_then(|spread| finite(spread.high())),
            p50_level: spread.and_then(|spread| spread.level()).and_then(finite),
            ..self
        }
    }
}

/// A row for each N at which a search found the rate.
fn rates(curve: &RateCurve) -> Vec<Row> {
    let key = &curve.key;
    let found = curve.points.iter().filter_map(|point| Some((point, point.value?)));
    let row = |(point, value): (&crate::result::RatePoint, f64)| {
        let row = Row {
            metric: format!("rate-{}", name(&key.rate)),
            unit: "packets/s".to_owned(),
            trials: point.trials,
            suspect: point.reasons.iter().cloned().chain(of_rates::left_out(point)).collect::<Vec<_>>().join("; "),
            method: name(&key.method),
            packet_bytes: key.packet_size.to_string(),
            flow: flow_words(key.axes.flow, key.new_share),
            ..of_cell(key.axes.cell(point.services))
        };
        row.with(Some(value), point.spread.as_ref())
    };
    found.map(row).collect()
}

/// A row of one load: `load` is the share of the loss-free rate.
fn loaded(entry: &LoadedLatency) -> Row {
    let at = |quantile| entry.at(quantile).map(|value| value as f64);
    let medians: Vec<f64> = entry.p50s.iter().map(|value| *value as f64).collect();
    let row = Row {
        metric: "latency-under-load".to_owned(),
        unit: Unit::Ns.to_string(),
        trials: entry.searches,
        packets: entry.carried,
        min: at(0.0),
        p10: at(0.1),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        suspect: trouble(entry),
        load: format!("{}%", entry.share_percent),
        method: name(&entry.method),
        packet_bytes: entry.packet_size.to_string(),
        flow: flow_words(entry.cell.flow, entry.new_share),
        p9999: at(0.9999),
        max: (entry.carried > 0).then_some(entry.max as f64),
        load_pps: Some(entry.load_pps),
        ..of_cell(entry.cell.clone())
    };
    row.with(median(&medians).ok(), spread(&medians).ok().as_ref())
}

/// Packets that did not arrive where they should, and a rate that is none, in words.
fn trouble(entry: &LoadedLatency) -> String {
    let counts = [(entry.lost(), "were lost"), (entry.misdirected, "arrived elsewhere")];
    let said =
        counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} packets {what}"));
    said.chain(entry.irregularity()).collect::<Vec<_>>().join(", ")
}

/// A row for each metric of each N.
fn connections(curve: &ConnectionCurve) -> Vec<Row> {
    let of_point = |point| connection_metrics(point).into_iter().map(move |metric| connection(curve, point, metric));
    curve.points.iter().flat_map(of_point).collect()
}

/// Name, unit, what a trial has one value of, and of times the percentiles.
type ConnectionMetric<'a> = (&'static str, &'static str, &'a Estimate, Option<&'a Percentiles>);

fn connection_metrics(point: &ConnectionPoint) -> Vec<ConnectionMetric<'_>> {
    let values = [
        ("connections", "1/s", &point.per_second),
        ("stream", "bit/s", &point.bits_per_second),
        ("lag-p99", "ns", &point.lag_p99),
    ];
    let values = values.into_iter().filter_map(|(metric, unit, of)| Some((metric, unit, of.as_ref()?, None)));
    let times = [("connect", &point.connect), ("exchange", &point.exchange)];
    let times = times.into_iter().filter_map(|(metric, of)| Some((metric, "ns", &of.as_ref()?.p50, of.as_ref())));
    values.chain(times).collect()
}

fn connection(
    curve: &ConnectionCurve,
    point: &ConnectionPoint,
    (metric, unit, estimate, times): ConnectionMetric<'_>,
) -> Row {
    let row = Row {
        metric: metric.to_owned(),
        unit: unit.to_owned(),
        trials: point.trials,
        packets: point.attempted,
        p99: times.and_then(|times| finite(times.p99.as_ref()?.value)),
        p999: times.and_then(|times| finite(times.p999.as_ref()?.value)),
        suspect: point.trouble().unwrap_or_default(),
        load: curve.key.load.to_string(),
        failed: Some(point.failed()),
        ..of_cell(curve.key.axes.cell(point.services))
    };
    row.with(Some(estimate.value), Some(&estimate.spread))
}
