//! Maglev's lookup table: Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, section 3.4.
//!
//! Every endpoint has a permutation of the slots, made of an offset and a skip; in turns each takes the first slot of its own
//! permutation that is still free, until all are taken. So the shares of any two endpoints differ by one slot at most, and when an
//! endpoint leaves, few slots of others move.

use core::fmt;

use super::choose::{finish, mix};
use super::key::{Address, Endpoint};

/// Sizes of tables, all prime: those that Cilium offers (`--bpf-lb-maglev-table-size`).
pub const SIZES: [u32; 10] = [251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131_071];

/// Slots for every endpoint at least, as section 3.4 recommends: then the largest share is 1% over the mean at most.
pub const SLOTS_AN_ENDPOINT: u32 = 100;

/// Slots in one element of the map `MAGLEV`: an array's element takes 8 bytes, whatever it holds (kernel/bpf/arraymap.c).
pub const SLOTS_AN_ELEMENT: u32 = 4;

/// A slot that nobody has taken yet.
const FREE: u16 = u16::MAX;
const OFFSET_SEED: u32 = 0x6f66_6673;
const SKIP_SEED: u32 = 0x736b_6970;

/// Where an endpoint is in its permutation of the slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turn {
    next: u32,
    skip: u32,
}

/// Why a table cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaglevError {
    /// There is no endpoint.
    NoEndpoint,
    /// More endpoints than the table has slots, or than a slot can name.
    TooManyEndpoints,
    /// The table's size is not one of [`SIZES`].
    Size,
    /// Less scratch space than endpoints.
    Scratch,
}

impl fmt::Display for MaglevError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoEndpoint => "there is no endpoint",
            Self::TooManyEndpoints => "more endpoints than the table has slots, or than a slot can name",
            Self::Size => "no table has that many slots",
            Self::Scratch => "less scratch space than endpoints",
        })
    }
}

impl core::error::Error for MaglevError {}

/// The smallest size with [`SLOTS_AN_ENDPOINT`] slots for every one of `endpoints`; beyond 1,310 endpoints the largest, whose
/// shares are then less even.
#[inline]
#[must_use]
pub fn size_for(endpoints: u32) -> u32 {
    let wanted = endpoints.saturating_mul(SLOTS_AN_ENDPOINT);
    SIZES.into_iter().find(|size| *size >= wanted).unwrap_or(SIZES[SIZES.len() - 1])
}

/// Fills `table`, whose length is one of [`SIZES`], with indices into `endpoints`. Equal inputs make equal tables; endpoints take
/// turns in the slice's order.
///
/// # Errors
/// [`MaglevError`]; the table's content is then of no use.
pub fn build<A: Address>(
    endpoints: &[Endpoint<A>],
    scratch: &mut [Turn],
    table: &mut [u16],
) -> Result<(), MaglevError> {
    let size = u32::try_from(table.len()).map_err(|_| MaglevError::Size)?;
    if !SIZES.contains(&size) {
        return Err(MaglevError::Size);
    }
    if endpoints.is_empty() {
        return Err(MaglevError::NoEndpoint);
    }
    if endpoints.len() > table.len().min(usize::from(FREE)) {
        return Err(MaglevError::TooManyEndpoints);
    }
    let turns = scratch.get_mut(..endpoints.len()).ok_or(MaglevError::Scratch)?;
    for (turn, endpoint) in turns.iter_mut().zip(endpoints) {
        *turn = begin(endpoint, size);
    }
    table.fill(FREE);
    take_turns(turns, table, size);
    Ok(())
}

fn begin<A: Address>(endpoint: &Endpoint<A>, size: u32) -> Turn {
    let named = |seed| finish(mix(endpoint.addr.fold(seed), u32::from(endpoint.port_be.to_le())));
    Turn { next: named(OFFSET_SEED) % size, skip: named(SKIP_SEED) % (size - 1) + 1 }
}

/// A permutation visits every slot, for the size is prime, so each turn finds a free one while there is any.
fn take_turns(turns: &mut [Turn], table: &mut [u16], size: u32) {
    let mut free = table.len();
    loop {
        for (index, turn) in (0_u16..).zip(turns.iter_mut()) {
            if free == 0 {
                return;
            }
            take(turn, index, table, size);
            free -= 1;
        }
    }
}

fn take(turn: &mut Turn, index: u16, table: &mut [u16], size: u32) {
    loop {
        let slot = &mut table[turn.next as usize];
        turn.next = (turn.next + turn.skip) % size;
        if *slot == FREE {
            *slot = index;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    use super::super::V4;
    use super::*;

    fn endpoints(count: u32, seed: u32) -> Vec<Endpoint<V4>> {
        let first = 0x0a00_0002_u32.wrapping_add(seed << 8);
        (0..count).map(|i| Endpoint::new(V4::new((first + i).to_be_bytes()), 8080_u16.to_be())).collect()
    }

    fn table(endpoints: &[Endpoint<V4>], size: u32) -> Vec<u16> {
        let mut table = vec![0; size as usize];
        build(endpoints, &mut vec![Turn::default(); endpoints.len()], &mut table).unwrap();
        table
    }

    fn shares(table: &[u16], endpoints: usize) -> Vec<u32> {
        let mut shares = vec![0; endpoints];
        for slot in table {
            shares[usize::from(*slot)] += 1;
        }
        shares
    }

    /// Slots that moved although their endpoint stayed, as a share of those whose endpoint stayed, when endpoint `leaver` leaves.
    fn disruption(count: u32, size: u32, seed: u32, leaver: usize) -> f64 {
        let before = endpoints(count, seed);
        let mut after = before.clone();
        after.remove(leaver);
        let (old, new) = (table(&before, size), table(&after, size));
        let stayed: Vec<_> = old.iter().zip(&new).filter(|(old, _)| usize::from(**old) != leaver).collect();
        let moved = stayed.iter().filter(|(old, new)| before[usize::from(**old)] != after[usize::from(**new)]).count();
        moved as f64 / stayed.len() as f64
    }

    #[test]
    fn sizes_are_primes_and_a_hundred_times_the_endpoints() {
        for size in SIZES {
            assert!((2..size).take_while(|d| d * d <= size).all(|d| !size.is_multiple_of(d)), "{size}");
        }
        assert_eq!([1, 2, 3, 5, 10, 100, 1310].map(size_for), [251, 251, 509, 509, 1021, 16381, 131_071]);
        assert_eq!([1311, u32::MAX].map(size_for), [131_071; 2]);
    }

    #[test]
    fn what_cannot_be_built_is_said() {
        let mut turns = [Turn::default(); 300];
        let mut table = [0; 251];
        assert_eq!(build::<V4>(&[], &mut turns, &mut table), Err(MaglevError::NoEndpoint));
        assert_eq!(build(&endpoints(252, 0), &mut turns, &mut table), Err(MaglevError::TooManyEndpoints));
        assert_eq!(build(&endpoints(2, 0), &mut turns[..1], &mut table), Err(MaglevError::Scratch));
        assert_eq!(build(&endpoints(2, 0), &mut turns, &mut table[..250]), Err(MaglevError::Size));
        assert_eq!(build(&endpoints(251, 0), &mut turns, &mut table), Ok(()));
    }

    /// Table 1 of the paper, with its offsets and skips: B0 (3, 4), B1 (0, 2), B2 (3, 1) over seven slots, B1 removed later.
    #[test]
    fn the_example_of_the_paper() {
        let fill = |mut turns: Vec<Turn>| {
            let mut table = [FREE; 7];
            take_turns(&mut turns, &mut table, 7);
            table
        };
        let turn = |next, skip| Turn { next, skip };
        assert_eq!(fill(vec![turn(3, 4), turn(0, 2), turn(3, 1)]), [1, 0, 1, 0, 2, 2, 0]);
        assert_eq!(fill(vec![turn(3, 4), turn(3, 1)]), [0, 0, 0, 0, 1, 1, 1]);
    }

    /// What METHODOLOGY.md says of tables with a hundred slots an endpoint.
    #[test]
    fn few_slots_move_when_an_endpoint_leaves() {
        for count in [2, 3, 10, 100] {
            let size = size_for(count);
            let all: Vec<_> = (0..20).map(|seed| disruption(count, size, seed, (seed % count) as usize)).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let most = all.iter().copied().fold(0.0, f64::max);
            std::println!("{count} endpoints, {size} slots: mean {mean:.4}, most {most:.4} of the others' slots move");
            // With two endpoints the one that stays takes everything.
            let bounds = if count == 2 { (0.0, 0.0) } else { (0.03, 0.15) };
            assert!(mean <= bounds.0 && most <= bounds.1, "{count}: {mean}, {most}");
        }
    }

    proptest! {
        #[test]
        fn every_slot_is_taken_and_shares_differ_by_one_at_most(count in 1..=251_u32, seed in 0..1000_u32, size in 0..4_usize) {
            let table = table(&endpoints(count, seed), SIZES[size]);
            prop_assert!(table.iter().all(|slot| u32::from(*slot) < count));
            let shares = shares(&table, count as usize);
            let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
            prop_assert!(most - least <= 1, "{:?}", shares);
        }

        #[test]
        fn equal_inputs_make_equal_tables(count in 1..50_u32, seed in 0..1000_u32) {
            prop_assert_eq!(table(&endpoints(count, seed), 1021), table(&endpoints(count, seed), 1021));
        }

        #[test]
        fn shares_are_within_a_hundredth_of_the_mean(count in 1..=100_u32, seed in 0..50_u32) {
            let size = size_for(count);
            let table = table(&endpoints(count, seed), size);
            let most = f64::from(*shares(&table, count as usize).iter().max().unwrap());
            prop_assert!(most <= 1.01 * f64::from(size) / f64::from(count));
        }
    }
}
