//! Room in the connection tracking table: beyond it packets are dropped.

use super::TrafficError;
use crate::net::NetNs;
use crate::net::conntrack::{count, most};

/// Flows that may be under way while the generator has not yet seen that the exit reached its limit.
const MARGIN: u64 = 2048;

/// Checks that `flows` new flows fit the table of `namespace`. Without conntrack there is nothing to fill.
pub(super) fn check(namespace: &NetNs, flows: u64) -> Result<(), TrafficError> {
    let _inside = namespace.enter()?;
    let (Some(most), Some(used)) = (most(), count()) else { return Ok(()) };
    // A count of zero may also mean that no rule uses conntrack; then nothing is lost by asking for room.
    if used + flows + MARGIN > most {
        return Err(TrafficError::ConntrackFull { wanted: flows, used, most });
    }
    Ok(())
}

/// New flows that fit the table of `namespace` when it is empty; `None` on a kernel without conntrack.
pub(super) fn empty(namespace: &NetNs) -> Result<Option<u64>, TrafficError> {
    let _inside = namespace.enter()?;
    Ok(most().map(|most| most.saturating_sub(MARGIN)))
}

/// Entries in the table of `namespace`; 0 without conntrack.
pub(super) fn entries(namespace: &NetNs) -> Result<u64, TrafficError> {
    let _inside = namespace.enter()?;
    Ok(used())
}

/// Entries in the table of the calling thread's namespace.
pub(super) fn used() -> u64 {
    count().unwrap_or(0)
}
