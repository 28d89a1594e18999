//! Figures of how the time of a packet or an exchange grows.

use std::collections::BTreeMap;

use super::figure::{Figure, label, style};
use super::table::{Table, cells};
use crate::report::growth::{Growth, WORDS, columns, growths};
use crate::report::number::Medium;
use crate::report::plot::{Across, Chart, Mark, Series, render};
use crate::report::select::flows_title;
use crate::result::{RunFile, name};

/// One figure a place, protocol, M, flow and rate.
pub(super) fn figures(run: &RunFile) -> Vec<Figure> {
    let mut panels = BTreeMap::<String, Vec<Growth<'_>>>::new();
    for growth in growths(run) {
        panels.entry(title(&growth)).or_default().push(growth);
    }
    panels.into_iter().filter_map(|(title, growths)| figure(title, &growths)).collect()
}

fn title(growth: &Growth<'_>) -> String {
    let axes = growth.axes;
    let (protocol, endpoints) = (name(&axes.protocol).to_uppercase(), axes.endpoints);
    let title = flows_title(axes.flow, growth.new_share);
    let (rate, venue, kernel) = (&growth.rate, &growth.venue, &axes.kernel);
    format!("{title} flows, {rate}, {venue}, kernel {kernel}, {protocol}, M\u{a0}=\u{a0}{endpoints}")
}

fn figure(title: String, growths: &[Growth<'_>]) -> Option<Figure> {
    let axis = "time each, ns".to_owned();
    let description = format!("{axis} over the number of services: {title}. The table below holds the values.");
    let several = |backend| growths.iter().filter(|growth| growth.axes.backend == backend).count() > 1;
    let line = |growth: &Growth<'_>| Series {
        label: label(growth.axes, several(growth.axes.backend)),
        style: style(growth.axes.backend),
        marks: growth.times().iter().map(mark).collect(),
        trace: Vec::new(),
        fitted: growth.line(),
    };
    let series = growths.iter().map(line).collect();
    let drawing = render(&Chart { description, across: Across::Services, axis, series });
    let rows = growths.iter().filter_map(|growth| growth.row(Medium::Html));
    let table = Table::new(&columns(), rows.map(|row| cells(row, WORDS)).collect())?;
    Some(Figure { title, drawing, table })
}

fn mark(&(services, value): &(u32, f64)) -> Mark {
    Mark { at: f64::from(services), value, band: None, interval: None, suspect: false }
}
