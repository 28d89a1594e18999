//! A curve in words: its subject, its class, its figures.

use crate::report::number::{self, Medium};
use crate::report::select::{panels, verdict_curves};
use crate::result::{BackendKind, Curve, Environment, Flow, Metric, RunFile, Unit, VenueKind, name};
use crate::workload::{Protocol, VipLayout};

pub(super) const MEDIUM: Medium = Medium::Terminal;

/// What curves of one section share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place<'a> {
    pub(super) venue: VenueKind,
    pub(super) kernel: &'a str,
    pub(super) unit: Unit,
    pub(super) protocol: Protocol,
    pub(super) endpoints: u32,
}

/// What is compared over kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub(super) backend: BackendKind,
    pub(super) layout: VipLayout,
}

impl Place<'_> {
    pub(super) fn of(curve: &Curve) -> Place<'_> {
        let key = &curve.key;
        let (venue, unit, protocol, endpoints) = (key.axes.venue, key.unit, key.axes.protocol, key.axes.endpoints);
        Place { venue, kernel: &key.axes.kernel, unit, protocol, endpoints }
    }

    /// E.g. `Kernel 6.1.0-56-amd64 in the vm, TCP, M = 2, in instructions`.
    pub(super) fn title(&self, environment: &Environment) -> String {
        let venue = match self.venue {
            VenueKind::Vm if environment.is_emulated(self.venue, self.kernel) => "in the vm, emulated",
            VenueKind::Vm => "in the vm",
            VenueKind::Host => "on the host",
            VenueKind::Sim => "in user space",
        };
        let protocol = name(&self.protocol).to_uppercase();
        format!("Kernel {} {venue}, {protocol}, M = {}, in {}", self.kernel, self.endpoints, self.unit)
    }
}

impl Subject {
    pub(super) fn of(curve: &Curve) -> Self {
        Self { backend: curve.key.axes.backend, layout: curve.key.axes.layout }
    }

    /// E.g. `ipvs, stride-256 VIPs`.
    pub(super) fn title(&self) -> String {
        let backend = name(&self.backend);
        if self.layout == VipLayout::Sequential { backend } else { format!("{backend}, {} VIPs", name(&self.layout)) }
    }
}

/// The curves of `added` for new flows at each backend's worst position, chosen as the report chooses them: what a reading is
/// about.
pub(super) fn main_curves(run: &RunFile) -> Vec<&Curve> {
    let panels = panels(run, Metric::Added).into_iter().filter(|(panel, _)| panel.flow == Flow::New);
    let mut curves: Vec<_> = panels.flat_map(|(_, curves)| verdict_curves(&curves)).collect();
    curves.retain(|curve| curve.key.axes.backend.balances());
    curves.sort_by_key(|curve| (Place::of(curve), Subject::of(curve)));
    curves
}

/// The complexity classes that the data support.
pub(super) fn class(curve: &Curve) -> String {
    curve.fit.label()
}

pub(super) fn slope(curve: &Curve) -> String {
    number::slope(&curve.fit, MEDIUM)
}

pub(super) fn services(services: u32) -> String {
    number::count(u64::from(services), MEDIUM)
}

/// The median at one N, with its spread; flagged where packets went astray.
pub(super) fn median(curve: &Curve, services: u32) -> Option<String> {
    let point = curve.points.iter().find(|point| point.services == services)?;
    let flag = if point.suspect.is_some() { " (suspect)" } else { "" };
    Some(number::value(point.p50, curve.key.unit, MEDIUM) + flag)
}

/// One sentence: class, slope, what is added at both ends.
pub(super) fn sentence(curve: &Curve) -> String {
    let unit = curve.key.unit;
    let mut text = format!(
        "**{}**, asked for its {} service{}: **{}** in the number of services",
        Subject::of(curve).title(),
        name(&curve.key.axes.position),
        if curve.key.axes.position == curve.key.axes.backend.worst_position() {
            ""
        } else {
            ", the one that took longest of those measured"
        },
        class(curve)
    );
    text += &format!(", {} {unit} per service", slope(curve));
    let ends = [curve.points.first(), curve.points.last()].into_iter().flatten();
    let mut ends: Vec<u32> = ends.map(|point| point.services).collect();
    ends.dedup();
    let ends = ends.iter().filter_map(|&n| Some(format!("{} {unit} at N = {}", median(curve, n)?, services(n))));
    text += &format!("; it adds {}.", ends.collect::<Vec<_>>().join(" and "));
    for note in &curve.fit.notes {
        text += &format!(" ({note})");
    }
    text
}

/// A row of a table, on a line of its own; what would end a cell is escaped.
pub(super) fn row(cells: &[String]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
    format!("\n| {} |", cells.join(" | "))
}
