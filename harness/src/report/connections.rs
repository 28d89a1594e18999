//! Real connections in words, for every medium.

use super::axes::venue;
use super::number::{self, Medium};
use crate::result::{ConnectionKey, ConnectionPoint, Estimate, Percentiles, ReuseMode, RunFile, Unit, name};

/// Columns that hold words; the others hold numbers.
pub(super) const WORDS: usize = 7;

/// Headings.
pub(super) fn columns() -> [&'static str; 24] {
    [
        "venue",
        "kernel",
        "load",
        "backend",
        "layout",
        "protocol",
        "position",
        "M",
        "N",
        "trials",
        "a second",
        "connect p50",
        "p99",
        "p99.9",
        "exchange p50",
        "p99",
        "generator late by, p99",
        "connects of 1 s or longer",
        "failed of attempted",
        "CPU each",
        "client, servers, ksoftirqd",
        "machine's soft interrupts each",
        "conntrack entries",
        "IPVS entries",
    ]
}

/// One N of a curve.
pub(super) fn row(run: &RunFile, key: &ConnectionKey, point: &ConnectionPoint, medium: Medium) -> Vec<String> {
    let count = |value: u64| number::count(value, medium);
    let [connect, exchange] = [&point.connect, &point.exchange].map(Option::as_ref);
    let time =
        |times: Option<&Percentiles>, of: fn(&Percentiles) -> Option<&Estimate>| duration(times.and_then(of), medium);
    let entries =
        |of: &Option<Estimate>| of.as_ref().map_or_else(none, |entries| number::significant(entries.value, 4, medium));
    let cpu = point.cpu.as_ref();
    let valid = u64::from(point.trials - point.invalid);
    vec![
        venue(run, key.axes.venue, &key.axes.kernel),
        key.axes.kernel.clone(),
        load_of(key, point),
        name(&key.axes.backend),
        name(&key.axes.layout),
        name(&key.axes.protocol),
        name(&key.axes.position),
        count(u64::from(key.axes.endpoints)),
        count(u64::from(point.services)),
        if point.invalid == 0 { count(valid) } else { format!("{} of {}", count(valid), count(point.trials.into())) },
        rate(point, medium),
        time(connect, |times| Some(&times.p50)),
        time(connect, |times| times.p99.as_ref()),
        time(connect, |times| times.p999.as_ref()),
        time(exchange, |times| Some(&times.p50)),
        time(exchange, |times| times.p99.as_ref()),
        duration(point.lag_p99.as_ref(), medium),
        count(point.repeated),
        format!("{} of {}", count(point.failed()), count(point.attempted)),
        cpu.map_or_else(none, |cpu| interval(&cpu.total, medium)),
        cpu.map_or_else(none, |cpu| {
            [&cpu.client, &cpu.servers, &cpu.ksoftirqd].map(|part| duration(Some(part), medium)).join(", ")
        }),
        duration(cpu.map(|cpu| &cpu.machine_softirq), medium),
        entries(&point.conntrack_entries),
        entries(&point.ipvs_entries),
    ]
}

/// What happened to exchanges that failed, and whatever else a reader must know: a note a point.
pub(super) fn notes(key: &ConnectionKey, points: &[ConnectionPoint]) -> Vec<String> {
    let of_point = |point: &ConnectionPoint| Some(format!("{}: {}.", key.axes.cell(point.services), point.trouble()?));
    points.iter().filter_map(of_point).collect()
}

/// A duration with its interval or range.
fn interval(estimate: &Estimate, medium: Medium) -> String {
    let show = |value| number::duration(value, Unit::Ns, medium);
    format!("{} [{}, {}]", show(estimate.value), show(estimate.spread.low()), show(estimate.spread.high()))
}

/// The load with what IPVS did with ports that came again, where the load does not say just that.
fn load_of(key: &ConnectionKey, point: &ConnectionPoint) -> String {
    let load = load(key);
    let asked = key.load.reuse_mode().map(ReuseMode::value);
    let found = &point.conn_reuse_modes;
    if !key.load.reuses_ports() || found.iter().all(|mode| Some(*mode) == asked) {
        return load;
    }
    let modes: Vec<_> = point.conn_reuse_modes.iter().map(u8::to_string).collect();
    format!("{load}, {CONN_REUSE_MODE} {}", modes.join(" and "))
}

/// The sysctl, below `net.ipv4.vs`.
const CONN_REUSE_MODE: &str = "conn_reuse_mode";

/// The load as a reader sees it: `16 at a time`, `2000/s`, `16 kept open`.
pub(super) fn load(key: &ConnectionKey) -> String {
    use crate::result::ConnectionLoad;
    match key.load {
        ConnectionLoad::Closed(connections) => format!("{connections} at a time"),
        ConnectionLoad::Open(rate) => format!("{rate}/s"),
        ConnectionLoad::KeepAlive(connections) => format!("{connections} kept open"),
        ConnectionLoad::Reuse { ports, mode } => {
            let mode = mode.map_or_else(String::new, |mode| format!(", {CONN_REUSE_MODE} {}", mode.value()));
            format!("from {ports} ports again and again{mode}")
        }
        ConnectionLoad::Stream(connections) => format!("{connections} bulk streams"),
        ConnectionLoad::Filled { connections, percent } => {
            format!("{connections} at a time, connection tracking {percent}% full")
        }
    }
}

/// Exchanges a second, of streams Gbit/s: the median over trials, with its interval or range.
pub(super) fn rate(point: &ConnectionPoint, medium: Medium) -> String {
    let text = |(Estimate { value, spread, .. }, of, unit): (&Estimate, f64, &str)| {
        let show = |value: f64| number::significant(value / of, 4, medium);
        format!("{}{unit} [{}, {}]", show(*value), show(spread.low()), show(spread.high()))
    };
    carried(point).map_or_else(none, text)
}

/// What a point carried a second: exchanges, of streams bits. With it what it is divided by to be shown, and the unit behind the quotient.
pub(super) fn carried(point: &ConnectionPoint) -> Option<(&Estimate, f64, &'static str)> {
    let exchanges = point.per_second.as_ref().map(|estimate| (estimate, 1.0, ""));
    exchanges.or(point.bits_per_second.as_ref().map(|estimate| (estimate, GIGA, " Gbit/s")))
}

/// Bits of a Gbit.
const GIGA: f64 = 1e9;

pub(super) fn duration(estimate: Option<&Estimate>, medium: Medium) -> String {
    estimate.map_or_else(none, |estimate| number::duration(estimate.value, Unit::Ns, medium))
}

fn none() -> String {
    "-".to_owned()
}
