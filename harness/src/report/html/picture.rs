//! The main plot as a file of its own, for a README.

use super::curves::added;
use crate::report::plot::standalone;
use crate::report::select::main_panels;
use crate::result::RunFile;

const TITLE: &str = "What load balancing adds to a packet's way through the node";
const KEY: &str = "Marks: medians. Solid line: the fit. Band: p10 to p90 of packets. Dotted: joins only.";

/// What the backends add, one chart a venue and kernel, as an SVG that stands alone; `None` where the run has nothing to draw.
#[must_use]
pub fn svg(run: &RunFile) -> Option<String> {
    let figures = added(run);
    let main = main_panels(&figures.iter().map(|(panel, _)| *panel).collect::<Vec<_>>());
    let shown = figures.into_iter().filter(|(panel, figure)| main.contains(panel) && !figure.drawing.wide.is_empty());
    let charts: Vec<_> = shown.map(|(panel, figure)| (panel.title(), figure.drawing)).collect();
    (!charts.is_empty()).then(|| standalone(TITLE, &charts, KEY))
}
