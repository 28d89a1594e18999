//! An imported cluster in words, for every medium: what it has, what was left out, and what a first packet is expected to cost.

use super::axes::venue;
use super::connections::{duration, load, rate};
use super::number::{self, Medium};
use crate::result::{ConnectionCurve, ConnectionKey, ConnectionPoint, ExpectedCost, RunFile, name, subject};
use crate::workload::cluster::ClusterOrigin;

/// Columns that hold words; the others hold numbers.
pub(super) const WORDS: usize = 4;

/// What the expectation is over.
pub(super) const EXPECTED: &str = "Mean over the first packets of new flows, every service port that has endpoints equally likely, minus that of plain routing \
     with conntrack; median over trials and its interval.";

/// What the clients of real connections ask for.
pub(super) const CONNECTED: &str = "At position random clients draw a service port for each connection, every one that has endpoints equally likely; at others that were asked for all go to that one. Plain routing (direct, direct-conntrack) goes to one pod. \
     Medians over trials.";

/// The imported workload, a sentence a line.
pub(super) fn sentences(cluster: &ClusterOrigin, run: &RunFile, medium: Medium) -> Vec<String> {
    let ClusterOrigin { file, sha256, services, endpoints, rejected, left_out, .. } = cluster;
    let count = |value: u64| number::count(value, medium);
    let ports = u64::from(cluster.answered()) + rejected.len() as u64;
    let sizes: Vec<_> = run.plan.services.iter().map(|n| count(u64::from(*n))).collect();
    let mut lines = vec![
        format!("{file}, SHA-256 {sha256}"),
        format!(
            "{} service ports of {} services, {} endpoints; with endpoints {} TCP and {} UDP ports; N = {}",
            count(ports),
            count(u64::from(*services)),
            count(*endpoints),
            count(u64::from(cluster.tcp)),
            count(u64::from(cluster.udp)),
            sizes.join(", "),
        ),
    ];
    if !rejected.is_empty() {
        let listed = rejected.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
        let more = if rejected.len() > LISTED { ", ..." } else { "" };
        let number = count(rejected.len() as u64);
        lines.push(format!("{number} ports without endpoints, programmed and not asked for: {listed}{more}"));
    }
    lines.extend(left_out.iter().map(ToString::to_string));
    lines
}

/// Ports that a sentence lists.
const LISTED: usize = 6;

/// Headings.
pub(super) fn columns() -> [&'static str; 8] {
    ["venue", "kernel", "backend", "unit", "N", "added", "interval", "whole traversal"]
}

/// Columns of connections that hold words; the others hold numbers.
pub(super) const CONNECTION_WORDS: usize = 6;

/// Headings of connections.
pub(super) fn connection_columns() -> [&'static str; 10] {
    [
        "venue",
        "kernel",
        "load",
        "backend",
        "protocol",
        "position",
        "N",
        "a second",
        "connect p50",
        "failed of attempted",
    ]
}

/// One N of a curve of connections.
fn connection_row(run: &RunFile, key: &ConnectionKey, point: &ConnectionPoint, medium: Medium) -> Vec<String> {
    let count = |value: u64| number::count(value, medium);
    vec![
        venue(run, key.axes.venue, &key.axes.kernel),
        key.axes.kernel.clone(),
        load(key),
        name(&key.axes.backend),
        name(&key.axes.protocol),
        name(&key.axes.position),
        count(u64::from(point.services)),
        rate(point, medium),
        duration(point.connect.as_ref().map(|times| &times.p50), medium),
        format!("{} of {}", count(point.failed()), count(point.attempted)),
    ]
}

/// Every N of every curve of connections, by load.
pub(super) fn connection_rows(run: &RunFile, medium: Medium) -> Vec<Vec<String>> {
    let mut curves: Vec<_> = run.connections.iter().collect();
    curves.sort_by_key(|curve| (curve.key.axes.venue, &curve.key.axes.kernel, curve.key.load));
    let rows = |curve: &ConnectionCurve| {
        curve.points.iter().map(|point| connection_row(run, &curve.key, point, medium)).collect::<Vec<_>>()
    };
    curves.into_iter().flat_map(rows).collect()
}

/// One expected cost's row.
pub(super) fn row(run: &RunFile, cost: &ExpectedCost, medium: Medium) -> Vec<String> {
    let key = &cost.key;
    let value = |value: f64| number::value(value, key.unit, medium);
    let flag = match (cost.astray, medium) {
        (0, _) => "",
        (_, Medium::Terminal) => "!",
        (_, Medium::Html) => "\u{2020}",
    };
    vec![
        venue(run, key.venue, &key.kernel),
        key.kernel.clone(),
        subject(key.backend, key.bracket),
        key.unit.to_string(),
        number::count(u64::from(key.services), medium),
        value(cost.added) + flag,
        format!("[{}, {}]", value(cost.spread.low()), value(cost.spread.high())),
        value(cost.traversal),
    ]
}
