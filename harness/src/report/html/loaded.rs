//! Figures of latency under load: percentile plots, one a load.

use std::collections::BTreeMap;

use super::figure::Figure;
use super::percentiles::{Spectrum, spectrum};
use super::rates::{Flows, bytes};
use super::table::{Table, cells};
use crate::report::loaded::{WORDS, columns, notes, row};
use crate::report::number::{self, Medium};
use crate::report::plot::{Across, Chart, Series, render};
use crate::report::select::flows_title;
use crate::result::{LoadedLatency, PacketSize, RateMethod, RunFile, VenueKind, name, subject};
use crate::workload::Protocol;

/// What the lines of one figure share, N descending. Brackets are no matter: all arrive at the same place.
type Panel<'a> = (VenueKind, &'a str, Protocol, u32, Flows, RateMethod, PacketSize, u32, u32);

/// One figure a place, traffic, N and load, the largest N first.
pub(super) fn figures(run: &RunFile) -> Vec<Figure> {
    let mut panels = BTreeMap::<Panel<'_>, Vec<&LoadedLatency>>::new();
    for entry in &run.loaded {
        let cell = &entry.cell;
        let panel = (
            cell.venue,
            &*cell.kernel,
            cell.protocol,
            cell.endpoints,
            (cell.flow, entry.new_share),
            entry.method,
            entry.packet_size,
            u32::MAX - cell.services,
            entry.share_percent,
        );
        panels.entry(panel).or_default().push(entry);
    }
    panels.into_iter().filter_map(|(panel, entries)| figure(panel, &entries)).collect()
}

fn figure(
    (venue, kernel, protocol, endpoints, (flow, new_share), method, size, below, share): Panel<'_>,
    entries: &[&LoadedLatency],
) -> Option<Figure> {
    let (services, flow) = (number::size(u32::MAX - below), flows_title(flow, new_share));
    let (venue, protocol, method) = (name(&venue), name(&protocol).to_uppercase(), name(&method));
    let title = format!(
        "{services}, {share}% of each backend's loss-free rate: {flow} flows, {method} goals, {venue}, kernel {kernel}, {protocol}, \
         M\u{a0}=\u{a0}{endpoints}{}",
        bytes(size)
    );
    let axis = "latency from the intended time, ns".to_owned();
    let description = format!("{axis}, over the percentile of packets: {title}. The table below holds the values.");
    let timed = entries.iter().filter(|entry| !entry.quantiles.is_empty());
    let series = timed.map(|entry| line(entry, entries)).collect();
    let drawing = render(&Chart { description, across: Across::Percentile, axis, series });
    let rows = entries.iter().map(|entry| cells(row(entry, Medium::Html), WORDS));
    let mut table = Table::new(&columns(), rows.collect())?;
    table.notes = entries.iter().filter_map(|entry| notes(entry, Medium::Html)).collect();
    Some(Figure { title, drawing, table })
}

/// A backend's line, with layout and position where it has several.
fn line(entry: &LoadedLatency, entries: &[&LoadedLatency]) -> Series {
    let cell = &entry.cell;
    let several = entries.iter().filter(|other| other.cell.backend == cell.backend).count() > 1;
    let subject = subject(cell.backend, cell.bracket);
    let label = if several { format!("{subject} {}, {}", name(&cell.layout), name(&cell.position)) } else { subject };
    let of = Spectrum { packets: entry.carried, max: entry.max, quantiles: &entry.quantiles };
    spectrum(label, cell.backend, &of)
}
