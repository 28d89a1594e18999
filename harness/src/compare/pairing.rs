//! Puts the cells of both sides together.

use std::collections::BTreeMap;

use super::entry::Entry;
use super::quantity::Quantity;
use super::side::{Compared, Side, preset};
use super::verdict::{Letter, Reason};
use crate::result::{Axes, BackendKind, Cell, Flow, Position};
use crate::workload::{Protocol, VipLayout};

/// What the cells of both sides must share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CellKey {
    pub(super) quantity: Quantity,
    /// None where backends are compared.
    pub(super) backend: Option<BackendKind>,
    pub(super) layout: VipLayout,
    pub(super) protocol: Protocol,
    pub(super) endpoints: u32,
    pub(super) flow: Flow,
    pub(super) position: Position,
    pub(super) services: u32,
}

impl CellKey {
    fn of(entry: &Entry<'_>, compared: Compared) -> Self {
        let Axes { backend, layout, protocol, endpoints, flow, position, .. } = *entry.axes;
        let Entry { quantity, services, .. } = *entry;
        let backend = (compared != Compared::Backends).then_some(backend);
        Self { quantity, backend, layout, protocol, endpoints, flow, position, services }
    }
}

/// A cell of one side or both.
pub(super) struct Pair<'a> {
    pub(super) cell: CellKey,
    pub(super) a: Option<Entry<'a>>,
    pub(super) b: Option<Entry<'a>>,
    /// Why the two cannot be compared, before any statistic.
    pub(super) reason: Option<Reason>,
}

impl Pair<'_> {
    /// A, or where A lacks the cell B.
    pub(super) fn entry(&self) -> Option<&Entry<'_>> {
        self.a.as_ref().or(self.b.as_ref())
    }
}

/// Pairs of all cells of both sides, in the order of their keys. Cells of one place meet first; what is left of both sides is
/// paired all the same, so that the reason names what differs.
pub(super) fn pair<'a>(a: &Side<'a>, b: &Side<'a>) -> Vec<Pair<'a>> {
    let mut cells = BTreeMap::<CellKey, (Vec<Entry<'a>>, Vec<Entry<'a>>)>::new();
    for entry in a.entries() {
        cells.entry(CellKey::of(&entry, a.compared)).or_default().0.push(entry);
    }
    for entry in b.entries() {
        cells.entry(CellKey::of(&entry, b.compared)).or_default().1.push(entry);
    }
    let mut pairs = Vec::new();
    for (cell, (of_a, mut of_b)) in cells {
        let mut left = Vec::new();
        for one in of_a {
            match of_b.iter().position(|other| place(&one, other, a.compared).is_none()) {
                Some(index) => {
                    let other = of_b.remove(index);
                    let reason = unlike((a, &one), (b, &other));
                    pairs.push(Pair { cell, a: Some(one), b: Some(other), reason });
                }
                None => left.push(one),
            }
        }
        let mut of_b = of_b.into_iter();
        for one in left {
            let other = of_b.next();
            let reason = match &other {
                Some(other) => place(&one, other, a.compared),
                None => Some(missing(b, Letter::B, &one)),
            };
            pairs.push(Pair { cell, a: Some(one), b: other, reason });
        }
        pairs.extend(of_b.map(|other| {
            let reason = Some(missing(a, Letter::A, &other));
            Pair { cell, a: None, b: Some(other), reason }
        }));
    }
    pairs
}

/// What differs between the places of two cells.
fn place(a: &Entry<'_>, b: &Entry<'_>, compared: Compared) -> Option<Reason> {
    if a.axes.venue != b.axes.venue {
        return Some(Reason::Venue { a: a.axes.venue, b: b.axes.venue });
    }
    if a.scale != b.scale {
        return Some(Reason::Unit { a: a.scale, b: b.scale });
    }
    if a.axes.kernel != b.axes.kernel && compared != Compared::Kernels {
        return Some(Reason::Kernel { a: a.axes.kernel.clone(), b: b.axes.kernel.clone() });
    }
    (a.axes.bracket != b.axes.bracket).then_some(Reason::Bracket { a: a.axes.bracket, b: b.axes.bracket })
}

/// What else makes two cells of one place tell nothing of each other.
fn unlike((a, one): (&Side<'_>, &Entry<'_>), (b, other): (&Side<'_>, &Entry<'_>)) -> Option<Reason> {
    if let (Some(build_a), Some(build_b)) = (a.build(one.axes), b.build(other.axes))
        && a.compared != Compared::Kernels
        && build_a != build_b
    {
        let named = |axes: &Axes, build: &str| format!("{} {build}", axes.kernel);
        return Some(Reason::Kernel { a: named(one.axes, build_a), b: named(other.axes, build_b) });
    }
    let (model_a, model_b) = (&a.run.environment.cpu_model, &b.run.environment.cpu_model);
    if !one.scale.is_counted() && model_a != model_b {
        return Some(Reason::Processor { a: model_a.clone(), b: model_b.clone() });
    }
    let is_emulated = |side: &Side<'_>, axes: &Axes| side.run.environment.is_emulated(axes.venue, &axes.kernel);
    let emulated = is_emulated(a, one.axes);
    if emulated != is_emulated(b, other.axes) {
        return Some(Reason::Emulated { side: if emulated { Letter::A } else { Letter::B } });
    }
    if preset(a.run) != preset(b.run) {
        return Some(Reason::Preset { a: preset(a.run), b: preset(b.run) });
    }
    for (side, entry) in [(Letter::A, one), (Letter::B, other)] {
        if let Some(what) = &entry.suspect {
            return Some(Reason::Suspect { side, what: what.clone() });
        }
    }
    if one.counts_queues != other.counts_queues {
        return Some(Reason::Queues { side: if one.counts_queues { Letter::A } else { Letter::B } });
    }
    let (a, b) = one.packets.zip(other.packets)?;
    (a != b).then_some(Reason::Packets { a, b })
}

fn missing(side: &Side<'_>, letter: Letter, other: &Entry<'_>) -> Reason {
    let Axes { venue, backend, bracket, layout, protocol, endpoints, flow, position, .. } = *other.axes;
    let backend = side.backend.unwrap_or(backend);
    let same = |cell: &Cell| {
        (cell.venue, cell.backend, cell.layout, cell.protocol) == (venue, backend, layout, protocol)
            && cell.bracket == bracket
            && (cell.endpoints, cell.flow, cell.position) == (endpoints, flow, position)
            && cell.services == other.services
    };
    let skipped = side.run.skipped.iter().find(|skipped| same(&skipped.cell));
    Reason::Missing { side: letter, skipped: skipped.map(|skipped| skipped.reason.clone()) }
}
