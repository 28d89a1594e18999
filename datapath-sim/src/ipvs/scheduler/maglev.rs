//! Maglev hashing of the client's address (`ip_vs_mh.c`, after Eisenbud et al., NSDI 2016): a table that the destinations fill in
//! turns, each in an order of its own, so that few entries move when one comes or goes.

use std::net::Ipv4Addr;

use super::{Destination, common_divisor};
use crate::hash::hsiphash_1u32;

/// The table's size, a prime (`CONFIG_IP_VS_MH_TAB_INDEX` = 12).
const SIZE: usize = 4093;
/// Half of that configuration: turns have at most so many bits.
const TURN_BITS: u32 = 6;
/// The keys, which `generate_hash_secret()` sets to the same numbers on every machine.
const OFFSET_KEY: [u64; 2] = [2_654_435_761; 2];
const SKIP_KEY: [u64; 2] = [2_654_446_892; 2];

/// `ip_vs_mh_schedule()` without its flags: the client's port does not enter, and there is no fallback from a weight of 0.
pub(super) fn mh(
    destinations: &[Destination],
    table: &mut Option<Vec<Option<usize>>>,
    client: Ipv4Addr,
    looked_at: &mut u64,
) -> Option<usize> {
    *looked_at += 1;
    let table = table.get_or_insert_with(|| populate(destinations));
    table[hash(client, 0, OFFSET_KEY) % SIZE].filter(|at| destinations[*at].weight > 0)
}

/// A destination's way through the table.
struct Way {
    next: usize,
    skip: usize,
    turns: u32,
}

/// `ip_vs_mh_hashkey()`.
fn hash(address: Ipv4Addr, port: u16, key: [u64; 2]) -> usize {
    hsiphash_1u32(u32::from(address).wrapping_add(u32::from(port)), key) as usize
}

/// `ip_vs_mh_permutate()` and `ip_vs_mh_populate()`.
fn populate(destinations: &[Destination]) -> Vec<Option<usize>> {
    let mut table = vec![None; SIZE];
    let turns = turns(destinations);
    let way = |(destination, turns): (&Destination, u32)| {
        let (address, port) = (*destination.address.ip(), destination.address.port());
        Way {
            next: hash(address, port, OFFSET_KEY) % SIZE,
            skip: hash(address, port, SKIP_KEY) % (SIZE - 1) + 1,
            turns,
        }
    };
    let mut ways: Vec<_> = destinations.iter().zip(turns).map(way).collect();
    let mut filled = 0;
    // Without turns there is nobody to fill it.
    while ways.iter().any(|way| way.turns > 0) {
        for (at, way) in ways.iter_mut().enumerate() {
            for _ in 0..way.turns {
                while table[way.next].is_some() {
                    way.next = (way.next + way.skip) % SIZE;
                }
                table[way.next] = Some(at);
                filled += 1;
                if filled == SIZE {
                    return table;
                }
            }
        }
    }
    table
}

/// Entries that each takes in one round: its weight over the common divisor, shifted so that the largest fits, but at least one
/// (`ip_vs_mh_gcd_weight()`, `ip_vs_mh_shift_weight()`).
fn turns(destinations: &[Destination]) -> Vec<u32> {
    let weights = || destinations.iter().map(|destination| destination.weight);
    let divisor = weights().filter(|weight| *weight > 0).fold(0, common_divisor).max(1);
    let largest = weights().max().unwrap_or(0) / divisor;
    let shift = (u32::BITS - largest.leading_zeros()).saturating_sub(TURN_BITS);
    weights().map(|weight| ((weight / divisor) >> shift).max(u32::from(weight > 0))).collect()
}
