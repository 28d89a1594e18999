//! Figures over N: each backend at its worst position, then positions, VIP layouts and kernels side by side.

use std::collections::BTreeMap;

use super::figure::{Figure, Line, over_services};
use super::table::{Cell, Table};
use crate::report::select::{Panel, flow_title, headline_curves, panels, panels_in, verdict_curves};
use crate::result::{BackendKind, Bracket, Curve, Flow, Metric, Point, RunFile, Unit, VenueKind, name};
use crate::workload::{Protocol, VipLayout};

/// What each backend adds in its own bracket: one figure a panel, one line a backend.
pub(super) fn added(run: &RunFile) -> Vec<(Panel<'_>, Figure)> {
    figures(panels(run, Metric::Added))
}

/// One figure a panel, one line a backend, all in one bracket: traversals of two brackets hold different code.
pub(super) fn in_bracket(run: &RunFile, metric: Metric, bracket: Bracket) -> Vec<(Panel<'_>, Figure)> {
    figures(panels_in(run, metric, bracket))
}

fn figures<'a>(panels: BTreeMap<Panel<'a>, Vec<&Curve>>) -> Vec<(Panel<'a>, Figure)> {
    let figure = |(panel, curves): (Panel<'a>, Vec<&Curve>)| {
        let lines: Vec<_> = headline_curves(&curves).into_iter().map(Line::of_backend).collect();
        Some((panel, over_services(panel.title(), &lines)?))
    };
    panels.into_iter().filter_map(figure).collect()
}

/// One figure a panel and backend that was measured at several positions of one layout.
pub(super) fn positions(run: &RunFile) -> Vec<Figure> {
    by_backend(run, |_, curves| {
        let layout = curves.iter().map(|curve| curve.key.axes.layout).min()?;
        let of_layout = curves.iter().copied().filter(|curve| curve.key.axes.layout == layout);
        Some(of_layout.map(|curve| (name(&curve.key.axes.position), curve)).collect())
    })
}

/// One figure a panel and backend that was measured with several VIP layouts, at the backend's worst position.
pub(super) fn layouts(run: &RunFile) -> Vec<Figure> {
    let labelled = |curve| (super::figure::layout_label(curve), curve);
    by_backend(run, |_, curves| Some(verdict_curves(curves).into_iter().map(labelled).collect()))
}

/// Figures of traversal with several lines of one backend.
fn by_backend<'a>(
    run: &'a RunFile,
    choose: impl Fn(BackendKind, &[&'a Curve]) -> Option<Vec<(String, &'a Curve)>>,
) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (panel, curves) in panels(run, Metric::Traversal) {
        let mut backends = BTreeMap::<_, Vec<_>>::new();
        for curve in curves.into_iter().filter(|curve| curve.key.axes.backend.balances()) {
            backends.entry(curve.key.axes.backend).or_default().push(curve);
        }
        for (backend, curves) in backends {
            let chosen = choose(backend, &curves).unwrap_or_default();
            if chosen.len() > 1 {
                figures.extend(over_services(format!("{}: {}", name(&backend), panel.title()), &numbered(chosen)));
            }
        }
    }
    figures
}

/// Lines in styles of their own.
fn numbered(curves: Vec<(String, &Curve)>) -> Vec<Line<'_>> {
    curves.into_iter().enumerate().map(|(style, (label, curve))| Line { label, style, curve }).collect()
}

/// What the kernels of one comparison share.
type Comparison = (VenueKind, Unit, Flow, Protocol, u32, BackendKind, VipLayout);

/// One figure a backend that was measured on several kernels of a venue, one line a kernel.
pub(super) fn kernels(run: &RunFile) -> Vec<Figure> {
    let mut comparisons = BTreeMap::<Comparison, Vec<&Curve>>::new();
    for curves in panels(run, Metric::Added).into_values() {
        for curve in verdict_curves(&curves).into_iter().filter(|curve| curve.key.axes.backend.balances()) {
            let key = &curve.key;
            let comparison = (
                key.axes.venue,
                key.unit,
                key.axes.flow,
                key.axes.protocol,
                key.axes.endpoints,
                key.axes.backend,
                key.axes.layout,
            );
            comparisons.entry(comparison).or_default().push(curve);
        }
    }
    let several = comparisons.into_iter().filter(|(_, curves)| curves.len() > 1);
    several.filter_map(|(comparison, curves)| kernel_figure(&comparison, &curves)).collect()
}

fn kernel_figure(
    (venue, _, flow, protocol, endpoints, backend, layout): &Comparison,
    curves: &[&Curve],
) -> Option<Figure> {
    let (venue, protocol, layout) = (name(venue), name(protocol).to_uppercase(), name(layout));
    let flow = flow_title(*flow).to_lowercase();
    let title =
        format!("{}: {flow} flows, {venue}, {protocol}, {layout} VIPs, M\u{a0}=\u{a0}{endpoints}", name(backend));
    let lines = curves.iter().map(|curve| (curve.key.axes.kernel.clone(), *curve)).collect();
    over_services(title, &numbered(lines))
}

/// Every point of the curves of some metrics, with all quantiles.
pub(super) fn points_table(run: &RunFile, wanted: impl Fn(Metric) -> bool) -> Option<Table> {
    let head =
        ["venue", "metric", "backend", "flow", "N", "min", "p10", "p50", "p90", "p99", "p99.9", "trials", "packets"];
    let curves = run.curves.iter().filter(|curve| wanted(curve.key.metric));
    let rows = curves.flat_map(|curve| curve.points.iter().map(|point| point_row(curve, point)));
    Table::new(&head, rows.collect())
}

fn point_row(curve: &Curve, point: &Point) -> Vec<Cell> {
    let key = &curve.key;
    let packets = format!("{}, M\u{a0}=\u{a0}{}", name(&key.axes.protocol), point.endpoints);
    let service = format!("{}, {}", name(&key.axes.position), name(&key.axes.layout));
    let mut cells = vec![
        Cell::text(name(&key.axes.venue)).with_detail(key.axes.kernel.clone()),
        Cell::text(key.metric.to_string()).with_detail(key.unit.to_string()),
        Cell::text(key.axes.subject()).with_detail(service),
        Cell::text(name(&key.axes.flow)).with_detail(packets),
        Cell::count(u64::from(point.services)),
    ];
    let quantiles = [point.min, point.p10, point.p50, point.p90, point.p99, point.p999];
    cells.extend(quantiles.map(|value| Cell::value(value, key.unit)));
    cells.push(Cell::count(u64::from(point.trials)).flagged(point.suspect.is_some()));
    cells.push(Cell::count(point.packets));
    cells
}
