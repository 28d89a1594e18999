//! The kernel's randomness (`get_random_u32`), from a seed.

/// `SplitMix64`: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. A stream of the crate's own, so that a
/// seed keeps its meaning.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    /// One of 0..`bound` by multiply-shift, as `reciprocal_scale` of include/linux/kernel.h does it; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.next_u32()) * u64::from(bound)) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_splitmix64() {
        let mut random = Random::new(0);
        // First outputs of the reference implementation for seed 0.
        assert_eq!([random.next_u64(), random.next_u64()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }

    #[test]
    fn draws_are_uniform_and_in_range() {
        let (mut random, mut counts) = (Random::new(1), [0_u32; 10]);
        (0..100_000).for_each(|_| counts[random.below(10) as usize] += 1);
        // Binomial: mean 10,000, standard deviation 95.
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        assert_eq!(random.below(0), 0);
    }
}
