//! What a chart holds, and what of it an axis can show.

use super::canvas::Canvas;
use super::geometry::{NARROW, WIDE};
use super::scale::{Scale, is_logarithmic, is_plottable};
use crate::report::number::{Medium, significant};

/// One measured point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Mark {
    /// Where it stands across: N, M or 1 / (1 - quantile).
    pub(crate) at: f64,
    /// Median.
    pub(crate) value: f64,
    /// Lower and upper end of the band: how packets spread.
    pub(crate) band: Option<[f64; 2]>,
    /// Lower and upper end of the whisker: how well the median is known.
    pub(crate) interval: Option<[f64; 2]>,
    /// Drawn hollow: not to be trusted.
    pub(crate) suspect: bool,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    /// Its name.
    pub(crate) label: String,
    /// Colour class and marker.
    pub(crate) style: usize,
    /// Ascending across.
    pub(crate) marks: Vec<Mark>,
    /// A line through more than the marks, ascending across; empty: the marks are joined.
    pub(crate) trace: Vec<(f64, f64)>,
    /// The fitted line, ascending across; may be empty.
    pub(crate) fitted: Vec<(f64, f64)>,
}

/// What runs across a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Across {
    /// N.
    Services,
    /// M.
    Endpoints,
    /// 1 / (1 - quantile), with percentiles as ticks.
    Percentile,
}

/// What to draw.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chart {
    /// Read aloud in place of the picture.
    pub(crate) description: String,
    /// The horizontal axis.
    pub(crate) across: Across,
    /// Metric and unit, above the vertical axis.
    pub(crate) axis: String,
    /// Lines.
    pub(crate) series: Vec<Series>,
}

/// A drawn chart; both pictures are empty when there is nothing to draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drawing {
    /// An `svg` element, names at the ends of the lines.
    pub(crate) wide: String,
    /// The same for a phone: names below.
    pub(crate) narrow: String,
    /// What the picture leaves out or bends.
    pub(crate) notes: Vec<String>,
}

/// Draws a chart. Where a value is zero or negative (a load balancer may add less than nothing) the axis becomes
/// symmetric-logarithmic, with a note: every line is on it.
pub(crate) fn render(chart: &Chart) -> Drawing {
    let mut notes = Vec::new();
    let series = plottable(&chart.series, &mut notes);
    let medians = series.iter().flat_map(|line| line.marks.iter().map(|mark| mark.value));
    let values = series.iter().flat_map(values);
    let places = series.iter().flat_map(places);
    let (Some(x), Some(y)) = (Scale::across(places), Scale::values(values, medians)) else {
        return Drawing { wide: String::new(), narrow: String::new(), notes };
    };
    if let Some(threshold) = y.threshold() {
        let shown = significant(threshold, 3, Medium::Html);
        notes.push(format!(
            "The axis is symmetric-logarithmic because values at or below zero occur: linear within \u{b1}{shown}."
        ));
    }
    let series = fits_inside(series, &y);
    let draw = |geometry| Canvas::new(geometry, x, y).draw(chart, &series);
    Drawing { wide: draw(&WIDE), narrow: draw(&NARROW), notes }
}

/// Everything that is measured; the fitted line must not stretch the axis.
fn values(line: &Series) -> impl Iterator<Item = f64> + Clone {
    let marks = line.marks.iter().flat_map(|mark| {
        let ends = mark.band.into_iter().chain(mark.interval).flatten();
        std::iter::once(mark.value).chain(ends)
    });
    marks.chain(line.trace.iter().map(|(_, value)| *value))
}

fn places(line: &Series) -> impl Iterator<Item = f64> + Clone {
    line.marks.iter().map(|mark| mark.at).chain(line.trace.iter().map(|(at, _)| *at))
}

/// Lines without what no axis can show: odd values, and places at zero.
fn plottable(series: &[Series], notes: &mut Vec<String>) -> Vec<Series> {
    let mut kept = series.to_vec();
    for line in &mut kept {
        let before = line.marks.len();
        line.marks.retain(|mark| is_logarithmic(mark.at) && is_plottable(mark.value));
        for mark in &mut line.marks {
            let shown = |ends: &[f64; 2]| ends.iter().all(|end| is_plottable(*end));
            (mark.band, mark.interval) = (mark.band.filter(shown), mark.interval.filter(shown));
        }
        for path in [&mut line.trace, &mut line.fitted] {
            path.retain(|(at, value)| is_logarithmic(*at) && is_plottable(*value));
        }
        if line.marks.len() < before {
            notes.push(format!("{}: {} points are in the table only.", line.label, before - line.marks.len()));
        }
    }
    kept.retain(|line| !line.marks.is_empty());
    kept
}

/// Fitted lines without what lies beyond the axis of what was measured.
fn fits_inside(mut series: Vec<Series>, y: &Scale) -> Vec<Series> {
    series.iter_mut().for_each(|line| line.fitted.retain(|(_, value)| y.holds(*value)));
    series
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mark(at: f64, value: f64) -> Mark {
        Mark { at, value, band: None, interval: None, suspect: false }
    }

    fn line(label: &str, values: &[(f64, f64)]) -> Series {
        let marks = values.iter().map(|(at, value)| mark(*at, *value)).collect();
        Series { label: label.into(), style: 0, marks, trace: vec![], fitted: vec![] }
    }

    fn drawn(series: Vec<Series>) -> Drawing {
        render(&Chart { description: "d".into(), across: Across::Services, axis: "added, ns".into(), series })
    }

    #[test]
    fn a_line_below_zero_is_on_the_axis_with_the_others() {
        let below = line("ebpf-tc", &[(1.0, -700.0), (10.0, -710.0)]);
        let drawing = drawn(vec![below, line("iptables", &[(1.0, 4_000.0), (10.0, 230_000.0)])]);
        // Linear within the decade of the smallest median: neither line is pressed to an edge.
        assert_eq!(
            drawing.notes,
            ["The axis is symmetric-logarithmic because values at or below zero occur: linear within \u{b1}100."]
        );
        for svg in [&drawing.wide, &drawing.narrow] {
            assert!(svg.contains(">ebpf-tc<") && svg.contains(">iptables<"));
        }
    }

    #[test]
    fn values_round_zero_bend_the_axis_with_a_note() {
        let drawing = drawn(vec![line("ipvs", &[(1.0, -4.0), (10.0, 0.0), (100.0, 30.0)])]);
        assert!(drawing.notes[0].starts_with("The axis is symmetric-logarithmic"), "{:?}", drawing.notes);
        assert!(drawing.wide.contains(r#"class="z""#));
    }

    #[test]
    fn nothing_to_draw_draws_nothing() {
        assert_eq!(drawn(vec![]).wide, "");
        let drawing = drawn(vec![line("x", &[(0.0, 5.0), (1.0, f64::NAN)])]);
        assert_eq!(
            (drawing.wide.as_str(), &drawing.notes[..]),
            ("", &["x: 2 points are in the table only.".to_owned()][..])
        );
    }

    #[test]
    fn names_are_escaped() {
        let svg = drawn(vec![line("<script>\"&'", &[(1.0, 5.0)])]).wide;
        assert!(!svg.contains("<script>") && svg.contains("&lt;script&gt;&quot;&amp;&#39;"));
    }

    #[test]
    fn a_fitted_line_never_stretches_the_axis() {
        let mut steep = line("x", &[(1.0, 5.0), (10.0, 7.0)]);
        let plain = drawn(vec![steep.clone()]);
        steep.fitted = vec![(1.0, 5.0), (5.0, 6.0), (10.0, 1e9)];
        let fitted = drawn(vec![steep]);
        let ticks = |svg: &str| svg.matches("class=\"e\"").count();
        assert_eq!(ticks(&plain.wide), ticks(&fitted.wide));
        assert!(fitted.wide.contains("class=\"f s0\"") && !plain.wide.contains("class=\"f s0\""));
    }

    #[test]
    fn intervals_are_whiskers() {
        let mut known = line("x", &[(1.0, 5.0), (10.0, 7.0)]);
        known.marks[0].interval = Some([4.0, 6.0]);
        assert_eq!(drawn(vec![known]).wide.matches("class=\"w s0\"").count(), 1);
    }

    prop_compose! {
        fn any_mark()(at in any::<f64>(), value in any::<f64>(), band in any::<Option<[f64; 2]>>(), interval in any::<Option<[f64; 2]>>()) -> Mark {
            Mark { at, value, band, interval, suspect: false }
        }
    }

    proptest! {
        #[test]
        fn any_marks_draw_finite_paths(
            marks in prop::collection::vec(any_mark(), 0..12),
            trace in prop::collection::vec(any::<(f64, f64)>(), 0..6),
            fitted in prop::collection::vec(any::<(f64, f64)>(), 0..6),
            across in prop::sample::select(vec![Across::Services, Across::Endpoints, Across::Percentile]),
        ) {
            let series = vec![Series { label: "x".into(), style: 3, marks, trace, fitted }];
            let drawing = render(&Chart { description: "d".into(), across, axis: "a".into(), series });
            for svg in [drawing.wide, drawing.narrow] {
                prop_assert!(!svg.contains("NaN") && !svg.contains("inf"));
            }
        }
    }
}
