//! Echo requests as bytes, and what came back for which of them. Pure.

use etherparse::{IcmpEchoHeader, Icmpv4Header, Icmpv4Type, Ipv4HeaderSlice};

/// Type of an echo request (RFC 792).
const ECHO: u8 = 8;
/// Type of an echo reply.
const REPLY: u8 = 0;
/// Types that quote the packet they complain of: destination unreachable, source quench, time exceeded, parameter problem.
const ERRORS: [u8; 4] = [3, 4, 11, 12];
/// Bytes of a message's header.
const HEADER: usize = 8;

/// What a packet says of an echo request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was answered.
    Reply,
    /// A message of this type and code complains of it.
    Error {
        /// Type.
        icmp_type: u8,
        /// Code.
        code: u8,
    },
}

/// An echo request without payload.
pub(super) fn request(id: u16, seq: u16) -> Vec<u8> {
    Icmpv4Header::with_checksum(Icmpv4Type::EchoRequest(IcmpEchoHeader { id, seq }), &[]).to_bytes().to_vec()
}

/// The sequence number and fate of the request of `id` that an IP packet speaks of; `None` where it speaks of none.
pub(super) fn read(packet: &[u8], id: u16) -> Option<(u16, Answer)> {
    let (message, quoted) = message(packet)?;
    match message[0] {
        REPLY => Some((sequence(message, id)?, Answer::Reply)),
        kind if ERRORS.contains(&kind) => {
            let (original, _) = self::message(quoted)?;
            let seq = (original[0] == ECHO).then(|| sequence(original, id))??;
            Some((seq, Answer::Error { icmp_type: kind, code: message[1] }))
        }
        _ => None,
    }
}

/// Header of the message in an IP packet, which may be cut short behind it, and what follows.
fn message(packet: &[u8]) -> Option<(&[u8; HEADER], &[u8])> {
    let header = Ipv4HeaderSlice::from_slice(packet).ok()?;
    let is_icmp = header.protocol() == etherparse::IpNumber::ICMP;
    packet.get(header.slice().len()..)?.split_first_chunk().filter(|_| is_icmp)
}

/// Sequence number of an echo message of `id`.
fn sequence(message: &[u8; HEADER], id: u16) -> Option<u16> {
    let word = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
    (word(4) == id).then(|| word(6))
}

#[cfg(test)]
mod tests {
    use etherparse::{IpNumber, Ipv4Header};

    use super::*;

    fn in_ip(payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).expect("short");
        let header = Ipv4Header::new(length, 64, IpNumber::ICMP, [10, 0, 0, 1], [10, 0, 0, 2]).expect("fits");
        [&header.to_bytes()[..], payload].concat()
    }

    /// A complaint about an IP packet, of which it quotes 28 bytes.
    fn complaint(icmp_type: u8, code: u8, about: &[u8]) -> Vec<u8> {
        in_ip(&[&[icmp_type, code, 0, 0, 0, 0, 0, 0], &about[..28]].concat())
    }

    #[test]
    fn a_request_is_an_echo_with_its_checksum() {
        let bytes = request(0x1234, 5);
        assert_eq!(bytes[..2], [8, 0]);
        assert_eq!(bytes[4..], [0x12, 0x34, 0, 5]);
        let sum: u32 = bytes.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }

    #[test]
    fn answers_are_told_by_their_identifier() {
        let mut reply = request(7, 3);
        reply[0] = 0;
        assert_eq!(read(&in_ip(&reply), 7), Some((3, Answer::Reply)));
        assert_eq!(read(&in_ip(&reply), 8), None);
        // A socket of the node sees its own requests pass by.
        assert_eq!(read(&in_ip(&request(7, 3)), 7), None);
        let refused = complaint(3, 3, &in_ip(&request(7, 4)));
        assert_eq!(read(&refused, 7), Some((4, Answer::Error { icmp_type: 3, code: 3 })));
        assert_eq!(read(&refused, 8), None);
        assert_eq!(read(&complaint(3, 3, &in_ip(&reply)), 7), None, "a complaint about a reply");
    }

    #[test]
    fn cut_packets_say_nothing() {
        let refused = complaint(3, 3, &in_ip(&request(7, 4)));
        for end in 0..refused.len() {
            assert_eq!(read(&refused[..end], 7), None, "{end}");
        }
    }
}
