//! Figures of the node's CPU time.

use std::collections::BTreeMap;

use super::figure::{Figure, label, style};
use super::rates::{Flows, bytes};
use super::table::{Table, cells};
use crate::report::node_cpu::{WORDS, columns, rows_of};
use crate::report::number::Medium;
use crate::report::plot::{Across, Chart, Mark, Series, render};
use crate::report::select::flows_title;
use crate::result::{PacketSize, RateCurve, RateKind, RateMethod, RatePoint, RunFile, VenueKind, name};
use crate::workload::Protocol;

/// What curves must share to be drawn in one plot.
type Panel<'a> = (VenueKind, &'a str, Protocol, u32, Flows, RateMethod, PacketSize);

/// One figure a venue, kernel, protocol, M, flow or mix, method and packet size: at the fixed load, with the table of everything.
pub(super) fn figures(run: &RunFile) -> Vec<Figure> {
    let mut panels = BTreeMap::<Panel<'_>, Vec<&RateCurve>>::new();
    for curve in &run.rates {
        let key = &curve.key;
        let panel = (
            key.axes.venue,
            &*key.axes.kernel,
            key.axes.protocol,
            key.axes.endpoints,
            (key.axes.flow, key.new_share),
            key.method,
            key.packet_size,
        );
        panels.entry(panel).or_default().push(curve);
    }
    panels.into_iter().filter_map(|(panel, curves)| figure(panel, &curves)).collect()
}

fn figure(
    (venue, kernel, protocol, endpoints, (flow, new_share), method, size): Panel<'_>,
    curves: &[&RateCurve],
) -> Option<Figure> {
    let protocol = name(&protocol).to_uppercase();
    let title = format!(
        "{} flows, a fixed load, {} goals, {}, kernel {kernel}, {protocol}, M\u{a0}=\u{a0}{endpoints}{}",
        flows_title(flow, new_share),
        name(&method),
        name(&venue),
        bytes(size)
    );
    let axis = "CPU time a packet, ns".to_owned();
    let description = format!("{axis} over the number of services: {title}. The table below holds the values.");
    // Every search has one of these.
    let drawn: Vec<_> = curves.iter().filter(|curve| curve.key.rate == RateKind::Received).collect();
    let several = |backend| drawn.iter().filter(|curve| curve.key.axes.backend == backend).count() > 1;
    let line = |curve: &&&RateCurve| Series {
        label: label(&curve.key.axes, several(curve.key.axes.backend)),
        style: style(curve.key.axes.backend),
        marks: curve.points.iter().filter_map(mark).collect(),
        trace: Vec::new(),
        fitted: Vec::new(),
    };
    let series = drawn.iter().map(line).collect();
    let rows = curves.iter().flat_map(|curve| curve.points.iter().map(|point| (&curve.key, point)));
    let rows = rows.flat_map(|(key, point)| rows_of(key, point, Medium::Html));
    let table = Table::new(&columns(), rows.map(|row| cells(row, WORDS)).collect())?;
    Some(Figure { title, drawing: render(&Chart { description, across: Across::Services, axis, series }), table })
}

fn mark(point: &RatePoint) -> Option<Mark> {
    let cost = &point.fixed_cpu.as_ref()?.ns_a_packet;
    let interval = Some([cost.spread.low(), cost.spread.high()]);
    Some(Mark { at: f64::from(point.services), value: cost.value, band: None, interval, suspect: false })
}
