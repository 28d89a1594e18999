//! The Internet checksum (RFC 1071), changed with the packet instead of computed anew (RFC 1624).
//!
//! Words are taken as they stand in memory: one's complement sums do not care for the byte order (RFC 1071, section 2).

use super::V4;

/// Folds a sum of words to 16 bits with end-around carry.
#[inline(always)]
#[must_use]
pub const fn fold(sum: u32) -> u16 {
    // At most 0x1fffe after the first, so the second carries nothing more.
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

/// What changes in a packet, as RFC 1624's equation 3 adds it up: the sum of every `~m + m'`. Up to 16,384 words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change(u32);

impl Change {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// And one word from `old` to `new`.
    #[inline(always)]
    #[must_use]
    pub const fn word(self, old: u16, new: u16) -> Self {
        Self(self.0 + !old as u32 + new as u32)
    }

    /// And an address from `old` to `new`.
    #[inline(always)]
    #[must_use]
    pub const fn address(self, old: V4, new: V4) -> Self {
        let (old, new) = (old.words(), new.words());
        self.word(old[0], new[0]).word(old[1], new[1])
    }

    /// The checksum of the changed packet. One that was wrong stays wrong by as much.
    #[inline(always)]
    #[must_use]
    pub const fn apply(self, checksum: u16) -> u16 {
        // Folded first, so that nothing overflows however much has changed.
        !fold(!checksum as u32 + fold(self.0) as u32)
    }

    /// As [`Change::apply`], for UDP over IPv4: zero says that there is no checksum and stays, and a checksum that comes out as
    /// zero is written as all ones (RFC 768).
    #[inline(always)]
    #[must_use]
    pub const fn apply_udp(self, checksum: u16) -> u16 {
        if checksum == 0 {
            return 0;
        }
        let changed = self.apply(checksum);
        if changed == 0 { u16::MAX } else { changed }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::vec::Vec;

    use super::*;

    /// RFC 1071, straight from its text: over all of the packet.
    fn full(words: &[u16]) -> u16 {
        let mut sum = 0_u64;
        for word in words {
            sum += u64::from(*word);
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    #[test]
    fn the_example_of_rfc_1624() {
        // Section 4: HC 0xdd2f, m 0x5555, m' 0x3285 gives 0x0000, where equation 2 of RFC 1141 gives 0xffff.
        assert_eq!(Change::NONE.word(0x5555, 0x3285).apply(0xdd2f), 0x0000);
    }

    #[test]
    fn a_udp_datagram_without_checksum_keeps_none_and_none_becomes_so() {
        let change = Change::NONE.word(0x5555, 0x3285);
        assert_eq!(change.apply_udp(0), 0);
        assert_eq!(change.apply_udp(0xdd2f), 0xffff);
        assert_eq!(change.apply_udp(0xdd30), change.apply(0xdd30));
    }

    proptest! {
        #[test]
        fn a_changed_packet_has_the_checksum_of_a_new_one(
            mut words in prop::collection::vec(any::<u16>(), 2..40),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u16>()), 0..20),
        ) {
            // Of all-zero words the sum has two representations; a packet has none such, its first word holds version or length.
            words[0] |= 0x4000;
            let before = full(&words);
            let mut change = Change::NONE;
            let last = words.len() - 1;
            for (index, new) in changes {
                let at = index.index(last) + 1;
                change = change.word(words[at], new);
                words[at] = new;
            }
            prop_assert_eq!(change.apply(before), full(&words));
        }

        #[test]
        fn an_address_is_two_words(old: u32, new: u32, checksum: u16) {
            let words = |value: u32| V4(value).words();
            let by_hand = Change::NONE.word(words(old)[0], words(new)[0]).word(words(old)[1], words(new)[1]);
            prop_assert_eq!(Change::NONE.address(V4(old), V4(new)).apply(checksum), by_hand.apply(checksum));
        }

        #[test]
        fn a_wrong_checksum_stays_wrong_by_as_much(words in prop::collection::vec(1..=u16::MAX, 2..20), new: u16, error in 1..u16::MAX) {
            let right = full(&words);
            let wrong = fold(u32::from(right) + u32::from(error));
            let change = Change::NONE.word(words[1], new);
            // The difference of the two in one's complement arithmetic is what it was; 0 and 0xffff are one value there.
            let distance = |from: u16, to: u16| fold(u32::from(to) + u32::from(!from)) % 0xffff;
            prop_assert_eq!(distance(change.apply(right), change.apply(wrong)), distance(right, wrong));
        }

        #[test]
        fn the_order_of_changes_does_not_matter(words in prop::collection::vec((any::<u16>(), any::<u16>()), 0..30), checksum: u16) {
            let sum = |words: &[(u16, u16)]| words.iter().fold(Change::NONE, |change, (old, new)| change.word(*old, *new));
            let reversed: Vec<_> = words.iter().rev().copied().collect();
            prop_assert_eq!(sum(&words).apply(checksum), sum(&reversed).apply(checksum));
        }
    }
}
