//! Figures of searched rates.

use std::collections::BTreeMap;

use super::figure::{Figure, label, style};
use super::table::{Table, cells};
use crate::report::number::{self, Medium};
use crate::report::plot::{Across, Chart, Mark, Series, render};
use crate::report::rates::{WORDS, columns, notes, row};
use crate::report::select::flows_title;
use crate::result::{Flow, NewShare, PacketSize, RateCurve, RateKind, RateMethod, RatePoint, RunFile, VenueKind, name};
use crate::workload::Protocol;

/// What curves must share to be drawn in one plot. Brackets are no matter: all rates are counted at the same place.
type Panel<'a> = (VenueKind, &'a str, Protocol, u32, Flows, RateMethod, PacketSize, RateKind);

/// The flows of a search: of one kind, or a mix.
pub(super) type Flows = (Flow, Option<NewShare>);

/// One figure a venue, kernel, protocol, M, flow or mix, method, packet size and rate.
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
            key.rate,
        );
        panels.entry(panel).or_default().push(curve);
    }
    panels.into_iter().filter_map(|(panel, curves)| figure(panel, &curves)).collect()
}

fn figure(
    (venue, kernel, protocol, endpoints, (flow, new_share), method, size, rate): Panel<'_>,
    curves: &[&RateCurve],
) -> Option<Figure> {
    let protocol = name(&protocol).to_uppercase();
    let title = format!(
        "{} flows, {rate}, {} goals, {}, kernel {kernel}, {protocol}, M\u{a0}=\u{a0}{endpoints}{}",
        flows_title(flow, new_share),
        name(&method),
        name(&venue),
        bytes(size)
    );
    let axis = format!("{rate}, packets/s");
    let description = format!("{axis} over the number of services: {title}. The table below holds the values.");
    let several = |backend| curves.iter().filter(|curve| curve.key.axes.backend == backend).count() > 1;
    let line = |curve: &&RateCurve| Series {
        label: label(&curve.key.axes, several(curve.key.axes.backend)),
        style: style(curve.key.axes.backend),
        marks: curve.points.iter().filter_map(mark).collect(),
        trace: Vec::new(),
        fitted: Vec::new(),
    };
    let drawing =
        render(&Chart { description, across: Across::Services, axis, series: curves.iter().map(line).collect() });
    let points = curves.iter().flat_map(|curve| curve.points.iter().map(|point| (&curve.key, point)));
    let rows = points.map(|(key, point)| cells(row(key, point, Medium::Html), WORDS));
    let mut table = Table::new(&columns(), rows.collect())?;
    let of_curve = |curve: &&RateCurve| {
        curve.points.iter().filter_map(|point| notes(&curve.key, point, Medium::Html)).collect::<Vec<_>>()
    };
    table.notes = curves.iter().flat_map(of_curve).collect();
    Some(Figure { title, drawing, table })
}

/// The packets' size at the end of a title, where it is unusual.
pub(super) fn bytes(size: PacketSize) -> String {
    match size {
        size if size.is_default() => String::new(),
        PacketSize::Bytes(bytes) => format!(", packets of {} bytes", number::count(bytes.into(), Medium::Html)),
        PacketSize::Imix => ", IMIX".to_owned(),
    }
}

fn mark(point: &RatePoint) -> Option<Mark> {
    let interval = point.spread.as_ref().map(|spread| [spread.low(), spread.high()]);
    let band = point.lower.zip(point.upper).filter(|(low, high)| low <= high).map(|(low, high)| [low, high]);
    let suspect = !point.is_regular();
    Some(Mark { at: f64::from(point.services), value: point.value?, band, interval, suspect })
}
