//! A plot with its table, and curves as the lines of one.

use super::table::{Cell, Table};
use crate::report::fit;
use crate::report::number::{self, Medium};
use crate::report::plot::{Across, Chart, Drawing, Mark, STYLES, Series, render};
use crate::report::select::{bracket_note, sizes};
use crate::result::{Axes, BackendKind, Curve, Metric, Point, name};
use crate::workload::VipLayout;

const MEDIUM: Medium = Medium::Html;

/// A plot with its table.
pub(super) struct Figure {
    pub(super) title: String,
    pub(super) drawing: Drawing,
    pub(super) table: Table,
}

/// A curve with the name and the style of its line.
pub(super) struct Line<'a> {
    pub(super) label: String,
    pub(super) style: usize,
    pub(super) curve: &'a Curve,
}

/// The name of a line: its backend, and where that has several lines what tells them apart.
pub(super) fn label(axes: &Axes, is_one_of_several: bool) -> String {
    if is_one_of_several {
        format!("{} {}, {}", axes.subject(), name(&axes.layout), name(&axes.position))
    } else {
        axes.subject()
    }
}

/// Colour and marker of a backend, the same in every plot.
pub(super) fn style(backend: BackendKind) -> usize {
    match backend {
        BackendKind::IptablesLegacy => 0,
        BackendKind::IptablesNft => 1,
        BackendKind::Ipvs => 2,
        BackendKind::Nftables => 3,
        BackendKind::Direct => 4,
        BackendKind::DirectConntrack => 5,
        BackendKind::EbpfTc => 6,
        BackendKind::EbpfXdp => 7,
    }
}

impl<'a> Line<'a> {
    /// A line that is named after its backend.
    pub(super) fn of_backend(curve: &'a Curve) -> Self {
        Self { label: name(&curve.key.axes.backend), style: style(curve.key.axes.backend), curve }
    }

    fn series(&self) -> Series {
        let marks = self.curve.points.iter().map(|point| mark(point, f64::from(point.services))).collect();
        Series {
            label: self.label.clone(),
            style: self.style % STYLES,
            marks,
            trace: Vec::new(),
            fitted: fit::line(self.curve),
        }
    }
}

/// A point of a curve: median, interval of the median, 10th to 90th percentile of packets.
pub(super) fn mark(point: &Point, at: f64) -> Mark {
    let (value, suspect) = (point.p50, point.suspect.is_some());
    let (band, interval) = ([point.p10, point.p90], [point.spread.low(), point.spread.high()]);
    Mark { at, value, band: Some(band), interval: Some(interval), suspect }
}

/// A figure over N of curves that share metric and unit.
pub(super) fn over_services(title: String, lines: &[Line<'_>]) -> Option<Figure> {
    let key = &lines.first()?.curve.key;
    let axis = format!("{}, {} (p50)", key.metric, key.unit);
    // Plain routing without conntrack costs less than what is subtracted: its `added` is in the table.
    let is_drawn = |line: &&Line<'_>| key.metric != Metric::Added || line.curve.key.axes.backend.balances();
    let series = lines.iter().filter(is_drawn).map(Line::series).collect();
    let description = format!("{axis} over the number of services: {title}. The table below holds the values.");
    let drawing = render(&Chart { description, across: Across::Services, axis, series });
    Some(Figure { title, drawing, table: table(lines)? })
}

/// The service that a curve's packets ask for, as a label.
pub(super) fn position_label(curve: &Curve) -> String {
    match curve.key.axes.layout {
        VipLayout::Sequential => name(&curve.key.axes.position),
        layout => format!("{}, {}", name(&curve.key.axes.position), name(&layout)),
    }
}

/// What whiskers are: intervals of the median with the level that they reach, or the range of fewer trials.
pub(super) fn whiskers<'a>(points: impl Iterator<Item = &'a Point>) -> String {
    let levels: Vec<f64> = points.map(|point| point.spread.level().unwrap_or(0.0)).collect();
    let percent = |level: f64| number::significant(100.0 * level, 3, MEDIUM);
    let (low, high) =
        levels.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), &level| (low.min(level), high.max(level)));
    if high <= 0.0 {
        return "the range of the trials, which are too few for an interval".to_owned();
    }
    if low <= 0.0 {
        return format!(
            "the interval of the median ({}%), or the range where the trials are too few for one",
            percent(high)
        );
    }
    let level =
        if low < high { format!("{}% to {}%", percent(low), percent(high)) } else { format!("{}%", percent(low)) };
    format!("the interval of the median, exact level {level}")
}

/// The layout of a curve's VIPs and the service that its packets ask for.
pub(super) fn layout_label(curve: &Curve) -> String {
    format!("{}, {}", name(&curve.key.axes.layout), name(&curve.key.axes.position))
}

/// Class and slope, and the median with the 10th and 90th percentile at each N.
fn table(lines: &[Line<'_>]) -> Option<Table> {
    let curves: Vec<_> = lines.iter().map(|line| line.curve).collect();
    let sizes = sizes(&curves);
    let unit = curves.first()?.key.unit;
    let mut head = vec!["backend".to_owned(), format!("class, {unit} per service [95%]")];
    head.extend(sizes.iter().map(|services| number::size(*services)));
    let rows = lines.iter().map(|line| row(line, &sizes)).collect();
    let mut table = Table::new(&head, rows)?;
    table.notes = notes(&curves);
    Some(table)
}

fn row(line: &Line<'_>, sizes: &[u32]) -> Vec<Cell> {
    let (curve, key) = (line.curve, &line.curve.key);
    let place = format!("{}, {}{}", name(&key.axes.position), name(&key.axes.layout), bracket_note(key));
    let class = Cell::text(fit::label(&curve.fit)).with_detail(number::slope(&curve.fit, MEDIUM));
    let mut cells = vec![Cell::text(key.axes.subject()).with_detail(place), class];
    cells.extend(sizes.iter().map(|services| {
        let point = curve.points.iter().find(|point| point.services == *services);
        point.map_or_else(Cell::none, |point| median(curve, point))
    }));
    cells
}

/// The median, and below it the 10th and 90th percentile of packets.
pub(super) fn median(curve: &Curve, point: &Point) -> Cell {
    let show = |value| number::value(value, curve.key.unit, MEDIUM);
    let band = format!("{} \u{2026} {}", show(point.p10), show(point.p90));
    Cell::value(point.p50, curve.key.unit).with_detail(band).flagged(point.suspect.is_some())
}

/// What weakens the fits, and why points are flagged.
pub(super) fn notes(curves: &[&Curve]) -> Vec<String> {
    let mut notes = Vec::new();
    for curve in curves {
        let subject = format!("{} ({})", curve.key.axes.subject(), position_label(curve));
        notes.extend(curve.fit.notes.iter().map(|note| format!("{subject}: {note}.")));
        let flagged = curve.points.iter().filter_map(|point| Some((point.services, point.suspect.as_ref()?)));
        notes.extend(
            flagged.map(|(services, reason)| format!("\u{2020} {subject} at {}: {reason}.", number::size(services))),
        );
        if curve.integrity.mismatched > 0 {
            let count = number::count(curve.integrity.mismatched, MEDIUM);
            notes.push(format!("{subject}: {count} packets not timed (another packet held their slot)."));
        }
    }
    notes
}
