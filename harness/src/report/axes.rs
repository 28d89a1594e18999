//! The axes of a curve as the first cells of a table's row.

use crate::result::{Axes, NewShare, RunFile, VenueKind, flow_words, name};

/// Headings.
const HEADINGS: [&str; 7] = ["venue", "kernel", "backend", "layout", "protocol", "flow", "position"];

/// The headings of the axes, and those that follow.
pub(super) fn columns(others: &[&'static str]) -> Vec<&'static str> {
    [&HEADINGS, others].concat()
}

/// The cells below the headings, and those that follow. `venue` is as [`venue`] says it.
pub(super) fn row(
    venue: String,
    axes: &Axes,
    new_share: Option<NewShare>,
    others: impl IntoIterator<Item = String>,
) -> Vec<String> {
    let first = [
        venue,
        axes.kernel.clone(),
        axes.subject(),
        name(&axes.layout),
        name(&axes.protocol),
        flow_words(axes.flow, new_share),
        name(&axes.position),
    ];
    first.into_iter().chain(others).collect()
}

/// `vm, emulated` where no hardware carries the machine's instructions out while time is measured.
pub(super) fn venue(run: &RunFile, venue: VenueKind, kernel: &str) -> String {
    name(&venue) + if run.environment.is_emulated(venue, kernel) { ", emulated" } else { "" }
}
