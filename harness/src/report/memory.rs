//! Kernel memory of what was programmed, as lines over N, in words for every medium.

use std::collections::BTreeMap;

use curve_stats::{Fit, Observation, fit, median};

use super::number::{self, Medium};
use super::programming::{LineKey, lines};
use crate::result::{ProgrammingOp, ProgrammingRecord, RunFile, StateMemory, VenueKind, name, noise_floor};

/// What the figures are, for every medium.
pub(super) const INTRO: &str = "Growth of the kernel's slab that cannot be reclaimed, vmalloc and per-CPU memory while N services were programmed from nothing, the machine's after \
    minus before: on a host what other processes did meanwhile is in it. An eBPF load balancer's connection tables are allocated whole.";

/// Columns that hold words; the others hold numbers.
pub(super) const WORDS: usize = 4;

/// One backend's memory over N.
pub(super) struct MemoryLine<'a> {
    pub(super) key: LineKey,
    /// What was taken at each N, by repetition.
    pub(super) by_services: BTreeMap<u32, Vec<&'a StateMemory>>,
    /// Of the bytes; none where it cannot be computed.
    pub(super) fit: Option<Fit>,
}

/// The lines of each venue and kernel.
pub(super) fn by_place(run: &RunFile) -> BTreeMap<(VenueKind, &str), Vec<MemoryLine<'_>>> {
    let mut places = BTreeMap::<_, Vec<&ProgrammingRecord>>::new();
    let weighed =
        run.programming.iter().filter(|record| record.op == ProgrammingOp::FromNothing && record.memory.is_some());
    for record in weighed {
        places.entry((record.venue, record.kernel.as_str())).or_default().push(record);
    }
    places.into_iter().map(|(place, records)| (place, memory_lines(&records))).collect()
}

fn memory_lines<'a>(records: &[&'a ProgrammingRecord]) -> Vec<MemoryLine<'a>> {
    let line = |(key, by_services): (LineKey, BTreeMap<u32, Vec<&'a ProgrammingRecord>>)| {
        let each =
            by_services.iter().flat_map(|(services, repeats)| repeats.iter().map(move |record| (*services, *record)));
        // The unit says how the venue repeats itself: where programming counts instructions, memory is as alike in every repetition as they are.
        let floor = each.clone().next().map(|(_, record)| noise_floor(record.unit));
        let bytes = |(services, record): (u32, &ProgrammingRecord)| {
            record.memory.as_ref().map(|memory| Observation::new(services, memory.bytes() as f64))
        };
        let observations: Vec<_> = each.filter_map(bytes).collect();
        let memory = |(services, repeats): (u32, Vec<&'a ProgrammingRecord>)| {
            (services, repeats.into_iter().filter_map(|record| record.memory.as_ref()).collect())
        };
        let fit = floor.and_then(|floor| fit(&observations, floor).ok());
        MemoryLine { key, by_services: by_services.into_iter().map(memory).collect(), fit }
    };
    lines(records).into_iter().map(line).collect()
}

/// Every N of some lines, ascending.
pub(super) fn sizes(lines: &[MemoryLine<'_>]) -> Vec<u32> {
    let mut sizes: Vec<_> = lines.iter().flat_map(|line| line.by_services.keys().copied()).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// Headings: the workload, every N, and what the values say of growth.
pub(super) fn columns(sizes: &[u32], medium: Medium) -> Vec<String> {
    let mut head: Vec<_> = ["backend", "layout", "protocol", "M"].map(str::to_owned).into();
    head.extend(sizes.iter().map(|services| format!("N={}", number::count(u64::from(*services), medium))));
    head.extend(["class".to_owned(), "bytes per service [95%]".to_owned()]);
    head
}

impl MemoryLine<'_> {
    /// The cells of [`columns`].
    pub(super) fn row(&self, sizes: &[u32], medium: Medium) -> Vec<String> {
        let (backend, layout, protocol, endpoints) = &self.key;
        let mut row = vec![name(backend), name(layout), name(protocol), endpoints.to_string()];
        let kib = |services| self.bytes(services).map_or_else(|| "-".to_owned(), |bytes| kib(bytes, medium));
        row.extend(sizes.iter().map(|services| kib(*services)));
        let fitted = self.fit.as_ref().map(|fit| [fit.label(), number::slope(fit, medium)]);
        row.extend(fitted.unwrap_or_else(|| ["-".to_owned(), "-".to_owned()]));
        row
    }

    /// Median over repetitions.
    pub(super) fn bytes(&self, services: u32) -> Option<f64> {
        let values: Vec<_> = self.by_services.get(&services)?.iter().map(|memory| memory.bytes() as f64).collect();
        median(&values).ok()
    }

    /// Where the memory of the largest N is, by its first repetition.
    pub(super) fn note(&self, medium: Medium) -> Option<String> {
        let (services, repeats) = self.by_services.last_key_value()?;
        let memory = repeats.first()?;
        let of = |part: i64| kib(part as f64 * 1024.0, medium);
        let parts =
            [("slab", memory.unreclaimable_kib), ("vmalloc", memory.vmalloc_kib), ("per CPU", memory.percpu_kib)];
        let mut parts: Vec<_> = parts.iter().map(|(what, part)| format!("{what} {}", of(*part))).collect();
        let caches = memory.caches.iter().map(|cache| format!("{} {}", cache.name, kib(cache.bytes as f64, medium)));
        let maps = memory.maps.iter().map(|map| format!("{} {}", map.name, kib(map.bytes as f64, medium)));
        for (what, list) in [("slab caches", caches.collect::<Vec<_>>()), ("maps", maps.collect())] {
            if !list.is_empty() {
                parts.push(format!("{what} {}", list.join(", ")));
            }
        }
        let (backend, layout, protocol, endpoints) = &self.key;
        let workload = format!("{} {} {} M={endpoints}", name(backend), name(layout), name(protocol));
        Some(format!("{workload} at N = {}: {}.", number::count(u64::from(*services), medium), parts.join("; ")))
    }
}

fn kib(bytes: f64, medium: Medium) -> String {
    let space = if medium == Medium::Html { '\u{a0}' } else { ' ' };
    format!("{}{space}KiB", number::significant((bytes / 1024.0).round(), 4, medium))
}
