//! One chart: lines over N, each with a band, markers and its name at its end.

use std::fmt::Write;

use super::labels::spread;
use super::marker;
use super::scale::{Scale, Tick, is_logarithmic, is_plottable};
use crate::report::number::{Medium, significant};

const WIDTH: f64 = 540.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 376.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 290.0;
const LABEL_GAP: f64 = 17.0;
/// Longest name that fits beside the lines; longer ones are squeezed.
const LONGEST_NAME: usize = 18;

/// One measured point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Mark {
    /// N.
    pub(crate) services: u32,
    /// Median.
    pub(crate) value: f64,
    /// Lower and upper end of the band.
    pub(crate) band: Option<[f64; 2]>,
    /// Drawn hollow: not to be trusted.
    pub(crate) suspect: bool,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    /// Name at the line's end.
    pub(crate) label: String,
    /// Colour class and marker.
    pub(crate) style: usize,
    /// Ascending in N.
    pub(crate) marks: Vec<Mark>,
}

/// What to draw.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chart {
    /// Read aloud in place of the picture.
    pub(crate) description: String,
    /// Metric and unit, above the axis.
    pub(crate) axis: String,
    /// Lines.
    pub(crate) series: Vec<Series>,
}

/// A drawn chart; `svg` is empty when there is nothing to draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drawing {
    /// An `svg` element.
    pub(crate) svg: String,
    /// What the picture leaves out or bends.
    pub(crate) notes: Vec<String>,
}

/// Draws a chart. A line that is nowhere above zero is left out with a note, unless all are; where other values are zero or
/// negative the axis becomes symmetric-logarithmic, with a note.
pub(crate) fn render(chart: &Chart) -> Drawing {
    let mut notes = Vec::new();
    let series = positive_lines(plottable(&chart.series, &mut notes), &mut notes);
    let values = series.iter().flat_map(|line| line.marks.iter()).flat_map(|mark| {
        let band = mark.band.into_iter().flatten();
        std::iter::once(mark.value).chain(band)
    });
    let sizes = series.iter().flat_map(|line| line.marks.iter().map(|mark| f64::from(mark.services)));
    let (Some(x), Some(y)) = (Scale::sizes(sizes.clone()), Scale::values(values)) else {
        return Drawing { svg: String::new(), notes };
    };
    if let Some(threshold) = y.threshold() {
        let shown = significant(threshold, 3, Medium::Html);
        notes.push(format!(
            "The axis is symmetric-logarithmic because values at or below zero occur: linear within \u{b1}{shown}."
        ));
    }
    let svg = Canvas { x, y, out: String::new() }.draw(chart, &series, sizes);
    Drawing { svg, notes }
}

/// Lines without the marks that no axis can show, and without those at N = 0.
fn plottable(series: &[Series], notes: &mut Vec<String>) -> Vec<Series> {
    let is_shown = |mark: &Mark| mark.services > 0 && is_plottable(mark.value);
    let mut kept = series.to_vec();
    for line in &mut kept {
        let before = line.marks.len();
        line.marks.retain(is_shown);
        for mark in &mut line.marks {
            mark.band = mark.band.filter(|band| band.iter().all(|end| is_plottable(*end)));
        }
        if line.marks.len() < before {
            notes.push(format!("{}: {} points are in the table only.", line.label, before - line.marks.len()));
        }
    }
    kept.retain(|line| !line.marks.is_empty());
    kept
}

fn positive_lines(series: Vec<Series>, notes: &mut Vec<String>) -> Vec<Series> {
    let is_positive = |line: &Series| line.marks.iter().any(|mark| is_logarithmic(mark.value));
    if !series.iter().any(is_positive) {
        return series;
    }
    let (shown, left_out): (Vec<_>, Vec<_>) = series.into_iter().partition(is_positive);
    notes
        .extend(left_out.iter().map(|line| format!("{}: at or below zero at every N, in the table only.", line.label)));
    shown
}

/// Escapes text for an element or an attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Writes formatted text; writing to a String cannot fail.
macro_rules! put {
    ($out:expr, $($format:tt)+) => {{ let _ = write!($out, $($format)+); }};
}

struct Canvas {
    x: Scale,
    y: Scale,
    out: String,
}

impl Canvas {
    fn draw(mut self, chart: &Chart, series: &[Series], sizes: impl Iterator<Item = f64>) -> String {
        let description = escape(&chart.description);
        put!(self.out, r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{description}">"#);
        self.axes(&chart.axis, sizes);
        series.iter().for_each(|line| self.band(line));
        series.iter().for_each(|line| self.line(line));
        self.names(series);
        self.out.push_str("</svg>");
        self.out
    }

    fn px(&self, mark: &Mark) -> f64 {
        LEFT + self.x.at(f64::from(mark.services)) * (RIGHT - LEFT)
    }

    fn py(&self, value: f64) -> f64 {
        BOTTOM - self.y.at(value) * (BOTTOM - TOP)
    }

    fn axes(&mut self, axis: &str, sizes: impl Iterator<Item = f64>) {
        put!(self.out, r#"<text x="4" y="16" class="t">{}</text>"#, escape(axis));
        for Tick { at, label } in self.y.ticks() {
            let y = BOTTOM - at * (BOTTOM - TOP);
            let class = if label == "0" { "z" } else { "g" };
            put!(self.out, r#"<path class="{class}" d="M{LEFT} {y:.1}H{RIGHT}"/>"#);
            put!(self.out, r#"<text x="{}" y="{:.1}" class="e">{label}</text>"#, LEFT - 8.0, y + 4.5);
        }
        for (at, label) in self.size_ticks(sizes) {
            let x = LEFT + at * (RIGHT - LEFT);
            put!(self.out, r#"<path class="k" d="M{x:.1} {BOTTOM}v5"/>"#);
            put!(self.out, r#"<text x="{x:.1}" y="{}" class="m">{label}</text>"#, BOTTOM + 20.0);
        }
        put!(self.out, r#"<path class="k" d="M{LEFT} {BOTTOM}H{RIGHT}"/>"#);
        let middle = f64::midpoint(LEFT, RIGHT);
        put!(self.out, r#"<text x="{middle}" y="{}" class="m">services (N)</text>"#, BOTTOM + 40.0);
    }

    /// The measured N; of crowded ones those that leave room for their text.
    fn size_ticks(&self, sizes: impl Iterator<Item = f64>) -> Vec<(f64, String)> {
        let mut sizes: Vec<_> = sizes.collect();
        sizes.sort_by(f64::total_cmp);
        sizes.dedup();
        let mut ticks: Vec<(f64, String)> = Vec::new();
        for size in sizes {
            let at = self.x.at(size);
            if ticks.last().is_none_or(|(last, _)| at - last > 0.15) {
                ticks.push((at, significant(size, 10, Medium::Html)));
            }
        }
        ticks
    }

    fn band(&mut self, line: &Series) {
        let ends: Vec<_> = line.marks.iter().filter_map(|mark| Some((self.px(mark), mark.band?))).collect();
        if ends.len() < 2 {
            return;
        }
        let upper = ends.iter().map(|(x, [_, high])| (*x, self.py(*high)));
        let lower = ends.iter().rev().map(|(x, [low, _])| (*x, self.py(*low)));
        let path = polyline(upper.chain(lower));
        put!(self.out, r#"<path class="b s{}" d="{path}Z"/>"#, line.style);
    }

    fn line(&mut self, line: &Series) {
        let style = line.style;
        if line.marks.len() > 1 {
            let path = polyline(line.marks.iter().map(|mark| (self.px(mark), self.py(mark.value))));
            put!(self.out, r#"<path class="l s{style}" d="{path}"/>"#);
        }
        for mark in &line.marks {
            let class = if mark.suspect { "h" } else { "p" };
            let shape = marker::path(style, self.px(mark), self.py(mark.value));
            let value = significant(mark.value, 6, Medium::Html);
            let title = format!("{}, N = {}: {value}", escape(&line.label), mark.services);
            put!(self.out, r#"<path class="{class} s{style}" d="{shape}"><title>{title}</title></path>"#);
        }
    }

    fn names(&mut self, series: &[Series]) {
        let ends: Vec<_> = series.iter().filter_map(|line| Some((line, *line.marks.last()?))).collect();
        let wanted: Vec<_> = ends.iter().map(|(_, mark)| self.py(mark.value)).collect();
        let placed = spread(&wanted, LABEL_GAP, TOP, BOTTOM);
        for (((line, mark), from), to) in ends.iter().zip(wanted).zip(placed) {
            let (x, style) = (self.px(mark), line.style);
            put!(self.out, r#"<path class="c s{style}" d="M{:.1} {from:.1}L{} {to:.1}"/>"#, x + 6.0, RIGHT + 12.0);
            let shape = marker::path(style, RIGHT + 18.0, to);
            put!(self.out, r#"<path class="p s{style}" d="{shape}"/>"#);
            let left = RIGHT + 27.0;
            let squeeze = if line.label.chars().count() > LONGEST_NAME {
                format!(r#" textLength="{}" lengthAdjust="spacingAndGlyphs""#, WIDTH - left - 2.0)
            } else {
                String::new()
            };
            put!(self.out, r#"<text x="{left}" y="{:.1}"{squeeze}>{}</text>"#, to + 4.5, escape(&line.label));
        }
    }
}

fn polyline(points: impl Iterator<Item = (f64, f64)>) -> String {
    let points: Vec<_> = points.map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    format!("M{}", points.join("L"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(label: &str, values: &[(u32, f64)]) -> Series {
        let mark = |&(services, value): &(u32, f64)| Mark { services, value, band: None, suspect: false };
        Series { label: label.into(), style: 0, marks: values.iter().map(mark).collect() }
    }

    fn drawn(series: Vec<Series>) -> Drawing {
        render(&Chart { description: "d".into(), axis: "added, ns".into(), series })
    }

    #[test]
    fn a_line_below_zero_is_left_out_with_a_note() {
        let drawing =
            drawn(vec![line("direct", &[(1, -700.0), (10, -710.0)]), line("ipvs", &[(1, 400.0), (10, 410.0)])]);
        assert_eq!(drawing.notes, ["direct: at or below zero at every N, in the table only."]);
        assert!(drawing.svg.contains(">ipvs<") && !drawing.svg.contains(">direct<"));
    }

    #[test]
    fn values_round_zero_bend_the_axis_with_a_note() {
        let drawing = drawn(vec![line("ipvs", &[(1, -4.0), (10, 0.0), (100, 30.0)])]);
        assert!(drawing.notes[0].starts_with("The axis is symmetric-logarithmic"), "{:?}", drawing.notes);
        assert!(drawing.svg.contains(r#"class="z""#));
    }

    #[test]
    fn nothing_to_draw_draws_nothing() {
        assert_eq!(drawn(vec![]).svg, "");
        let drawing = drawn(vec![line("x", &[(0, 5.0), (1, f64::NAN)])]);
        assert_eq!(
            (drawing.svg.as_str(), &drawing.notes[..]),
            ("", &["x: 2 points are in the table only.".to_owned()][..])
        );
    }

    #[test]
    fn names_are_escaped() {
        let svg = drawn(vec![line("<script>\"&'", &[(1, 5.0)])]).svg;
        assert!(!svg.contains("<script>") && svg.contains("&lt;script&gt;&quot;&amp;&#39;"));
    }

    proptest! {
        #[test]
        fn any_marks_draw_finite_paths(
            marks in prop::collection::vec((any::<u32>(), any::<f64>(), prop::option::of([any::<f64>(), any::<f64>()])), 0..12),
        ) {
            let marks = marks.into_iter().map(|(services, value, band)| Mark { services, value, band, suspect: false });
            let svg = drawn(vec![Series { label: "x".into(), style: 3, marks: marks.collect() }]).svg;
            prop_assert!(!svg.contains("NaN") && !svg.contains("inf"));
        }
    }
}
