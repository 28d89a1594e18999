//! A gate's report as a terminal table, as Markdown for a pull request and as GitHub annotations. Pure: from [`super::GateReport`] to text.

mod annotations;
mod markdown;
mod terminal;

pub use annotations::annotations;
pub use markdown::markdown;
pub use terminal::terminal;

use super::{CellReport, GateReport, GateVerdict, StatisticReport};
use crate::report::number::{Medium, value};
use crate::result::Unit;

/// The verdict and how it came about, in a sentence.
fn sentence(report: &GateReport) -> String {
    if report.verdict == GateVerdict::InvalidEnvironment {
        let why = report.notes.first().map_or("nothing was measured", String::as_str);
        return format!("nothing can be concluded here: {why}");
    }
    let kinds = [GateVerdict::Regression, GateVerdict::Inconclusive, GateVerdict::Improvement, GateVerdict::Pass];
    let counts = kinds.map(|kind| (kind, report.count(kind)));
    let said: Vec<_> = counts.iter().filter(|(_, count)| *count > 0).map(|(kind, n)| format!("{n} {kind}")).collect();
    format!("{} of {} curves' points", said.join(", "), report.cells.len())
}

/// `+2.41%`; nothing where no ratio has a meaning.
fn change(row: &StatisticReport) -> String {
    row.ratio.map_or_else(|| "n/a".to_owned(), |ratio| format!("{:+.2}%", (ratio - 1.0) * 100.0))
}

/// A side's median and range: `33,768 [33,761, 33,790]`.
fn side(values: &[f64], unit: Unit) -> String {
    let show = |number| value(number, unit, Medium::Terminal);
    let Ok(median) = curve_stats::median(values) else { return "none".to_owned() };
    let (low, high) = values.iter().fold((median, median), |(low, high), &v| (v.min(low), v.max(high)));
    if low == high { show(median) } else { format!("{} [{}, {}]", show(median), show(low), show(high)) }
}

/// What a notable cell's line says: its headline's two sides and change.
fn headline(cell: &CellReport) -> [String; 3] {
    let Some(row) = cell.headline() else { return ["none".into(), "none".into(), "n/a".into()] };
    [side(&row.baseline, cell.unit), side(&row.candidate, cell.unit), change(row)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{Statistic, overall};
    use crate::result::{BackendKind, Bracket, Cell, Flow, Metric, Position, VenueKind};
    use crate::workload::{Protocol, VipLayout};

    fn row(statistic: Statistic, candidate: f64, verdict: GateVerdict) -> StatisticReport {
        StatisticReport {
            statistic,
            baseline: vec![1000.0, 1002.0, 1001.0],
            candidate: vec![candidate; 3],
            ratio: Some(candidate / 1001.0),
            interval: None,
            p: None,
            verdict,
            reason: "100% | above\nthe floor".into(),
        }
    }

    fn cell(services: u32, candidate: f64, verdict: GateVerdict) -> CellReport {
        CellReport {
            cell: Cell {
                venue: VenueKind::Vm,
                kernel: "6.1".into(),
                backend: BackendKind::Ipvs,
                bracket: Bracket::Tc,
                layout: VipLayout::Stride256,
                protocol: Protocol::Tcp,
                services,
                endpoints: 2,
                flow: Flow::New,
                position: Position::First,
            },
            metric: Metric::Added,
            unit: Unit::Instructions,
            verdict,
            reason: "p50 and p10 agree".into(),
            statistics: vec![row(Statistic::P10, 1001.0, verdict), row(Statistic::P50, candidate, verdict)],
        }
    }

    fn report(cells: Vec<CellReport>) -> GateReport {
        let verdict = overall(cells.iter().map(|cell| cell.verdict));
        GateReport { verdict, facts: vec![("kernel".into(), "6.1_x".into())], notes: vec!["a note".into()], cells }
    }

    #[test]
    fn the_gravest_and_largest_come_first_everywhere() {
        let (passed, small, large) = (
            cell(1, 1001.0, GateVerdict::Pass),
            cell(10, 1031.0, GateVerdict::Regression),
            cell(100, 1101.0, GateVerdict::Regression),
        );
        let report = report(vec![cell(1000, 900.0, GateVerdict::Improvement), passed, small, large]);
        let order: Vec<_> = report.notable().iter().map(|cell| cell.cell.services).collect();
        assert_eq!(order, [100, 10, 1000]);

        let text = terminal(&report);
        let last = text.lines().last().unwrap();
        assert_eq!(last, "gate: regression: 2 regression, 1 improvement, 1 pass of 4 curves' points");
        assert!(
            text.contains("note: a note") && text.contains("+9.99%") && text.contains("1,001 [1,000, 1,002]"),
            "{text}"
        );

        let markdown = markdown(&report);
        assert!(markdown.starts_with("## lbcurve gate: regression\n"), "{markdown}");
        assert!(
            markdown
                .contains("| p50 | 1,001 [1,000, 1,002] | 1,101 | +9.99% | regression | 100% \\| above the floor |")
        );
        assert!(markdown.contains("All 4 points, 1 pass") && markdown.contains("6.1\\_x"), "{markdown}");
    }

    #[test]
    fn annotations_are_escaped_and_few() {
        let cells = (0..20).map(|n| cell(n, 1101.0, GateVerdict::Regression)).collect();
        let lines = annotations(&report(cells));
        assert_eq!(lines.len(), 10);
        assert!(
            lines.iter().all(|line| line.starts_with("::error title=lbcurve ") && !line.contains('\n')),
            "{lines:?}"
        );
        assert!(lines[0].contains("regression%3A ipvs stride-256") && lines[0].contains("+9.99%25"), "{}", lines[0]);
        assert_eq!(annotations(&report(vec![cell(1, 1001.0, GateVerdict::Pass)])), Vec::<String>::new());
    }

    #[test]
    fn an_invalid_environment_says_why_and_nothing_else() {
        let report = GateReport::invalid(Vec::new(), vec!["QEMU is missing".into()]);
        assert_eq!(terminal(&report), "gate: invalid-environment: nothing can be concluded here: QEMU is missing\n");
        assert_eq!(annotations(&report).len(), 1);
    }
}
