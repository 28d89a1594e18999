//! Curves as CSV: one row a point, for a spreadsheet, R or pandas.

use serde::Serialize;

use super::fit;
use crate::result::{Curve, Point, RunFile, name};

/// Rows cannot be written as CSV.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the points as CSV")]
pub struct CsvError(#[from] csv::Error);

/// The columns. Every value is a number as JSON has it, or empty.
#[derive(Serialize)]
struct Row<'a> {
    venue: String,
    kernel: &'a str,
    backend: String,
    bracket: String,
    layout: String,
    protocol: String,
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
    suspect: &'a str,
}

/// Every point of every curve, a row each, in the order of `run.json`, below a row of names.
///
/// # Errors
/// The library refuses a row, which no content of a run can bring about.
pub fn csv(run: &RunFile) -> Result<String, CsvError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for curve in &run.curves {
        for point in &curve.points {
            writer.serialize(row(curve, point))?;
        }
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn row<'a>(curve: &'a Curve, point: &'a Point) -> Row<'a> {
    let key = &curve.key;
    let finite = |value: f64| value.is_finite().then_some(value);
    Row {
        venue: name(&key.axes.venue),
        kernel: &key.axes.kernel,
        backend: name(&key.axes.backend),
        bracket: name(&key.axes.bracket),
        layout: name(&key.axes.layout),
        protocol: name(&key.axes.protocol),
        flow: name(&key.axes.flow),
        position: name(&key.axes.position),
        metric: key.metric.to_string(),
        unit: key.unit.to_string(),
        services: point.services,
        endpoints: point.endpoints,
        trials: point.trials,
        packets: point.packets,
        min: finite(point.min),
        p10: finite(point.p10),
        p50: finite(point.p50),
        p90: finite(point.p90),
        p99: finite(point.p99),
        p999: finite(point.p999),
        p50_low: finite(point.spread.low()),
        p50_high: finite(point.spread.high()),
        p50_level: point.spread.level().and_then(finite),
        class: fit::label(&curve.fit),
        slope_per_service: curve.fit.slope_per_service.and_then(finite),
        suspect: point.suspect.as_deref().unwrap_or_default(),
    }
}
