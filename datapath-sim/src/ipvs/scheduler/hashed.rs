//! Hashing of one address into 256 buckets that the destinations share.

use std::net::Ipv4Addr;

use super::Destination;
use crate::hash::hash_32;

/// `IP_VS_SH_TAB_BITS`, `IP_VS_DH_TAB_BITS`.
const BITS: u32 = 8;

/// `ip_vs_sh_schedule()`: by the client's address; a destination gets as many buckets in a row as its weight says.
pub(super) fn sh(
    destinations: &[Destination],
    table: &mut Option<Vec<Option<usize>>>,
    client: Ipv4Addr,
    looked_at: &mut u64,
) -> Option<usize> {
    let table = table.get_or_insert_with(|| assign(destinations, |destination| destination.weight.max(1)));
    look_up(destinations, table, client, looked_at)
}

/// `ip_vs_dh_schedule()`: by the VIP; weights matter only in that 0 takes nothing.
pub(super) fn dh(
    destinations: &[Destination],
    table: &mut Option<Vec<Option<usize>>>,
    vip: Ipv4Addr,
    looked_at: &mut u64,
) -> Option<usize> {
    let table = table.get_or_insert_with(|| assign(destinations, |_| 1));
    look_up(destinations, table, vip, looked_at)
}

/// `ip_vs_sh_reassign()`, `ip_vs_dh_reassign()`: round the list, so many buckets each. A destination of weight 0 keeps its bucket,
/// whose packets then find nobody.
fn assign(destinations: &[Destination], buckets: impl Fn(&Destination) -> u32) -> Vec<Option<usize>> {
    let round = || destinations.iter().enumerate().flat_map(|(at, d)| (0..buckets(d)).map(move |_| Some(at)));
    let none = std::iter::repeat(None);
    let size = 1_usize << BITS;
    if destinations.is_empty() {
        none.take(size).collect()
    } else {
        std::iter::repeat_with(round).flatten().take(size).collect()
    }
}

fn look_up(
    destinations: &[Destination],
    table: &[Option<usize>],
    address: Ipv4Addr,
    looked_at: &mut u64,
) -> Option<usize> {
    *looked_at += 1;
    let bucket = hash_32(u32::from(address), BITS) as usize;
    table[bucket].filter(|at| destinations[*at].weight > 0)
}
