//! From the number of a flow to its 5-tuple and back: pure, so that the programs that send, answer and check agree.

/// First source port; lower ones are privileged.
pub const FIRST_PORT: u16 = 1024;
/// Source ports of one client address.
pub const PORTS_PER_CLIENT: u64 = 65536 - FIRST_PORT as u64;

/// Client address (native order) and source port of flow `flow`. `base` is the first client address.
///
/// Distinct flows have distinct pairs as long as `flow / PORTS_PER_CLIENT` addresses exist.
#[inline(always)]
#[must_use]
pub fn client_of(flow: u64, base: u32) -> (u32, u16) {
    let addr = base.wrapping_add((flow / PORTS_PER_CLIENT) as u32);
    (addr, FIRST_PORT + (flow % PORTS_PER_CLIENT) as u16)
}

/// The inverse of [`client_of`]; `None` for an address before `base` or a privileged port.
#[inline(always)]
#[must_use]
pub fn flow_of(addr: u32, port: u16, base: u32) -> Option<u64> {
    if addr < base || port < FIRST_PORT {
        return None;
    }
    Some((addr - base) as u64 * PORTS_PER_CLIENT + (port - FIRST_PORT) as u64)
}

/// The target of flow `flow` among `targets`: a uniform draw that depends on the flow and the seed only, so an established
/// flow keeps the target that it was opened with. One target is always drawn, none gives 0.
#[inline(always)]
#[must_use]
pub fn target_of(flow: u64, seed: u64, targets: u32) -> u32 {
    let draw = mix(flow ^ mix(seed)) >> 32;
    ((draw * targets as u64) >> 32) as u32
}

/// SplitMix64's output function: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
#[inline(always)]
fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mix_is_splitmix64() {
        // First outputs of the reference implementation for seed 0 (state advances by the golden gamma).
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix(0x9e37_79b9_7f4a_7c15), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn draws_are_uniform() {
        let mut counts = [0_u32; 16];
        for flow in 0..160_000 {
            counts[target_of(flow, 7, 16) as usize] += 1;
        }
        // Binomial: mean 10,000, standard deviation 97.
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }

    proptest! {
        #[test]
        fn a_flow_can_be_told_from_its_client(flow in 0..PORTS_PER_CLIENT * 60_000, base in 0..u32::MAX - 60_000) {
            let (addr, port) = client_of(flow, base);
            prop_assert!(port >= FIRST_PORT);
            prop_assert_eq!(flow_of(addr, port, base), Some(flow));
        }

        #[test]
        fn a_draw_is_in_range(flow: u64, seed: u64, targets in 1..=u32::MAX) {
            prop_assert!(target_of(flow, seed, targets) < targets);
            prop_assert_eq!(target_of(flow, seed, 1), 0);
        }
    }
}
