//! Figures of the node's CPU time.

use std::collections::BTreeMap;

use super::figure::{Figure, style};
use super::table::{Cell, Table};
use crate::report::node_cpu::{WORDS, columns, rows_of};
use crate::report::number::Medium;
use crate::report::plot::{Across, Chart, Mark, Series, render};
use crate::report::rates::subject;
use crate::report::select::flow_title;
use crate::result::{Flow, RateCurve, RateKind, RatePoint, RunFile, VenueKind, name};
use crate::workload::Protocol;

/// What curves must share to be drawn in one plot.
type Panel<'a> = (VenueKind, &'a str, Protocol, u32, Flow);

/// One figure a venue, kernel, protocol, M and flow: at the fixed load, with the table of everything.
pub(super) fn figures(run: &RunFile) -> Vec<Figure> {
    let mut panels = BTreeMap::<Panel<'_>, Vec<&RateCurve>>::new();
    for curve in &run.rates {
        let axes = &curve.key.axes;
        let panel = (axes.venue, axes.kernel.as_str(), axes.protocol, axes.endpoints, axes.flow);
        panels.entry(panel).or_default().push(curve);
    }
    panels.into_iter().filter_map(|(panel, curves)| figure(panel, &curves)).collect()
}

fn figure((venue, kernel, protocol, endpoints, flow): Panel<'_>, curves: &[&RateCurve]) -> Option<Figure> {
    let protocol = name(&protocol).to_uppercase();
    let title = format!(
        "{} flows, a fixed load, {}, kernel {kernel}, {protocol}, M\u{a0}=\u{a0}{endpoints}",
        flow_title(flow),
        name(&venue)
    );
    let axis = "CPU time a packet, ns".to_owned();
    let description = format!("{axis} over the number of services: {title}. The table below holds the values.");
    // Every search has one of these.
    let drawn: Vec<_> = curves.iter().filter(|curve| curve.key.rate == RateKind::Received).collect();
    let several = |backend| drawn.iter().filter(|curve| curve.key.axes.backend == backend).count() > 1;
    let line = |curve: &&&RateCurve| Series {
        label: if several(curve.key.axes.backend) {
            format!("{} {} {}", subject(&curve.key), name(&curve.key.axes.layout), name(&curve.key.method))
        } else {
            subject(&curve.key)
        },
        style: style(curve.key.axes.backend),
        marks: curve.points.iter().filter_map(mark).collect(),
        trace: Vec::new(),
        fitted: Vec::new(),
    };
    let series = drawn.iter().map(line).collect();
    let cell = |(index, text)| if index < WORDS { Cell::text(text) } else { Cell::number(text) };
    let rows = curves.iter().flat_map(|curve| curve.points.iter().map(|point| (&curve.key, point)));
    let rows = rows.flat_map(|(key, point)| rows_of(key, point, Medium::Html));
    let table = Table::new(&columns(), rows.map(|row| row.into_iter().enumerate().map(cell).collect()).collect())?;
    Some(Figure { title, drawing: render(&Chart { description, across: Across::Services, axis, series }), table })
}

fn mark(point: &RatePoint) -> Option<Mark> {
    let cost = &point.fixed_cpu.as_ref()?.ns_a_packet;
    let interval = Some([cost.spread.low(), cost.spread.high()]);
    Some(Mark { at: f64::from(point.services), value: cost.value, band: None, interval, suspect: false })
}
