//! Skipped cells, those of one backend, N and reason on one line.

use std::collections::BTreeMap;
use std::fmt;

use super::number::{Medium, count};
use crate::result::{BackendKind, SkippedCell, VenueKind, name};

/// Cells that were skipped for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Skipped<'a> {
    /// Where.
    pub(super) venue: VenueKind,
    /// Kernel release.
    pub(super) kernel: &'a str,
    /// Datapath.
    pub(super) backend: BackendKind,
    /// Every N, ascending.
    pub(super) services: Vec<u32>,
    /// Cells.
    pub(super) cells: usize,
    /// Why.
    pub(super) reason: &'a str,
}

impl Skipped<'_> {
    /// Every N, e.g. `1,000; 10,000`.
    pub(super) fn sizes(&self, medium: Medium) -> String {
        let sizes: Vec<_> = self.services.iter().map(|services| count(u64::from(*services), medium)).collect();
        sizes.join("; ")
    }
}

impl fmt::Display for Skipped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (venue, backend) = (name(&self.venue), name(&self.backend));
        let cells = if self.cells == 1 { "1 cell".to_owned() } else { format!("{} cells", self.cells) };
        write!(f, "{venue} {} {backend} N={} ({cells}): {}", self.kernel, self.sizes(Medium::Terminal), self.reason)
    }
}

/// Groups skipped cells by venue, kernel, backend and reason.
pub(super) fn grouped(skipped: &[SkippedCell]) -> Vec<Skipped<'_>> {
    let mut groups = BTreeMap::<_, Vec<u32>>::new();
    for SkippedCell { cell, reason } in skipped {
        let key = (cell.venue, cell.kernel.as_str(), cell.backend, reason.as_str());
        groups.entry(key).or_default().push(cell.services);
    }
    groups
        .into_iter()
        .map(|((venue, kernel, backend, reason), mut services)| {
            let cells = services.len();
            services.sort_unstable();
            services.dedup();
            Skipped { venue, kernel, backend, services, cells, reason }
        })
        .collect()
}
