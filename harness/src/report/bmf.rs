//! Bencher Metric Format: benchmarks by name, each with measures of a value and its bounds.

use std::collections::BTreeMap;

use curve_stats::quantile;
use serde::Serialize;

use crate::result::{
    Bracket, Cell, ConnectionPoint, Estimate, Metric, ProgrammingOp, RunFile, VenueKind, flow_words, name,
};

/// One measure of a benchmark.
#[derive(Serialize)]
struct Value {
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lower_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upper_value: Option<f64>,
}

/// Measures by benchmark and by their own name. Names are sorted, so equal runs give equal files.
type Benchmarks = BTreeMap<String, BTreeMap<String, Value>>;

/// A run as Bencher Metric Format, ending in a line feed.
///
/// A benchmark is a cell (`vm/6.1.0/ipvs/sequential/udp/N=100/M=2/new/first`) or a programming operation; measures are
/// `added-UNIT`, `traversal-UNIT`, `programming-UNIT`, `throughput`, `rate-no-loss`, `rate-partial-loss` and `rate-received` (packets a second). A rate
/// of a mix of flows names its share in place of the flow (`.../M=2/10%-new/last`). Of real
/// connections the load follows on the cell (`.../new/last/reuse:16`, an open loop's as `2000-a-second`), and measures are `connections` (a second), `bits` (a second, of streams),
/// `connect-p50-ns`, `connect-p99-ns`, `exchange-p50-ns`, `exchange-p99-ns` and `failed` (share of the attempts). Values are medians over trials, bounds
/// the interval of the median, or the range where the trials are too few for one.
/// Times of an emulated machine are those of `vm-emulated/...`. Measures carry their unit in their name, because Bencher's own `latency` is a time and instructions are none.
#[must_use]
pub fn bmf(run: &RunFile) -> String {
    let mut benchmarks = Benchmarks::new();
    for curve in run.curves.iter().filter(|curve| curve.key.metric != Metric::Floor) {
        for point in &curve.points {
            let measure = format!("{}-{}", curve.key.metric, curve.key.unit);
            put(
                &mut benchmarks,
                benchmark(run, &curve.key.axes.cell(point.services)),
                measure,
                point.p50,
                Some([point.spread.low(), point.spread.high()]),
            );
        }
    }
    throughput(run, &mut benchmarks);
    rates(run, &mut benchmarks);
    connections(run, &mut benchmarks);
    programming(run, &mut benchmarks);
    // Maps of strings and finite numbers always have a text.
    serde_json::to_string_pretty(&benchmarks).unwrap_or_default() + "\n"
}

/// JSON knows no number that is not finite: such a measure is left out.
fn put(benchmarks: &mut Benchmarks, benchmark: String, measure: String, value: f64, bounds: Option<[f64; 2]>) {
    if value.is_finite() {
        let [lower_value, upper_value] =
            bounds.filter(|ends| ends.iter().all(|end| end.is_finite())).map_or([None; 2], |ends| ends.map(Some));
        benchmarks.entry(benchmark).or_default().insert(measure, Value { value, lower_value, upper_value });
    }
}

fn benchmark(run: &RunFile, cell: &Cell) -> String {
    benchmark_of(run, cell, &name(&cell.flow))
}

/// A cell, with these flows.
fn benchmark_of(run: &RunFile, cell: &Cell, flow: &str) -> String {
    let Cell { venue, kernel, backend, bracket, layout, protocol, services, endpoints, position, .. } = cell;
    let bracket = bracket_part(*bracket);
    let (backend, layout, protocol, position) = (name(backend), name(layout), name(protocol), name(position));
    let place = place(run, *venue, kernel);
    format!("{place}/{backend}{bracket}/{layout}/{protocol}/N={services}/M={endpoints}/{flow}/{position}")
}

/// A part of a path for a bracket other than the one that is taken for granted, so that older names stay.
pub(super) fn bracket_part(bracket: Bracket) -> &'static str {
    match bracket {
        Bracket::Tc => "",
        Bracket::Xdp => "/xdp-bracket",
    }
}

fn place(run: &RunFile, venue: VenueKind, kernel: &str) -> String {
    let machine = if run.environment.is_emulated(venue, kernel) { "-emulated" } else { "" };
    format!("{}{machine}/{kernel}", name(&venue))
}

fn throughput(run: &RunFile, benchmarks: &mut Benchmarks) {
    let mut rates = BTreeMap::<&Cell, Vec<f64>>::new();
    for trial in &run.throughput {
        rates.entry(&trial.cell).or_default().push(trial.forwarded_pps);
    }
    for (cell, rates) in rates {
        summarize(benchmarks, benchmark(run, cell), "throughput".to_owned(), &rates);
    }
}

fn rates(run: &RunFile, benchmarks: &mut Benchmarks) {
    for curve in &run.rates {
        for point in &curve.points {
            let Some(value) = point.value else { continue };
            let size = curve.key.packet_size;
            let bytes = if size.is_default() { String::new() } else { format!("-{size}") };
            let measure = format!("rate-{}{bytes}", name(&curve.key.rate));
            let flow = flow_words(curve.key.axes.flow, curve.key.new_share).replace(' ', "-");
            let cell = benchmark_of(run, &curve.key.axes.cell(point.services), &flow);
            put(benchmarks, cell, measure, value, point.spread.as_ref().map(|spread| [spread.low(), spread.high()]));
        }
    }
}

fn connections(run: &RunFile, benchmarks: &mut Benchmarks) {
    for curve in &run.connections {
        // A slash parts a name.
        let load = curve.key.load.to_string().replace("/s", "-a-second");
        for point in &curve.points {
            let benchmark = format!("{}/{load}", benchmark(run, &curve.key.axes.cell(point.services)));
            for (measure, estimate) in connection_measures(point) {
                let bounds = [estimate.spread.low(), estimate.spread.high()];
                put(benchmarks, benchmark.clone(), measure.to_owned(), estimate.value, Some(bounds));
            }
            let failed = point.failed() as f64 / point.attempted as f64;
            put(benchmarks, benchmark, "failed".to_owned(), failed, None);
        }
    }
}

fn connection_measures(point: &ConnectionPoint) -> impl Iterator<Item = (&'static str, &Estimate)> {
    let (connect, exchange) = (point.connect.as_ref(), point.exchange.as_ref());
    let measures = [
        ("connections", point.per_second.as_ref()),
        ("bits", point.bits_per_second.as_ref()),
        ("connect-p50-ns", connect.map(|times| &times.p50)),
        ("connect-p99-ns", connect.and_then(|times| times.p99.as_ref())),
        ("exchange-p50-ns", exchange.map(|times| &times.p50)),
        ("exchange-p99-ns", exchange.and_then(|times| times.p99.as_ref())),
    ];
    measures.into_iter().filter_map(|(measure, estimate)| Some((measure, estimate?)))
}

fn programming(run: &RunFile, benchmarks: &mut Benchmarks) {
    let mut totals = BTreeMap::<(String, String), Vec<f64>>::new();
    for record in &run.programming {
        let (place, backend) = (place(run, record.venue, &record.kernel), name(&record.backend));
        let (layout, protocol, op) = (name(&record.layout), name(&record.protocol), slug(record.op));
        let (services, endpoints) = (record.services, record.endpoints);
        let benchmark = format!("{place}/{backend}/{layout}/{protocol}/N={services}/M={endpoints}/{op}");
        totals.entry((benchmark, format!("programming-{}", record.unit))).or_default().push(record.total as f64);
    }
    for ((benchmark, measure), totals) in totals {
        summarize(benchmarks, benchmark, measure, &totals);
    }
}

fn slug(op: ProgrammingOp) -> &'static str {
    match op {
        ProgrammingOp::FromNothing => "from-nothing",
        ProgrammingOp::AddService => "add-service",
        ProgrammingOp::ChangeEndpoint => "change-endpoint",
    }
}

/// Median, lowest and highest of a few repetitions.
fn summarize(benchmarks: &mut Benchmarks, benchmark: String, measure: String, values: &[f64]) {
    if let (Ok(low), Ok(middle), Ok(high)) = (quantile(values, 0.0), quantile(values, 0.5), quantile(values, 1.0)) {
        put(benchmarks, benchmark, measure, middle, Some([low, high]));
    }
}
