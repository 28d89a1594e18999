//! The frames on the wire: 64 bytes of Ethernet, IPv4 and UDP or TCP with a tag in the payload.
//!
//! A frame is an array of 16-bit words as they stand in memory: one's complement sums do not care for the byte order (RFC
//! 1071), and 2-byte stores suit a packet whose network header begins at offset 14.

/// Bytes of a frame.
pub const FRAME_LEN: usize = FRAME_WORDS * 2;
/// Words of a frame.
pub const FRAME_WORDS: usize = 32;

/// UDP datagram.
pub const UDP: u32 = 0;
/// TCP SYN, sequence number [`CLIENT_ISN`].
pub const TCP_SYN: u32 = 1;
/// TCP SYN|ACK, sequence number [`SERVER_ISN`].
pub const TCP_SYN_ACK: u32 = 2;
/// TCP PSH|ACK: the client's first data segment, which also completes the handshake.
pub const TCP_DATA: u32 = 3;

/// Initial sequence number of every client.
pub const CLIENT_ISN: u32 = 1000;
/// Initial sequence number of every responder.
pub const SERVER_ISN: u32 = 2000;

/// IPv4's protocol number of UDP.
pub const IPPROTO_UDP: u8 = 17;
/// IPv4's protocol number of TCP.
pub const IPPROTO_TCP: u8 = 6;

/// First word of the IPv4 header.
pub const IP: usize = 7;
/// First word of the UDP or TCP header.
pub const L4: usize = 17;
/// First word of the tag behind a UDP header.
pub const UDP_TAG: usize = L4 + 4;
/// First word of the tag behind a TCP header.
pub const TCP_TAG: usize = L4 + 10;

const IP_LEN: u16 = FRAME_LEN as u16 - 14;
const L4_LEN: u16 = IP_LEN - 20;
const DONT_FRAGMENT: u16 = 0x4000;
const TTL: u16 = 64;
const WINDOW: u16 = u16::MAX;
const TCP_HEADER_WORDS: u16 = 5 << 12;
const FLAG_SYN: u16 = 0x02;
const FLAG_PSH_ACK: u16 = 0x18;
const FLAG_ACK: u16 = 0x10;

/// What makes one frame differ from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Destination MAC.
    pub dst_mac: [u16; 3],
    /// Source MAC.
    pub src_mac: [u16; 3],
    /// Source address.
    pub src_be: [u16; 2],
    /// Destination address.
    pub dst_be: [u16; 2],
    /// Source port.
    pub src_port_be: u16,
    /// Destination port.
    pub dst_port_be: u16,
    /// One of the segment constants.
    pub segment: u32,
    /// Tag.
    pub tag: u64,
}

/// The words of six bytes.
#[inline(always)]
#[must_use]
pub fn mac_words(mac: [u8; 6]) -> [u16; 3] {
    let [a, b, c, d, e, f] = mac;
    [u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d]), u16::from_ne_bytes([e, f])]
}

/// The words of a 32-bit value as it stands in memory.
#[inline(always)]
#[must_use]
pub fn words_of(value: u32) -> [u16; 2] {
    let [a, b, c, d] = value.to_ne_bytes();
    [u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d])]
}

/// The inverse of [`words_of`].
#[inline(always)]
#[must_use]
pub fn word32(words: [u16; 2]) -> u32 {
    let ([a, b], [c, d]) = (words[0].to_ne_bytes(), words[1].to_ne_bytes());
    u32::from_ne_bytes([a, b, c, d])
}

/// The whole frame, checksums included.
#[inline(always)]
#[must_use]
pub fn build(header: &Header) -> [u16; FRAME_WORDS] {
    let mut frame = [0; FRAME_WORDS];
    frame[0] = header.dst_mac[0];
    frame[1] = header.dst_mac[1];
    frame[2] = header.dst_mac[2];
    frame[3] = header.src_mac[0];
    frame[4] = header.src_mac[1];
    frame[5] = header.src_mac[2];
    frame[6] = 0x0800_u16.to_be();
    let protocol = if header.segment == UDP { IPPROTO_UDP } else { IPPROTO_TCP };
    write_ipv4(&mut frame, header, protocol);
    if header.segment == UDP {
        write_udp(&mut frame, header)
    } else {
        write_tcp(&mut frame, header)
    }
    frame
}

#[inline(always)]
fn write_ipv4(frame: &mut [u16; FRAME_WORDS], header: &Header, protocol: u8) {
    frame[IP] = 0x4500_u16.to_be();
    frame[IP + 1] = IP_LEN.to_be();
    frame[IP + 3] = DONT_FRAGMENT.to_be();
    frame[IP + 4] = (TTL << 8 | protocol as u16).to_be();
    frame[IP + 6] = header.src_be[0];
    frame[IP + 7] = header.src_be[1];
    frame[IP + 8] = header.dst_be[0];
    frame[IP + 9] = header.dst_be[1];
    let fixed = frame[IP] as u32 + frame[IP + 1] as u32 + frame[IP + 3] as u32 + frame[IP + 4] as u32;
    frame[IP + 5] = checksum(fixed + addresses(header));
    frame[L4] = header.src_port_be;
    frame[L4 + 1] = header.dst_port_be;
}

#[inline(always)]
fn write_udp(frame: &mut [u16; FRAME_WORDS], header: &Header) {
    frame[L4 + 2] = L4_LEN.to_be();
    let sum = pseudo_header(header, IPPROTO_UDP) + L4_LEN.to_be() as u32 + write_tag(frame, UDP_TAG, header.tag);
    let checksum = checksum(sum);
    // Zero means "no checksum" (RFC 768).
    frame[L4 + 3] = if checksum == 0 { u16::MAX } else { checksum };
}

#[inline(always)]
fn write_tcp(frame: &mut [u16; FRAME_WORDS], header: &Header) {
    let (sequence, acknowledged, flags) = match header.segment {
        TCP_SYN => (CLIENT_ISN, 0, FLAG_SYN),
        TCP_SYN_ACK => (SERVER_ISN, CLIENT_ISN + 1, FLAG_SYN | FLAG_ACK),
        _ => (CLIENT_ISN + 1, SERVER_ISN + 1, FLAG_PSH_ACK),
    };
    let (sequence, acknowledged) = (words_of(sequence.to_be()), words_of(acknowledged.to_be()));
    frame[L4 + 2] = sequence[0];
    frame[L4 + 3] = sequence[1];
    frame[L4 + 4] = acknowledged[0];
    frame[L4 + 5] = acknowledged[1];
    frame[L4 + 6] = (TCP_HEADER_WORDS | flags).to_be();
    frame[L4 + 7] = WINDOW.to_be();
    let fixed = frame[L4 + 6] as u32 + frame[L4 + 7] as u32;
    let numbers = sequence[0] as u32 + sequence[1] as u32 + acknowledged[0] as u32 + acknowledged[1] as u32;
    let tag = write_tag(frame, TCP_TAG, header.tag);
    frame[L4 + 8] = checksum(pseudo_header(header, IPPROTO_TCP) + fixed + numbers + tag);
}

/// Writes the tag and returns its sum.
#[inline(always)]
fn write_tag(frame: &mut [u16; FRAME_WORDS], at: usize, tag: u64) -> u32 {
    let words = [tag as u16, (tag >> 16) as u16, (tag >> 32) as u16, (tag >> 48) as u16];
    frame[at] = words[0];
    frame[at + 1] = words[1];
    frame[at + 2] = words[2];
    frame[at + 3] = words[3];
    words[0] as u32 + words[1] as u32 + words[2] as u32 + words[3] as u32
}

/// The tag that [`build`] wrote into these words.
#[inline(always)]
#[must_use]
pub fn tag_of(words: [u16; 4]) -> u64 {
    words[0] as u64 | (words[1] as u64) << 16 | (words[2] as u64) << 32 | (words[3] as u64) << 48
}

#[inline(always)]
fn addresses(header: &Header) -> u32 {
    header.src_be[0] as u32 + header.src_be[1] as u32 + header.dst_be[0] as u32 + header.dst_be[1] as u32
}

/// Sum of the pseudo header and the ports.
#[inline(always)]
fn pseudo_header(header: &Header, protocol: u8) -> u32 {
    let ports = header.src_port_be as u32 + header.dst_port_be as u32;
    addresses(header) + ports + (protocol as u16).to_be() as u32 + L4_LEN.to_be() as u32
}

/// The complement of the folded sum of fewer than 65536 words.
#[inline(always)]
fn checksum(sum: u32) -> u16 {
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !(folded as u16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 1071 over big-endian words, the plain way: a valid header sums to 0xffff.
    fn sum(words: impl Iterator<Item = u16>) -> u16 {
        let total = words.fold(0_u64, |total, word| total + u16::from_be(word) as u64);
        let mut folded = total;
        while folded > 0xffff {
            folded = (folded & 0xffff) + (folded >> 16);
        }
        folded as u16
    }

    fn l4_sum(frame: &[u16; FRAME_WORDS]) -> u16 {
        let protocol = u16::from_be(frame[IP + 4]) & 0xff;
        let pseudo = [frame[13], frame[14], frame[15], frame[16], protocol.to_be(), L4_LEN.to_be()];
        sum(pseudo.into_iter().chain(frame[L4..].iter().copied()))
    }

    prop_compose! {
        fn header()(macs: [u16; 6], addrs: [u16; 4], ports: [u16; 2], segment in 0..4_u32, tag: u64) -> Header {
            Header {
                dst_mac: [macs[0], macs[1], macs[2]],
                src_mac: [macs[3], macs[4], macs[5]],
                src_be: [addrs[0], addrs[1]],
                dst_be: [addrs[2], addrs[3]],
                src_port_be: ports[0],
                dst_port_be: ports[1],
                segment,
                tag,
            }
        }
    }

    proptest! {
        #[test]
        fn checksums_are_valid(header in header()) {
            let frame = build(&header);
            prop_assert_eq!(sum(frame[IP..L4].iter().copied()), 0xffff);
            prop_assert_eq!(l4_sum(&frame), 0xffff);
        }

        #[test]
        fn a_frame_says_what_it_was_built_from(header in header()) {
            let frame = build(&header);
            let at = if header.segment == UDP { UDP_TAG } else { TCP_TAG };
            prop_assert_eq!(tag_of([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]]), header.tag);
            prop_assert_eq!([frame[L4], frame[L4 + 1]], [header.src_port_be, header.dst_port_be]);
            prop_assert_eq!(u16::from_be(frame[IP + 1]) as usize, FRAME_LEN - 14);
        }

        #[test]
        fn words_keep_their_bytes(value: u32) {
            prop_assert_eq!(word32(words_of(value)), value);
        }
    }

    #[test]
    fn a_syn_has_the_bytes_of_the_rfcs() {
        let header = Header {
            dst_mac: mac_words([2, 0, 0, 0, 0, 2]),
            src_mac: mac_words([2, 0, 0, 0, 0, 1]),
            src_be: words_of(u32::from_ne_bytes([10, 0, 0, 1])),
            dst_be: words_of(u32::from_ne_bytes([10, 96, 0, 10])),
            src_port_be: 1024_u16.to_be(),
            dst_port_be: 80_u16.to_be(),
            segment: TCP_SYN,
            tag: 0,
        };
        let mut bytes = [0; FRAME_LEN];
        for (pair, word) in bytes.chunks_exact_mut(2).zip(build(&header)) {
            pair.copy_from_slice(&word.to_ne_bytes());
        }
        assert_eq!(bytes[..14], [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
        assert_eq!(bytes[14..24], [0x45, 0, 0, 50, 0, 0, 0x40, 0, 64, 6]);
        assert_eq!(bytes[26..34], [10, 0, 0, 1, 10, 96, 0, 10]);
        assert_eq!(bytes[34..50], [4, 0, 0, 80, 0, 0, 3, 232, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff]);
    }
}
