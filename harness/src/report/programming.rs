//! Programming records as lines over N, shared by both outputs.

use std::collections::BTreeMap;

use curve_stats::median;

use crate::result::{BackendKind, ProgrammingRecord};
use crate::workload::{Protocol, VipLayout};

/// What one row and one line share, beside place and operation.
pub(super) type LineKey = (BackendKind, VipLayout, Protocol, u32);

/// The records of each line, by N; several at one N are repeats.
pub(super) type Lines<'a> = BTreeMap<LineKey, BTreeMap<u32, Vec<&'a ProgrammingRecord>>>;

/// Groups the records of one place and operation.
pub(super) fn lines<'a>(records: &[&'a ProgrammingRecord]) -> Lines<'a> {
    let mut lines = Lines::new();
    for record in records {
        let line = lines.entry((record.backend, record.layout, record.protocol, record.endpoints)).or_default();
        line.entry(record.services).or_default().push(record);
    }
    lines
}

/// Every N of some records, ascending.
pub(super) fn sizes(records: &[&ProgrammingRecord]) -> Vec<u32> {
    let mut sizes: Vec<_> = records.iter().map(|record| record.services).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// Median over repeats of one part of their cost.
pub(super) fn middle(repeats: &[&ProgrammingRecord], part: impl Fn(&ProgrammingRecord) -> u64) -> Option<f64> {
    let values: Vec<_> = repeats.iter().map(|record| part(record) as f64).collect();
    median(&values).ok()
}
