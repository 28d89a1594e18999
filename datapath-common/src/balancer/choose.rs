//! Which endpoint a new flow gets.

use super::ConnectionKey;
use super::key::Address;

/// Any constant: all nodes of a cluster must hash alike, so it is fixed.
const SEED: u32 = 0x6c62_6375;

/// One of `count` from a uniform draw, by multiplying and shifting (Lemire, "Fast random integer generation in an interval", 2019,
/// without the rejection: with 10 endpoints the odds differ by 2 in 10^9).
#[inline(always)]
#[must_use]
pub const fn scale(draw: u32, count: u32) -> u32 {
    ((draw as u64 * count as u64) >> 32) as u32
}

/// The hash of a flow, by which it finds its slot in a Maglev table: the same on every machine, whatever its byte order, and in every
/// run. Addresses and ports enter as little-endian numbers of their bytes in the packet.
#[inline(always)]
#[must_use]
pub fn hash<A: Address>(flow: &ConnectionKey<A>) -> u32 {
    let ports = (flow.src_port_be.to_le() as u32) << 16 | flow.dst_port_be.to_le() as u32;
    let hash = flow.dst.fold(flow.src.fold(SEED));
    finish(mix(mix(hash, ports), flow.protocol))
}

/// One step of MurmurHash3_x86_32 (Appleby, 2011).
#[inline(always)]
#[must_use]
pub(super) const fn mix(hash: u32, word: u32) -> u32 {
    let word = word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    (hash ^ word).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}

/// Its finaliser.
#[inline(always)]
#[must_use]
pub(super) const fn finish(hash: u32) -> u32 {
    let hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    let hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{V4, V6};
    use super::*;

    fn flow(client: u32, port: u16) -> ConnectionKey<V4> {
        ConnectionKey {
            src: V4::new(client.to_be_bytes()),
            dst: V4::new([10, 96, 0, 1]),
            src_port_be: port.to_be(),
            dst_port_be: 80_u16.to_be(),
            protocol: 6,
        }
    }

    #[test]
    fn mixing_is_murmur3() {
        // Reference outputs of MurmurHash3_x86_32 for whole words, which end in the length in bytes.
        let murmur = |words: &[u32], seed: u32| {
            let hash = words.iter().fold(seed, |hash, word| mix(hash, *word));
            finish(hash ^ (4 * words.len() as u32))
        };
        assert_eq!(murmur(&[], 1), 0x514e_28b7);
        assert_eq!(murmur(&[0xffff_ffff], 0), 0x7629_3b50);
        assert_eq!(murmur(&[0x8765_4321], 0), 0xf55b_516b);
        assert_eq!(murmur(&[0x8765_4321], 0x5082_edee), 0x2362_f9de);
    }

    #[test]
    fn a_flow_hashes_alike_whatever_the_byte_order_of_the_machine() {
        let words = [[10, 0, 0, 1], [10, 96, 0, 1]].map(u32::from_le_bytes);
        let ports = u32::from(u16::from_le_bytes([0x30, 0x39])) << 16 | u32::from(u16::from_le_bytes([0, 80]));
        let expected = [words[0], words[1], ports, 6].into_iter().fold(SEED, mix);
        assert_eq!(hash(&flow(0x0a00_0001, 0x3039)), finish(expected));
        let v6 = V6([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]].map(u32::from_ne_bytes));
        assert_eq!(v6.fold(7), [0x0403_0201, 0x0807_0605, 0x0c0b_0a09, 0x100f_0e0d].into_iter().fold(7, mix));
    }

    #[test]
    fn flows_spread_evenly() {
        let mut counts = [0_u32; 16];
        for client in 0..10_u32 {
            for port in 1024..17_024 {
                counts[scale(hash(&flow(0x0a00_0001 + client, port)), 16) as usize] += 1;
            }
        }
        // Binomial: mean 10,000, standard deviation 97.
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }

    #[test]
    fn every_part_of_a_flow_counts() {
        let base = flow(1, 2);
        let others = [
            ConnectionKey { src: V4(9), ..base },
            ConnectionKey { dst: V4(9), ..base },
            ConnectionKey { src_port_be: 9, ..base },
            ConnectionKey { dst_port_be: 9, ..base },
            ConnectionKey { protocol: 17, ..base },
        ];
        assert!(others.iter().all(|other| hash(other) != hash(&base)));
        let six =
            ConnectionKey { src: V6([1, 2, 3, 4]), dst: V6([5, 6, 7, 8]), src_port_be: 1, dst_port_be: 2, protocol: 6 };
        assert_ne!(hash(&six), hash(&ConnectionKey { src: V6([1, 2, 3, 5]), ..six }));
    }

    proptest! {
        #[test]
        fn a_choice_is_in_range(draw: u32, count in 1..=u32::MAX) {
            prop_assert!(scale(draw, count) < count);
            prop_assert_eq!(scale(draw, 1), 0);
        }
    }
}
