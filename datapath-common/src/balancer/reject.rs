//! The rejection: ICMP port unreachable (RFC 792), as the kernel's `icmp_send` makes it for netfilter's `reject`: it may be fragmented
//! (the kernel's ICMP socket has `IP_PMTUDISC_DONT`), has an identification, keeps the rejected packet's type of service and has the
//! default time to live.
//!
//! It differs in four things: it quotes the transport header and no more, where the kernel quotes up to 576 bytes; it is not limited in
//! rate; it does not echo IP options; and its identification is drawn, where the kernel takes it from a counter
//! (`__ip_select_ident`).

use super::V4;
use super::checksum::fold;

/// Bytes of Ethernet, IPv4 and ICMP header that stand before the quoted packet.
pub const HEADER_LEN: usize = HEADER_WORDS * 2;
/// Words of these headers.
pub const HEADER_WORDS: usize = 21;
/// Bytes by which a packet grows at its head when it is quoted: its own Ethernet header makes room for the new one's.
pub const GROWTH: usize = HEADER_LEN - 14;

const ETHERTYPE_IPV4: u16 = 0x0800;
/// Version 4, five words of header; precedence "internetwork control" (RFC 1812, section 4.3.2.5).
const VERSION_AND_PRECEDENCE: u16 = 0x45c0;
/// What is kept of the rejected packet's type of service (`IPTOS_TOS_MASK`).
const TOS: u8 = 0x1e;
const TTL_AND_ICMP: u16 = 64 << 8 | 1;
const PORT_UNREACHABLE: u16 = 3 << 8 | 3;

/// What makes one rejection differ from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    /// Where it goes: the source of the rejected frame.
    pub dst_mac: [u16; 3],
    /// The device that it leaves by: the destination of the rejected frame.
    pub src_mac: [u16; 3],
    /// The node.
    pub node: V4,
    /// The sender of the rejected packet.
    pub client: V4,
    /// Type of service of the rejected packet.
    pub tos: u8,
    /// Identification: what RFC 6864 asks of one is that it does not soon come again between the same two addresses.
    pub id: u16,
    /// Bytes of the rejected packet that are quoted, its IPv4 header included.
    pub quoted: u16,
    /// Sum of the quoted words behind the IPv4 header. That header itself adds nothing: with its checksum it sums up to all ones,
    /// which is zero. Where its checksum is wrong the rejection's is wrong too, and nobody believes it.
    pub transport_sum: u32,
}

impl Rejection {
    /// The headers before the quoted packet.
    #[inline(always)]
    #[must_use]
    pub fn headers(&self) -> [u16; HEADER_WORDS] {
        let mut words = [0; HEADER_WORDS];
        [words[0], words[1], words[2]] = self.dst_mac;
        [words[3], words[4], words[5]] = self.src_mac;
        words[6] = ETHERTYPE_IPV4.to_be();
        words[7] = (VERSION_AND_PRECEDENCE | (self.tos & TOS) as u16).to_be();
        words[8] = (self.quoted + 28).to_be();
        words[9] = self.id.to_be();
        words[11] = TTL_AND_ICMP.to_be();
        [words[13], words[14]] = self.node.words();
        [words[15], words[16]] = self.client.words();
        words[12] = !fold(sum(&words, 7, 17));
        words[17] = PORT_UNREACHABLE.to_be();
        words[18] = !fold(words[17] as u32 + fold(self.transport_sum) as u32);
        words
    }
}

#[inline(always)]
fn sum(words: &[u16; HEADER_WORDS], from: usize, to: usize) -> u32 {
    let mut sum = 0;
    let mut at = from;
    while at < to && at < HEADER_WORDS {
        sum += words[at] as u32;
        at += 1;
    }
    sum
}

/// Whether an error may be sent about a packet from `client` (RFC 1122, section 3.2.2): not to nobody, to this host itself, or to
/// many.
#[inline(always)]
#[must_use]
pub const fn may_be_answered(client: V4, frame_dst_mac: [u16; 3]) -> bool {
    let first = client.octets()[0];
    let to_many = frame_dst_mac[0].to_ne_bytes()[0] & 1 != 0;
    first != 0 && first != 127 && first < 224 && !to_many
}

/// Whether an error may be sent about an ICMP message of this type: only about queries (net/ipv4/icmp.c, `icmp_pointers`).
#[inline(always)]
#[must_use]
pub const fn may_be_answered_icmp(icmp_type: u8) -> bool {
    // Echo and its reply, timestamp, information and address mask with theirs.
    icmp_type == 0 || icmp_type == 8 || (icmp_type >= 13 && icmp_type <= 18)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::vec::Vec;

    use super::*;
    use crate::frame::mac_words;

    fn folded(words: &[u16]) -> u16 {
        fold(words.iter().map(|word| u32::from(*word)).sum())
    }

    proptest! {
        #[test]
        fn checksums_are_valid(
            client: u32, node: u32, tos: u8, id: u16, mut header in prop::collection::vec(any::<u16>(), 10..=30), transport in prop::collection::vec(any::<u16>(), 4..=10),
        ) {
            // A valid IPv4 header of any length.
            header[0] |= 0x40;
            header[5] = 0;
            header[5] = !folded(&header);
            let rejection = Rejection {
                dst_mac: [1; 3],
                src_mac: [2; 3],
                node: V4(node),
                client: V4(client),
                tos,
                id,
                quoted: 2 * (header.len() + transport.len()) as u16,
                transport_sum: transport.iter().map(|word| u32::from(*word)).sum(),
            };
            let words = rejection.headers();
            prop_assert_eq!(folded(&words[7..17]), 0xffff);
            let icmp: Vec<_> = words[17..].iter().chain(&header).chain(&transport).copied().collect();
            prop_assert_eq!(folded(&icmp), 0xffff);
            prop_assert_eq!(usize::from(u16::from_be(words[8])), 20 + 2 * icmp.len());
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_rfcs() {
        let rejection = Rejection {
            dst_mac: mac_words([2, 0, 0, 0, 0, 1]),
            src_mac: mac_words([2, 0, 0, 0, 0, 2]),
            node: V4::new([192, 168, 0, 1]),
            client: V4::new([10, 0, 0, 1]),
            tos: 0xff,
            id: 0x1234,
            quoted: 28,
            transport_sum: 0,
        };
        let bytes: Vec<u8> = rejection.headers().iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert_eq!(bytes[..14], [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
        assert_eq!(bytes[14..24], [0x45, 0xde, 0, 56, 0x12, 0x34, 0, 0, 64, 1]);
        assert_eq!(bytes[26..34], [192, 168, 0, 1, 10, 0, 0, 1]);
        assert_eq!(bytes[34..], [3, 3, 0xfc, 0xfc, 0, 0, 0, 0]);
    }

    #[test]
    fn nobody_many_and_errors_get_no_answer() {
        let mac = mac_words([2, 0, 0, 0, 0, 2]);
        assert!(may_be_answered(V4::new([10, 0, 0, 1]), mac));
        for client in [[0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 1], [255, 255, 255, 255]] {
            assert!(!may_be_answered(V4::new(client), mac), "{client:?}");
        }
        assert!(!may_be_answered(V4::new([10, 0, 0, 1]), mac_words([0xff; 6])));
        let queries: Vec<u8> = (0..=255).filter(|kind| may_be_answered_icmp(*kind)).collect();
        assert_eq!(queries, [0, 8, 13, 14, 15, 16, 17, 18]);
    }
}
