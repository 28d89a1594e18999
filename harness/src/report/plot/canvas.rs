//! Writes a chart as SVG.

use std::fmt::Write;

use super::chart::{Across, Chart, Mark, Series};
use super::geometry::{Geometry, LEGEND_ROW, MARKER_SPACE, legend};
use super::labels::spread;
use super::marker;
use super::scale::{Scale, Tick};
use crate::report::number::{Medium, significant};

/// Least distance of two names at lines' ends.
const LABEL_GAP: f64 = 17.0;

/// Width of a character of 13 units' height in a wide font; what is drawn is narrower in most.
const CHARACTER: f64 = 7.9;

/// An upper bound of the width that a text takes.
pub(super) fn text_width(text: &str) -> f64 {
    text.chars().map(|character| if character == '\u{202f}' { 3.5 } else { CHARACTER }).sum()
}

/// Escapes text for an element or an attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML has no place for them, and a file of its own is XML.
            control if control.is_control() || matches!(control, '\u{fffe}' | '\u{ffff}') => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Writes formatted text; writing to a String cannot fail.
macro_rules! put {
    ($out:expr, $($format:tt)+) => {{ let _ = write!($out, $($format)+); }};
}

pub(super) struct Canvas<'a> {
    geometry: &'a Geometry,
    x: Scale,
    y: Scale,
    out: String,
}

impl<'a> Canvas<'a> {
    pub(super) fn new(geometry: &'a Geometry, x: Scale, y: Scale) -> Self {
        Self { geometry, x, y, out: String::new() }
    }

    pub(super) fn draw(mut self, chart: &Chart, series: &[Series]) -> String {
        let Geometry { class, width, height, names_beside, .. } = *self.geometry;
        let names: Vec<_> = series.iter().map(|line| line.label.as_str()).collect();
        let (places, rows) = if names_beside { (vec![], 0) } else { legend(&names, width) };
        let height = height + rows as f64 * LEGEND_ROW;
        let description = escape(&chart.description);
        put!(self.out, r#"<svg class="{class}" viewBox="0 0 {width} {height}" role="img" aria-label="{description}">"#);
        self.axes(chart, series);
        series.iter().for_each(|line| self.band(line));
        let fits = series.iter().any(|line| line.fitted.len() > 1);
        series.iter().for_each(|line| self.line(line, fits));
        series.iter().for_each(|line| self.marks(line, chart.across));
        if names_beside {
            self.names(series)
        } else {
            self.legend(series, &places)
        }
        self.out.push_str("</svg>");
        self.out
    }

    fn px(&self, at: f64) -> f64 {
        let Geometry { left, right, .. } = *self.geometry;
        left + self.x.at(at) * (right - left)
    }

    fn py(&self, value: f64) -> f64 {
        let Geometry { top, bottom, .. } = *self.geometry;
        bottom - self.y.at(value) * (bottom - top)
    }

    fn axes(&mut self, chart: &Chart, series: &[Series]) {
        let Geometry { left, right, top, bottom, .. } = *self.geometry;
        put!(self.out, r#"<text x="4" y="16" class="t">{}</text>"#, escape(&chart.axis));
        for Tick { at, label } in self.y.ticks() {
            let y = bottom - at * (bottom - top);
            let class = if label == "0" { "z" } else { "g" };
            put!(self.out, r#"<path class="{class}" d="M{left} {y:.1}H{right}"/>"#);
            put!(self.out, r#"<text x="{}" y="{:.1}" class="e">{label}</text>"#, left - 8.0, y + 4.5);
        }
        for (x, label) in self.ticks_across(chart.across, series) {
            put!(self.out, r#"<path class="k" d="M{x:.1} {bottom}v5"/>"#);
            put!(self.out, r#"<text x="{x:.1}" y="{}" class="m">{label}</text>"#, bottom + 20.0);
        }
        put!(self.out, r#"<path class="k" d="M{left} {bottom}H{right}"/>"#);
        let (middle, title) = (f64::midpoint(left, right), title_across(chart.across));
        put!(self.out, r#"<text x="{middle}" y="{}" class="m">{title}</text>"#, bottom + 41.0);
    }

    /// What was measured, or the percentiles: the ends first, then those that leave room for their text.
    fn ticks_across(&self, across: Across, series: &[Series]) -> Vec<(f64, String)> {
        let all: Vec<(f64, String)> = match across {
            Across::Percentile => percentiles().filter(|(at, _)| self.x.holds(*at)).collect(),
            Across::Services | Across::Endpoints => {
                let mut sizes: Vec<_> = series.iter().flat_map(|line| line.marks.iter().map(|mark| mark.at)).collect();
                sizes.sort_by(f64::total_cmp);
                sizes.dedup();
                sizes.into_iter().map(|size| (size, significant(size, 10, Medium::Html))).collect()
            }
        };
        let mut candidates: Vec<_> = all.into_iter().map(|(at, label)| (self.px(at), label)).collect();
        let last = candidates.pop();
        let mut ticks: Vec<(f64, String)> = last.into_iter().collect();
        for (x, label) in candidates {
            let apart = |other: &(f64, String)| (text_width(&label) + text_width(&other.1)) / 2.0 + 9.0;
            if ticks.iter().all(|other| (x - other.0).abs() > apart(other)) {
                ticks.push((x, label));
            }
        }
        ticks
    }

    fn band(&mut self, line: &Series) {
        let ends: Vec<_> = line.marks.iter().filter_map(|mark| Some((self.px(mark.at), mark.band?))).collect();
        if ends.len() < 2 {
            return;
        }
        let upper = ends.iter().map(|(x, [_, high])| (*x, self.py(*high)));
        let lower = ends.iter().rev().map(|(x, [low, _])| (*x, self.py(*low)));
        let path = polyline(upper.chain(lower));
        put!(self.out, r#"<path class="b s{}" d="{path}Z"/>"#, line.style);
    }

    /// The line through the marks, dotted in a chart of fits so that it is not taken for one, and the fit.
    fn line(&mut self, line: &Series, fits: bool) {
        let joined: Vec<_> = line.marks.iter().map(|mark| (mark.at, mark.value)).collect();
        let through = if line.trace.is_empty() { &joined } else { &line.trace };
        let class = if fits { "j" } else { "l" };
        for (class, points) in [(class, through), ("f", &line.fitted)] {
            if points.len() > 1 {
                let path = polyline(points.iter().map(|(at, value)| (self.px(*at), self.py(*value))));
                put!(self.out, r#"<path class="{class} s{}" d="{path}"/>"#, line.style);
            }
        }
    }

    fn marks(&mut self, line: &Series, across: Across) {
        let style = line.style;
        for mark in &line.marks {
            let x = self.px(mark.at);
            if let Some([low, high]) = mark.interval {
                let (from, to) = (self.py(low), self.py(high));
                let (left, right) = (x - 4.0, x + 4.0);
                put!(
                    self.out,
                    r#"<path class="w s{style}" d="M{left:.1} {from:.1}H{right:.1}M{x:.1} {from:.1}V{to:.1}M{left:.1} {to:.1}H{right:.1}"/>"#
                );
            }
            let class = if mark.suspect { "h" } else { "p" };
            let shape = marker::path(style, x, self.py(mark.value));
            let title = escape(&spoken(line, mark, across));
            put!(self.out, r#"<path class="{class} s{style}" d="{shape}"><title>{title}</title></path>"#);
        }
    }

    /// Names at the ends of the lines.
    fn names(&mut self, series: &[Series]) {
        let Geometry { right, top, bottom, width, .. } = *self.geometry;
        let ends: Vec<_> = series.iter().filter_map(|line| Some((line, end(line)?))).collect();
        let wanted: Vec<_> = ends.iter().map(|(_, (_, value))| self.py(*value)).collect();
        let placed = spread(&wanted, LABEL_GAP, top, bottom);
        for (((line, (at, _)), from), to) in ends.iter().zip(wanted).zip(placed) {
            let (x, style) = (self.px(*at), line.style);
            put!(self.out, r#"<path class="c s{style}" d="M{:.1} {from:.1}L{} {to:.1}"/>"#, x + 6.0, right + 12.0);
            let shape = marker::path(style, right + 18.0, to);
            put!(self.out, r#"<path class="p s{style}" d="{shape}"/>"#);
            self.text(&line.label, right + 27.0, to + 4.5, width);
        }
    }

    fn legend(&mut self, series: &[Series], places: &[(f64, usize)]) {
        let Geometry { width, height, .. } = *self.geometry;
        for (line, (x, row)) in series.iter().zip(places) {
            let y = height + *row as f64 * LEGEND_ROW + 6.0;
            let shape = marker::path(line.style, x + 4.0, y);
            put!(self.out, r#"<path class="p s{}" d="{shape}"/>"#, line.style);
            self.text(&line.label, x + MARKER_SPACE, y + 4.5, width);
        }
    }

    /// A name, squeezed where it may be longer than the room that it has.
    fn text(&mut self, name: &str, x: f64, y: f64, width: f64) {
        let room = width - x - 2.0;
        let squeeze = if text_width(name) > room {
            format!(r#" textLength="{room:.1}" lengthAdjust="spacingAndGlyphs""#)
        } else {
            String::new()
        };
        put!(self.out, r#"<text x="{x:.1}" y="{y:.1}"{squeeze}>{}</text>"#, escape(name));
    }
}

/// Where a line ends, to be named there.
fn end(line: &Series) -> Option<(f64, f64)> {
    let of_marks = line.marks.last().map(|mark| (mark.at, mark.value));
    line.trace.last().copied().or(of_marks)
}

fn title_across(across: Across) -> &'static str {
    match across {
        Across::Services => "services (N)",
        Across::Endpoints => "endpoints a service (M)",
        Across::Percentile => "percentile of packets",
    }
}

/// 1 / (1 - q) and the text of q.
fn percentiles() -> impl Iterator<Item = (f64, String)> {
    let all = [(1.0, "0"), (2.0, "50"), (10.0, "90"), (100.0, "99"), (1e3, "99.9"), (1e4, "99.99"), (1e5, "99.999")];
    all.into_iter().map(|(at, text)| (at, format!("{text}%")))
}

/// What a mark says when it is pointed at.
fn spoken(line: &Series, mark: &Mark, across: Across) -> String {
    let value = significant(mark.value, 6, Medium::Html);
    let place = match across {
        Across::Services => format!("N = {}", significant(mark.at, 10, Medium::Html)),
        Across::Endpoints => format!("M = {}", significant(mark.at, 10, Medium::Html)),
        Across::Percentile => format!("{}%", significant(100.0 - 100.0 / mark.at, 8, Medium::Html)),
    };
    format!("{}, {place}: {value}", line.label)
}

fn polyline(points: impl Iterator<Item = (f64, f64)>) -> String {
    let points: Vec<_> = points.map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    format!("M{}", points.join("L"))
}
