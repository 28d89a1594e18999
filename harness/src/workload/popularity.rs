//! Popularity: which service is asked for how often. Pure.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha12Rng;

/// Slots a service at the least, so that also the less popular have one.
const SLOTS_A_SERVICE: usize = 16;
/// Slots at the least: a share is then off by less than one part in 4,096.
const LEAST_SLOTS: usize = 4_096;

/// The services of a Zipf distribution with `exponent`: a table of at most `most` indices below `services`, of which a uniform draw gives the
/// service of rank k in proportion to 1 / k^exponent. Ranks are dealt to services at random, by `seed`. One service has one slot.
///
/// The table holds the quantiles of the distribution at equal steps, so that every share is right to within one slot.
#[must_use]
pub fn zipf(services: usize, exponent: f64, seed: u64, most: usize) -> Vec<usize> {
    let mut by_rank: Vec<usize> = (0..services).collect();
    by_rank.shuffle(&mut ChaCha12Rng::seed_from_u64(seed));
    let weight = |rank: usize| (rank as f64 + 1.0).powf(-exponent);
    let total: f64 = (0..services).map(weight).sum();
    let slots = if services < 2 { services } else { (SLOTS_A_SERVICE * services).max(LEAST_SLOTS).min(most) };
    let (mut rank, mut until) = (0, weight(0));
    let service = |slot| {
        let at = (slot as f64 + 0.5) / slots as f64 * total;
        while until < at && rank + 1 < services {
            rank += 1;
            until += weight(rank);
        }
        by_rank[rank]
    };
    (0..slots).map(service).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 1 << 17;

    /// Slots of each service, most first.
    fn shares(services: usize, exponent: f64, seed: u64) -> Vec<usize> {
        let mut counts = vec![0; services];
        zipf(services, exponent, seed, MOST).into_iter().for_each(|service| counts[service] += 1);
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts
    }

    #[test]
    fn shares_fall_with_the_rank_as_zipf_says() {
        let counts = shares(1_000, 1.1, 7);
        let slots: usize = counts.iter().sum();
        let total: f64 = (1..=1_000).map(|rank| f64::from(rank).powf(-1.1)).sum();
        for (rank, count) in (1..).zip(&counts) {
            let expected = f64::from(rank).powf(-1.1) / total * slots as f64;
            assert!((expected - *count as f64).abs() <= 1.0, "rank {rank}: {count} of {expected}");
        }
        assert!(counts[999] >= 1);
    }

    #[test]
    fn ranks_are_dealt_by_the_seed() {
        let first = |seed| zipf(1_000, 1.0, seed, MOST)[0];
        assert_eq!(first(1), first(1));
        let most_popular: std::collections::BTreeSet<_> = (0..20).map(first).collect();
        assert!(most_popular.len() > 10, "{most_popular:?}");
    }

    #[test]
    fn a_table_is_no_larger_than_it_may_be_and_may_be_of_nothing() {
        assert_eq!(zipf(100_000, 1.1, 0, MOST).len(), MOST);
        assert_eq!(zipf(1, 1.1, 0, MOST), [0]);
        assert!(zipf(0, 1.1, 0, MOST).is_empty());
    }

    proptest! {
        #[test]
        fn every_slot_is_a_service(services in 1..5_000_usize, exponent in 0.01..5.0, seed: u64) {
            let table = zipf(services, exponent, seed, MOST);
            prop_assert!(table.len() >= services && table.iter().all(|service| *service < services));
        }
    }
}
