//! Longer packets: the frame of [`crate::frame`] with more payload, all zero, behind it.

use crate::frame::{FRAME_LEN, FRAME_WORDS, IP, L4, UDP};

/// Most lengths that packets have in turn.
pub const MOST_LENGTHS: usize = 16;

/// Bytes of the packets, in turn. One entry of the map `LENGTHS`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// How many there are, at least 1.
    pub count: u32,
    /// Bytes of the buffer that a frame is written into: the longest.
    pub buffer: u32,
    /// Bytes of a frame, no fewer than [`FRAME_LEN`].
    pub bytes: [u16; MOST_LENGTHS],
}

impl Lengths {
    /// The length at a place of the cycle.
    #[inline(always)]
    #[must_use]
    pub fn at(&self, turn: u64) -> u16 {
        self.bytes[turn as usize % MOST_LENGTHS]
    }

    /// The next place of the cycle.
    #[inline(always)]
    #[must_use]
    pub fn after(&self, turn: u64) -> u64 {
        if turn + 1 >= self.count as u64 { 0 } else { turn + 1 }
    }
}

/// Makes the beginning of a frame of `bytes` bytes of one of [`FRAME_LEN`]: lengths and checksums. The payload behind it is zero, and sums to
/// nothing.
#[inline(always)]
pub fn lengthen(frame: &mut [u16; FRAME_WORDS], segment: u32, bytes: u16) {
    let (old, new) = (FRAME_LEN as u16 - 14, bytes - 14);
    frame[IP + 1] = new.to_be();
    frame[IP + 5] = updated(frame[IP + 5], old.to_be(), new.to_be());
    let (old, new) = ((old - 20).to_be(), (new - 20).to_be());
    if segment == UDP {
        frame[L4 + 2] = new;
        // The length stands in the header and in the pseudo header.
        let checksum = updated(updated(frame[L4 + 3], old, new), old, new);
        // Zero means "no checksum" (RFC 768).
        frame[L4 + 3] = if checksum == 0 { u16::MAX } else { checksum };
    } else {
        frame[L4 + 8] = updated(frame[L4 + 8], old, new);
    }
}

/// The checksum after a word changed: RFC 1624, equation 3.
#[inline(always)]
fn updated(checksum: u16, old: u16, new: u16) -> u16 {
    let sum = !checksum as u32 + !old as u32 + new as u32;
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !(folded as u16)
}

const _: () = assert!(size_of::<Lengths>() == 40);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::{Header, IPPROTO_TCP, IPPROTO_UDP, build};

    fn sum(words: impl Iterator<Item = u16>) -> u16 {
        let mut total = words.fold(0_u64, |total, word| total + u16::from_be(word) as u64);
        while total > 0xffff {
            total = (total & 0xffff) + (total >> 16);
        }
        total as u16
    }

    proptest! {
        #[test]
        fn checksums_and_lengths_are_those_of_the_whole_frame(
            words: [u16; 6], segment in 0..4_u32, tag: u64, bytes in FRAME_LEN as u16..=1_514,
        ) {
            let [a, b, c, d, src_port_be, dst_port_be] = words;
            let (dst_mac, src_mac) = ([a, b, c], [d, a, b]);
            let header = Header { dst_mac, src_mac, src_be: [a, b], dst_be: [c, d], src_port_be, dst_port_be, segment, tag };
            let mut frame = build(&header);
            lengthen(&mut frame, segment, bytes);
            let l4 = bytes - 34;
            prop_assert_eq!(u16::from_be(frame[IP + 1]), bytes - 14);
            prop_assert_eq!(sum(frame[IP..L4].iter().copied()), 0xffff);
            // What is behind the words is zero.
            let protocol = if segment == UDP { IPPROTO_UDP } else { IPPROTO_TCP };
            let pseudo = [a, b, c, d, (protocol as u16).to_be(), l4.to_be()];
            prop_assert_eq!(sum(pseudo.into_iter().chain(frame[L4..].iter().copied())), 0xffff);
            if segment == UDP {
                prop_assert_eq!((u16::from_be(frame[L4 + 2]), frame[L4 + 3] == 0), (l4, false));
            }
        }
    }

    #[test]
    fn lengths_come_in_turn() {
        let mut bytes = [0; MOST_LENGTHS];
        bytes[..3].copy_from_slice(&[64, 570, 1_514]);
        let lengths = Lengths { count: 3, buffer: 1_514, bytes };
        let mut turn = 0;
        let seen: [u16; 5] = core::array::from_fn(|_| {
            let bytes = lengths.at(turn);
            turn = lengths.after(turn);
            bytes
        });
        assert_eq!(seen, [64, 570, 1_514, 64, 570]);
    }
}
