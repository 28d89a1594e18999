//! How a comparison's numbers and cells are written, in the terminal and in Markdown alike.

use std::collections::BTreeMap;

use curve_stats::RatioEstimate;

use super::comparison::{Comparison, Mean, Place, Row};
use super::quantity::Scale;
use super::side::{Compared, Measured, SideLabel};
use super::verdict::Verdict;
use crate::report::number::{self, Medium};
use crate::result::{Unit, name, subject};

const MEDIUM: Medium = Medium::Terminal;

/// Shown where a cell has no value.
const NONE: &str = "-";

/// E.g. `host, kernel 6.18.5, ns`.
pub(super) fn place(place: &Place) -> String {
    let kernel = place.kernel.as_ref().map(|kernel| format!("kernel {kernel}, ")).unwrap_or_default();
    format!("{}, {kernel}{}", name(&place.venue), place.unit)
}

/// E.g. `A: before (2026-01-01T00:00:00Z, lbcurve 0.1.0, seed 42)`.
pub(super) fn side(letter: &str, label: &SideLabel) -> String {
    let SideLabel { name, date, lbcurve_version, seed, .. } = label;
    format!("{letter}: {name} ({date}, lbcurve {lbcurve_version}, seed {seed})")
}

/// E.g. `2 improved, 1 regressed, 30 no change, 4 not comparable`.
pub(super) fn summary(comparison: &Comparison) -> String {
    let s = &comparison.summary;
    let (improved, regressed, same, not) = (s.improved, s.regressed, s.no_change, s.not_comparable);
    format!("{improved} improved, {regressed} regressed, {same} no change, {not} not comparable")
}

/// What the numbers are and when a cell counts as changed.
pub(super) fn method(comparison: &Comparison) -> String {
    let timed = comparison.rows.iter().filter(|row| row.p.is_some()).count();
    let ranged = |unit| comparison.rows.iter().any(|row| row.ratio.is_some() && row.place.unit == unit);
    let floor = number::significant(comparison.floor * 100.0, 3, MEDIUM);
    let mut text = String::from("Ratios are B / A of the median over trials of p50; above 1, B costs more. ");
    if comparison.rows.iter().any(|row| row.metric.is_rate()) {
        text += "Of rates, of the median over trials; above 1, B carries more. ";
    }
    if timed > 0 {
        let cells = if timed == 1 { "1 cell".to_owned() } else { format!("{timed} cells") };
        text += &format!("Changed: Mann-Whitney p at most {} after Holm over {cells}", comparison.alpha);
        text += &format!(", and ratio beyond the floor of {floor}%. ");
    }
    for (unit, counted) in [(Unit::Instructions, "Instructions"), (Unit::Steps, "Steps")] {
        if ranged(unit) {
            text +=
                &format!("{counted} changed: the trials' ranges do not meet, and ratio beyond the floor of {floor}%. ");
        }
    }
    text + "Intervals in brackets reach 95% or more; ranges in parentheses have no level."
}

/// `1.023 [1.011, 1.035]`; a range of few or deterministic trials is written `1.023 (1.020 to 1.026)`.
pub(super) fn ratio(estimate: &RatioEstimate) -> String {
    let (low, high) = (factor(estimate.spread.low()), factor(estimate.spread.high()));
    match estimate.spread.level() {
        Some(_) => format!("{} [{low}, {high}]", factor(estimate.ratio)),
        None => format!("{} ({low} to {high})", factor(estimate.ratio)),
    }
}

/// Three decimals near 1, three digits far from it.
pub(super) fn factor(ratio: f64) -> String {
    if (0.1..100.0).contains(&ratio) { format!("{ratio:.3}") } else { number::significant(ratio, 3, MEDIUM) }
}

pub(super) fn p(row: &Row) -> String {
    match row.p {
        None => NONE.to_owned(),
        Some(p) if p < 0.0001 => "<0.0001".to_owned(),
        Some(p) => format!("{p:.4}"),
    }
}

pub(super) fn measured(side: Option<&Measured>, unit: Scale) -> String {
    side.map_or_else(|| NONE.to_owned(), |side| unit.value(side.p50, MEDIUM))
}

/// Axes of a table's rows: those that tell rows apart, beside metric, flow, position and N.
pub(super) struct Axes {
    backend: bool,
    extra: [bool; 4],
}

impl Axes {
    pub(super) fn of(comparison: &Comparison, rows: &[&Row]) -> Self {
        let differ = |key: &dyn Fn(&Row) -> String| rows.windows(2).any(|pair| key(pair[0]) != key(pair[1]));
        let extra = [
            differ(&|row| name(&row.layout)),
            differ(&|row| name(&row.protocol)),
            differ(&|row| row.endpoints.to_string()),
            rows.iter().any(|row| !row.bracket.is_tc()),
        ];
        Self { backend: comparison.compared != Compared::Backends, extra }
    }

    pub(super) fn head(&self) -> Vec<String> {
        self.pick(["metric", "backend", "flow", "position", "layout", "protocol", "M", "bracket"].map(str::to_owned))
    }

    pub(super) fn cells(&self, row: &Row) -> Vec<String> {
        let backend = row.backend.as_ref().map(name).unwrap_or_default();
        let (flow, position) = (name(&row.flow), name(&row.position));
        let (layout, protocol, endpoints) = (name(&row.layout), name(&row.protocol), row.endpoints.to_string());
        self.pick([row.metric.to_string(), backend, flow, position, layout, protocol, endpoints, name(&row.bracket)])
    }

    fn pick(&self, all: [String; 8]) -> Vec<String> {
        let [layout, protocol, endpoints, bracket] = self.extra;
        let shown = [true, self.backend, true, true, layout, protocol, endpoints, bracket];
        all.into_iter().zip(shown).filter_map(|(cell, shown)| shown.then_some(cell)).collect()
    }
}

/// Lines of a table: the axes, N, both medians, ratio, p and verdict.
pub(super) fn head(axes: &Axes) -> Vec<String> {
    let mut head = axes.head();
    head.extend(["N", "A", "B", "B / A [95%]", "p (Holm)", "verdict"].map(str::to_owned));
    head
}

pub(super) fn line(axes: &Axes, row: &Row) -> Vec<String> {
    let unit = row.place.unit;
    let mut line = axes.cells(row);
    line.push(number::count(u64::from(row.services), MEDIUM));
    line.extend([measured(row.a.as_ref(), unit), measured(row.b.as_ref(), unit)]);
    line.push(row.ratio.as_ref().map_or_else(|| NONE.to_owned(), ratio));
    line.extend([p(row), row.verdict.to_string()]);
    line
}

/// The table of geometric means: head, lines, and how many columns are words.
pub(super) fn means(comparison: &Comparison) -> (Vec<String>, Vec<Vec<String>>, usize) {
    let backends = comparison.compared != Compared::Backends;
    let words = ["place", "metric"].into_iter().chain(backends.then_some("backend"));
    let head: Vec<_> = words.chain(["cells", "B / A"]).map(str::to_owned).collect();
    let line = |mean: &Mean| {
        let bracket = match mean.backend {
            None if !mean.bracket.is_tc() => format!(", {} bracket", name(&mean.bracket)),
            _ => String::new(),
        };
        let mut line = vec![place(&mean.place) + &bracket, mean.metric.to_string()];
        line.extend(mean.backend.map(|backend| subject(backend, mean.bracket)));
        line.extend([mean.cells.to_string(), factor(mean.ratio)]);
        line
    };
    (head, comparison.means.iter().map(line).collect(), if backends { 3 } else { 2 })
}

/// Comparable rows by where they were measured.
pub(super) fn by_place(comparison: &Comparison) -> BTreeMap<&Place, Vec<&Row>> {
    let mut places = BTreeMap::<_, Vec<_>>::new();
    for row in comparison.rows.iter().filter(|row| row.ratio.is_some()) {
        places.entry(&row.place).or_default().push(row);
    }
    places
}

/// One line for the cells that cannot be compared for one reason: `12 cells (traversal, added; ipvs; N=1; 10): preset quick
/// against standard`.
pub(super) fn not_comparable(comparison: &Comparison) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&Row>)> = Vec::new();
    for row in &comparison.rows {
        if let Verdict::NotComparable { reason } = &row.verdict {
            let reason = reason.to_string();
            match groups.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, rows)) => rows.push(row),
                None => groups.push((reason, vec![row])),
            }
        }
    }
    groups.into_iter().map(|(reason, rows)| format!("{}: {reason}", cells(&rows))).collect()
}

fn cells(rows: &[&Row]) -> String {
    let cells = if rows.len() == 1 { "1 cell".to_owned() } else { format!("{} cells", rows.len()) };
    let distinct = |text: &dyn Fn(&Row) -> String| {
        let mut all: Vec<String> = Vec::new();
        for text in rows.iter().map(|row| text(row)) {
            if !text.is_empty() && !all.contains(&text) {
                all.push(text);
            }
        }
        all.join(", ")
    };
    let mut services: Vec<u32> = rows.iter().map(|row| row.services).collect();
    services.sort_unstable();
    services.dedup();
    let services: Vec<_> = services.iter().map(|n| number::count(u64::from(*n), MEDIUM)).collect();
    let axes = [
        distinct(&|row| name(&row.place.venue)),
        distinct(&|row| row.metric.to_string()),
        distinct(&|row| row.backend.map(|backend| subject(backend, row.bracket)).unwrap_or_default()),
        distinct(&|row| name(&row.flow)),
        distinct(&|row| name(&row.position)),
    ];
    let axes: Vec<_> = axes.into_iter().filter(|axis| !axis.is_empty()).collect();
    format!("{cells} ({}; N = {})", axes.join("; "), services.join("; "))
}
