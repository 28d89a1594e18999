//! Log-linear histogram buckets, the same as HdrHistogram's with 3 significant digits, unit 1 and 2^36 - 1 as the highest
//! value.
//!
//! Layout (HdrHistogram's `countsArrayIndex`): bucket 0 holds the values below 2048 one by one, every further bucket doubles
//! the range with 1024 slots.

/// Slots of the first bucket; every further bucket adds half as many.
pub const SUB_BUCKETS: u64 = 1 << SUB_BUCKET_BITS;
/// Slots of the whole histogram.
pub const BUCKETS: usize = (MAX_VALUE_BITS - SUB_BUCKET_BITS + 2) as usize * HALF;
/// The highest value that has a bucket of its own (68 seconds in nanoseconds); greater ones are counted there.
pub const MAX_VALUE: u64 = (1 << MAX_VALUE_BITS) - 1;
/// Significant decimal digits: a value differs from its bucket's lowest by less than one part in 1000.
pub const SIGNIFICANT_DIGITS: u8 = 3;

const SUB_BUCKET_BITS: u32 = 11;
const MAX_VALUE_BITS: u32 = 36;
const HALF_BITS: u32 = SUB_BUCKET_BITS - 1;
const HALF: usize = 1 << HALF_BITS;

/// The slot of `value`, always below [`BUCKETS`]. Branch-free but for the clamp, so that an eBPF program can afford it.
#[inline(always)]
#[must_use]
pub fn bucket_index(value: u64) -> usize {
    let value = if value > MAX_VALUE { MAX_VALUE } else { value };
    let bucket = 64 - SUB_BUCKET_BITS - (value | (SUB_BUCKETS - 1)).leading_zeros();
    let sub_bucket = (value >> bucket) as usize;
    ((bucket as usize) << HALF_BITS) + sub_bucket
}

/// The lowest value that falls into slot `index`.
#[inline]
#[must_use]
pub fn bucket_lowest(index: usize) -> u64 {
    let bucket = (index >> HALF_BITS).saturating_sub(1);
    ((index - (bucket << HALF_BITS)) as u64) << bucket
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    use super::*;

    fn reference() -> Histogram<u64> {
        Histogram::new_with_bounds(1, MAX_VALUE, SIGNIFICANT_DIGITS).unwrap()
    }

    #[test]
    fn every_slot_begins_where_the_previous_one_ends() {
        let histogram = reference();
        for index in 0..BUCKETS {
            let lowest = bucket_lowest(index);
            assert_eq!(bucket_index(lowest), index);
            assert_eq!(histogram.lowest_equivalent(lowest), lowest);
            assert_eq!(histogram.next_non_equivalent(lowest), bucket_lowest(index + 1));
        }
    }

    #[test]
    fn the_last_slot_holds_the_highest_value() {
        assert_eq!(bucket_index(MAX_VALUE), BUCKETS - 1);
        assert_eq!(bucket_index(u64::MAX), BUCKETS - 1);
        assert_eq!(BUCKETS, reference().distinct_values());
    }

    proptest! {
        #[test]
        fn a_slot_holds_the_values_that_hdrhistogram_calls_equivalent(value in prop_oneof![0..5000_u64, 0..=MAX_VALUE]) {
            let lowest = bucket_lowest(bucket_index(value));
            prop_assert_eq!(lowest, reference().lowest_equivalent(value));
            prop_assert_eq!(bucket_lowest(bucket_index(value) + 1), reference().next_non_equivalent(value));
        }

        #[test]
        fn slots_keep_the_order_of_values(a in 0..=MAX_VALUE, b in 0..=MAX_VALUE) {
            prop_assert!(bucket_index(a.min(b)) <= bucket_index(a.max(b)));
        }
    }
}
