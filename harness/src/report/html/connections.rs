//! Figures of real connections: how many a second, and how long it takes to connect.

use std::collections::BTreeMap;

use super::figure::{Figure, label, style};
use super::table::{Cell, Table, cells};
use crate::report::axes::venue;
use crate::report::connections::{WORDS, carried, columns, load, notes, row};
use crate::report::number::Medium;
use crate::report::plot::{Across, Chart, Drawing, Mark, Series, render};
use crate::result::{ConnectionCurve, ConnectionLoad, ConnectionPoint, Flow, RunFile, VenueKind, name};
use crate::workload::Protocol;

/// What curves must share to be drawn in one plot.
type Panel<'a> = (VenueKind, &'a str, Protocol, u32, ConnectionLoad);

/// Two figures a venue, kernel, protocol, M and load: the rate with the table of everything, and the time to connect.
pub(super) fn figures(run: &RunFile) -> Vec<Figure> {
    let mut panels = BTreeMap::<Panel<'_>, Vec<&ConnectionCurve>>::new();
    for curve in &run.connections {
        let key = &curve.key;
        panels
            .entry((key.axes.venue, &*key.axes.kernel, key.axes.protocol, key.axes.endpoints, key.load))
            .or_default()
            .push(curve);
    }
    panels.values().flat_map(|curves| [rates(run, curves), times(run, curves)]).flatten().collect()
}

fn rates(run: &RunFile, curves: &[&ConnectionCurve]) -> Option<Figure> {
    let what = match curves.first()?.key.load {
        ConnectionLoad::KeepAlive(_) => "requests answered, a second",
        ConnectionLoad::Stream(_) => "payload, Gbit/s",
        ConnectionLoad::Closed(_)
        | ConnectionLoad::Open(_)
        | ConnectionLoad::Reuse { .. }
        | ConnectionLoad::Filled { .. } => "connections, a second",
    };
    let mark = |point: &ConnectionPoint| {
        let (rate, of, _) = carried(point)?;
        let interval = Some([rate.spread.low() / of, rate.spread.high() / of]);
        Some(mark_of(point, rate.value / of, None, interval))
    };
    let mut table = Table::new(&columns(), rows(run, curves))?;
    table.notes = curves.iter().flat_map(|curve| notes(&curve.key, &curve.points)).collect();
    Some(Figure { title: title(run, curves)?, drawing: drawing(run, curves, what, mark)?, table })
}

/// Datagrams connect to nothing, so there the time is the whole exchange's.
fn times(run: &RunFile, curves: &[&ConnectionCurve]) -> Option<Figure> {
    let key = &curves.first()?.key;
    if key.load.flow() == Flow::Established {
        return None;
    }
    let is_tcp = key.axes.protocol == Protocol::Tcp;
    let what = if is_tcp { "time to connect, ns (p50)" } else { "request to answer, ns (p50)" };
    let mark = |point: &ConnectionPoint| {
        let times = if is_tcp { point.connect.as_ref() } else { point.exchange.as_ref() }?;
        let p50 = &times.p50;
        let interval = Some([p50.spread.low(), p50.spread.high()]);
        let band = times.p99.as_ref().map(|p99| [p50.value, p99.value]);
        Some(mark_of(point, p50.value, band, interval))
    };
    Some(Figure {
        title: title(run, curves)?,
        drawing: drawing(run, curves, what, mark)?,
        table: Table::new(&columns(), rows(run, curves))?,
    })
}

fn title(run: &RunFile, curves: &[&ConnectionCurve]) -> Option<String> {
    let key = &curves.first()?.key;
    let (venue, protocol) = (venue(run, key.axes.venue, &key.axes.kernel), name(&key.axes.protocol).to_uppercase());
    let (load, kernel, endpoints) = (load(key), &key.axes.kernel, key.axes.endpoints);
    Some(format!("{load}, {venue}, kernel {kernel}, {protocol}, M\u{a0}=\u{a0}{endpoints}"))
}

fn mark_of(point: &ConnectionPoint, value: f64, band: Option<[f64; 2]>, interval: Option<[f64; 2]>) -> Mark {
    Mark { at: f64::from(point.services), value, band, interval, suspect: point.trouble().is_some() }
}

fn drawing(
    run: &RunFile,
    curves: &[&ConnectionCurve],
    axis: &str,
    mark: impl Fn(&ConnectionPoint) -> Option<Mark>,
) -> Option<Drawing> {
    let several = |backend| curves.iter().filter(|curve| curve.key.axes.backend == backend).count() > 1;
    let line = |curve: &&ConnectionCurve| {
        let key = &curve.key;
        Series {
            label: label(&key.axes, several(key.axes.backend)),
            style: style(key.axes.backend),
            marks: curve.points.iter().filter_map(&mark).collect(),
            trace: Vec::new(),
            fitted: Vec::new(),
        }
    };
    let description =
        format!("{axis} over the number of services: {}. The table below holds the values.", title(run, curves)?);
    let series = curves.iter().map(line).collect();
    Some(render(&Chart { description, across: Across::Services, axis: axis.to_owned(), series }))
}

/// One row a point, of every curve.
fn rows(run: &RunFile, curves: &[&ConnectionCurve]) -> Vec<Vec<Cell>> {
    let points = curves.iter().flat_map(|curve| curve.points.iter().map(|point| (&curve.key, point)));
    points.map(|(key, point)| cells(row(run, key, point, Medium::Html), WORDS)).collect()
}
