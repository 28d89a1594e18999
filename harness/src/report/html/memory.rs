//! Figures of the kernel's memory.

use super::figure::{Figure, style};
use super::table::{Table, cells};
use crate::report::memory::{MemoryLine, WORDS, by_place, columns, sizes};
use crate::report::number::Medium;
use crate::report::plot::{Across, Chart, Mark, Series, render};
use crate::result::{RunFile, VenueKind, name};

/// One figure a venue and kernel.
pub(super) fn figures(run: &RunFile) -> Vec<Figure> {
    by_place(run).into_iter().filter_map(|((venue, kernel), lines)| figure(venue, kernel, &lines)).collect()
}

fn figure(venue: VenueKind, kernel: &str, lines: &[MemoryLine<'_>]) -> Option<Figure> {
    let title = format!("Programmed from nothing, {}, kernel {kernel}", name(&venue));
    let axis = "kernel memory, KiB".to_owned();
    let description = format!("{axis} over the number of services: {title}. The table below holds the values.");
    let several = |line: &MemoryLine<'_>| lines.iter().filter(|other| other.key.0 == line.key.0).count() > 1;
    let series = lines.iter().map(|line| series(line, several(line))).collect();
    let drawing = render(&Chart { description, across: Across::Services, axis, series });
    let sizes = sizes(lines);
    let row = |line: &MemoryLine<'_>| cells(line.row(&sizes, Medium::Html), WORDS);
    let mut table = Table::new(&columns(&sizes, Medium::Html), lines.iter().map(row).collect())?;
    table.notes = lines.iter().filter_map(|line| line.note(Medium::Html)).collect();
    Some(Figure { title, drawing, table })
}

fn series(line: &MemoryLine<'_>, is_one_of_several: bool) -> Series {
    let (backend, layout, _, endpoints) = line.key;
    let mark = |services: &u32| {
        let value = line.bytes(*services)? / 1024.0;
        Some(Mark { at: f64::from(*services), value, band: None, interval: None, suspect: false })
    };
    Series {
        label: if is_one_of_several {
            format!("{} {} M={endpoints}", name(&backend), name(&layout))
        } else {
            name(&backend)
        },
        style: style(backend),
        marks: line.by_services.keys().filter_map(mark).collect(),
        trace: Vec::new(),
        fitted: Vec::new(),
    }
}
