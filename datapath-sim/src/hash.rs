//! The kernel's hash functions, bit for bit.

/// `GOLDEN_RATIO_32` of include/linux/hash.h.
const GOLDEN_RATIO_32: u32 = 0x61c8_8647;
/// `JHASH_INITVAL` of include/linux/jhash.h.
const JHASH_INITVAL: u32 = 0xdead_beef;

/// `hash_32()` of include/linux/hash.h: the upper `bits` of a product; `bits` is 1 to 32.
pub(crate) fn hash_32(value: u32, bits: u32) -> u32 {
    value.wrapping_mul(GOLDEN_RATIO_32) >> (32 - bits)
}

/// `jhash_3words()` of include/linux/jhash.h: Bob Jenkins' lookup3.
pub(crate) fn jhash_3words(a: u32, b: u32, c: u32, initval: u32) -> u32 {
    let start = initval.wrapping_add(JHASH_INITVAL).wrapping_add(12);
    let [mut a, mut b, mut c] = [a, b, c].map(|word| word.wrapping_add(start));
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}

/// `hsiphash_1u32()` of include/linux/siphash.h on 64-bit machines: `SipHash`-1-3, its lower half.
pub(crate) fn hsiphash_1u32(value: u32, key: [u64; 2]) -> u32 {
    let mut v = [
        0x736f_6d65_7073_6575 ^ key[0],
        0x646f_7261_6e64_6f6d ^ key[1],
        0x6c79_6765_6e65_7261 ^ key[0],
        0x7465_6462_7974_6573 ^ key[1],
    ];
    let block = (4 << 56) | u64::from(value);
    v[3] ^= block;
    sip_round(&mut v);
    v[0] ^= block;
    v[2] ^= 0xff;
    (0..3).for_each(|_| sip_round(&mut v));
    // The lower half is what the kernel's u32 keeps.
    (v[0] ^ v[1] ^ v[2] ^ v[3]) as u32
}

fn sip_round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siphash_gives_the_kernels_test_vector() {
        // lib/tests/siphash_kunit.c, 64-bit: the bytes 0, 1, 2, 3 under the key 0..15.
        assert_eq!(hsiphash_1u32(0x0302_0100, [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]), 0x88d3_8328);
    }

    #[test]
    fn golden_ratio_hash_takes_the_upper_bits() {
        assert_eq!(hash_32(1, 32), 0x61c8_8647);
        assert_eq!(hash_32(1, 8), 0x61);
        assert_eq!(hash_32(2, 8), 0xc3);
    }

    #[test]
    fn jhash_gives_lookup3s_own_values() {
        // lookup3.c, driver5: what it prints for this text and for none.
        assert_eq!(lookup3(b"Four score and seven years ago"), 0x1777_0551);
        let bytes: Vec<u8> = [7_u32, 0xfeed_0001, 17].iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(jhash_3words(7, 0xfeed_0001, 17, 0), lookup3(&bytes));
    }

    /// The whole of Bob Jenkins' `hashlittle` with initval 0, from his listing.
    fn lookup3(text: &[u8]) -> u32 {
        let start = JHASH_INITVAL.wrapping_add(text.len() as u32);
        let mut s = [start; 3];
        let mut rest = text;
        while rest.len() > 12 {
            add(&mut s, &rest[..12]);
            for (a, b, c, bits) in
                [(0, 2, 1, 4), (1, 0, 2, 6), (2, 1, 0, 8), (0, 2, 1, 16), (1, 0, 2, 19), (2, 1, 0, 4)]
            {
                s[a] = s[a].wrapping_sub(s[b]) ^ s[b].rotate_left(bits);
                s[b] = s[b].wrapping_add(s[c]);
            }
            rest = &rest[12..];
        }
        add(&mut s, rest);
        for (into, from, bits) in [(2, 1, 14), (0, 2, 11), (1, 0, 25), (2, 1, 16), (0, 2, 4), (1, 0, 14), (2, 1, 24)] {
            s[into] = (s[into] ^ s[from]).wrapping_sub(s[from].rotate_left(bits));
        }
        s[2]
    }

    fn add(state: &mut [u32; 3], bytes: &[u8]) {
        let mut block = [0; 12];
        block[..bytes.len()].copy_from_slice(bytes);
        for (word, chunk) in state.iter_mut().zip(block.chunks_exact(4)) {
            *word = word.wrapping_add(u32::from_le_bytes(chunk.try_into().expect("four bytes")));
        }
    }
}
