//! What connection tracking of a namespace says of itself, and a table that is full beforehand.

use crate::net::conntrack::{count, flush, insert, most};
use crate::net::{NetError, NetNs};
use crate::result::ConntrackUse;

/// `self` would be the thread group's leader, which may be in another namespace.
const STATISTICS: &str = "/proc/thread-self/net/stat/nf_conntrack";

/// Entries and counters of `namespace` since it is there; `None` without connection tracking.
///
/// # Errors
/// The namespace cannot be entered.
pub fn use_of(namespace: &NetNs) -> Result<Option<ConntrackUse>, NetError> {
    let _inside = namespace.enter()?;
    let text = std::fs::read_to_string(STATISTICS).ok();
    Ok(text.and_then(|text| {
        let [dropped, early_dropped, insert_failed] =
            ["drop", "early_drop", "insert_failed"].map(|column| sum(&text, column));
        Some(ConntrackUse {
            entries: count()?,
            most: most()?,
            dropped: dropped?,
            early_dropped: early_dropped?,
            insert_failed: insert_failed?,
        })
    }))
}

/// Fills the table of `namespace` to a share of its size, with entries that do not make room for others. What it held is forgotten.
///
/// # Errors
/// [`NetError`], also where the kernel has no connection tracking or no interface to it.
pub(super) fn fill(namespace: &NetNs, percent: u8) -> Result<(), NetError> {
    let _inside = namespace.enter()?;
    flush()?;
    let most = most().ok_or_else(|| NetError::Decode {
        request: "read how many connections can be tracked".into(),
        reason: "the kernel does not say".into(),
    })?;
    insert(u32::try_from(most * u64::from(percent) / 100).unwrap_or(u32::MAX))
}

/// Forgets everything in the table of `namespace`.
///
/// # Errors
/// [`NetError`].
pub(super) fn empty(namespace: &NetNs) -> Result<(), NetError> {
    let _inside = namespace.enter()?;
    flush()
}

/// The counters of what happened between two readings.
pub(super) fn between(before: ConntrackUse, after: ConntrackUse) -> ConntrackUse {
    ConntrackUse {
        dropped: after.dropped.saturating_sub(before.dropped),
        early_dropped: after.early_dropped.saturating_sub(before.early_dropped),
        insert_failed: after.insert_failed.saturating_sub(before.insert_failed),
        ..after
    }
}

/// Sum of a column over the lines, one a CPU, of hexadecimal numbers under a line of names.
fn sum(text: &str, column: &str) -> Option<u64> {
    let mut lines = text.lines();
    let index = lines.next()?.split_whitespace().position(|name| name == column)?;
    lines.map(|line| u64::from_str_radix(line.split_whitespace().nth(index)?, 16).ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_summed_over_cpus() {
        let text = "entries  insert insert_failed drop early_drop\n00000001  00000000 0000000a 00000010 00000000\n\
                    00000001  00000000 00000001 00000001 00000000\n";
        assert_eq!(
            ["insert_failed", "drop", "early_drop", "none"].map(|column| sum(text, column)),
            [Some(11), Some(17), Some(0), None]
        );
        assert_eq!(sum("drop\nx\n", "drop"), None);
        assert_eq!(sum("", "drop"), None);
    }
}
