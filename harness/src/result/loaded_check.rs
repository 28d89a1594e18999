//! What latencies under load must agree on.

use std::collections::BTreeSet;

use super::{Cell, LoadedLatency};

/// What is wrong with a latency under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoadedFault {
    /// The same cell and share is there before.
    #[error("the same is there twice")]
    Twice,
    /// The share is none of a rate, or the load is none.
    #[error("the share or the load is none")]
    Load,
    /// More arrived than was sent, or more searches were timed than made.
    #[error("the packets or searches do not add up")]
    Sum,
    /// Quantiles descend or exceed the maximum, or are there without a packet.
    #[error("quantiles descend, exceed the maximum, or are those of no packet")]
    Quantiles,
}

/// Finds the first cell and fault.
pub(super) fn check_loaded(loaded: &[LoadedLatency]) -> Result<(), (Box<Cell>, LoadedFault)> {
    let mut keys = BTreeSet::new();
    for entry in loaded {
        let fault = |what| (Box::new(entry.cell.clone()), what);
        if !keys.insert((&entry.cell, entry.method, entry.packet_size, entry.new_share, entry.share_percent)) {
            return Err(fault(LoadedFault::Twice));
        }
        check(entry).map_err(fault)?;
    }
    Ok(())
}

fn check(entry: &LoadedLatency) -> Result<(), LoadedFault> {
    let load = entry.load_pps;
    if !((1..100).contains(&entry.share_percent) && load.is_finite() && load >= 0.0) {
        return Err(LoadedFault::Load);
    }
    let (searches, timed) = (entry.searches as usize, entry.p50s.len());
    let arrived = u128::from(entry.carried) + u128::from(entry.misdirected);
    let are_searches = searches > 0 && timed <= searches && entry.irregular <= entry.searches;
    if arrived > u128::from(entry.offered) || timed != entry.p99s.len() || !are_searches {
        return Err(LoadedFault::Sum);
    }
    // A value of the spectrum is the highest of its bucket, less than one part in 1000 above the exact maximum.
    let most = entry.max + entry.max / 1_000 + 1;
    let ascends = entry.quantiles.is_sorted_by(|a, b| a.quantile < b.quantile && a.value <= b.value);
    let is_right = ascends && entry.quantiles.iter().all(|point| point.value <= most);
    if is_right && entry.quantiles.is_empty() == (entry.carried == 0) { Ok(()) } else { Err(LoadedFault::Quantiles) }
}

#[cfg(test)]
mod tests {
    use super::super::{loaded_latencies, loaded_record, loaded_search};
    use super::*;

    fn fault(change: impl Fn(&mut Vec<LoadedLatency>)) -> Option<LoadedFault> {
        let search = loaded_search(0, vec![loaded_record(10, 1_000, 2_000), loaded_record(90, 1_000, 3_000)]);
        let mut entries = loaded_latencies(&[search]).unwrap();
        change(&mut entries);
        check_loaded(&entries).err().map(|(_, what)| what)
    }

    #[test]
    fn what_was_assembled_agrees_with_itself_and_what_was_changed_does_not() {
        assert_eq!(fault(|_| ()), None);
        assert_eq!(fault(|entries| entries[1].share_percent = 10), Some(LoadedFault::Twice));
        assert_eq!(fault(|entries| entries[0].share_percent = 100), Some(LoadedFault::Load));
        assert_eq!(fault(|entries| entries[0].load_pps = f64::NAN), Some(LoadedFault::Load));
        assert_eq!(fault(|entries| entries[0].offered = 9), Some(LoadedFault::Sum));
        assert_eq!(fault(|entries| entries[0].misdirected = 2), None);
        assert_eq!(fault(|entries| entries[0].misdirected = 3), Some(LoadedFault::Sum));
        assert_eq!(fault(|entries| entries[0].p99s.clear()), Some(LoadedFault::Sum));
        assert_eq!(fault(|entries| entries[0].irregular = 2), Some(LoadedFault::Sum));
        assert_eq!(fault(|entries| entries[0].max = 9), Some(LoadedFault::Quantiles));
        assert_eq!(fault(|entries| entries[0].quantiles.clear()), Some(LoadedFault::Quantiles));
    }
}
