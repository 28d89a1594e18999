//! The part of a packet that the load balancer reads: Ethernet, IPv4 with options, ports.

use core::hint::black_box;

use datapath_common::balancer::reject::{Rejection, may_be_answered, may_be_answered_icmp};
use datapath_common::balancer::{ConnectionKey, V4};
use datapath_common::frame::{IPPROTO_TCP, IPPROTO_UDP};

/// Bytes of the longest headers: Ethernet, IPv4 with 40 bytes of options, TCP without.
pub(crate) const LONGEST: usize = ETH_LEN + 60 + TCP_LEN;
/// Offset of the IPv4 header's checksum.
pub(crate) const IP_CHECKSUM: usize = 24;
/// Offset of the type of service.
const TOS: usize = 15;
/// Offset of the word of time to live and protocol.
pub(crate) const TTL: usize = 22;

const ETH_LEN: usize = 14;
const IP_LEN: usize = 20;
const TCP_LEN: usize = 20;
const UDP_LEN: usize = 8;
const ETHERTYPE_IPV4: u16 = 0x0800;
const FRAGMENT_OFFSET: u16 = 0x1fff;
const IPPROTO_ICMP: u32 = 1;

/// What was read.
pub(crate) struct Headers {
    /// The 5-tuple; ports are 0 but for TCP and UDP.
    pub(crate) flow: ConnectionKey<V4>,
    /// Offset of the transport header from the frame's start.
    pub(crate) transport: usize,
}

/// An end of the flow, where a packet is rewritten.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Destination,
}

impl Side {
    /// Offset of the address from the frame's start.
    #[inline(always)]
    pub(crate) fn address(self) -> usize {
        if matches!(self, Self::Source) { 26 } else { 30 }
    }

    /// Offset of the port in the transport header.
    #[inline(always)]
    pub(crate) fn port(self) -> usize {
        if matches!(self, Self::Source) { 0 } else { 2 }
    }
}

/// A word of the packet, whose network header begins at an even address.
///
/// # Safety
/// `at` was compared with the packet's end.
#[inline(always)]
pub(crate) unsafe fn word(at: usize) -> u16 {
    // SAFETY: as the caller promises.
    unsafe { *(at as *const u16) }
}

/// As [`word`], of an address.
///
/// # Safety
/// As [`word`].
#[inline(always)]
unsafe fn address(at: usize) -> V4 {
    // SAFETY: as the caller promises.
    let (first, second) = unsafe { (word(at) as u32, word(at + 2) as u32) };
    V4(if cfg!(target_endian = "little") { second << 16 | first } else { first << 16 | second })
}

impl Headers {
    /// The headers of the frame between `data` and `end`, `length` bytes with what lies outside of that. `None` for what the load
    /// balancer leaves alone: no IPv4, a fragment that is not the first, or cut short.
    #[inline(always)]
    pub(crate) fn parse(data: usize, end: usize, length: usize) -> Option<Self> {
        if data + ETH_LEN + IP_LEN > end {
            return None;
        }
        // SAFETY: compared above.
        let (ethertype, version, total, fragment, protocol, src, dst) = unsafe {
            let byte = |at: usize| *((data + at) as *const u8);
            let total = u16::from_be(word(data + 16)) as usize;
            (word(data + 12), byte(14), total, word(data + 20), byte(23), address(data + 26), address(data + 30))
        };
        let words = (version & 0xf) as usize;
        let is_ipv4 = ethertype == ETHERTYPE_IPV4.to_be() && version >> 4 == 4 && words >= 5;
        if !is_ipv4 || fragment & FRAGMENT_OFFSET.to_be() != 0 || ETH_LEN + total > length {
            return None;
        }
        let transport = ETH_LEN + words * 4;
        if total < words * 4 + transport_len(protocol as u32) {
            return None;
        }
        let (src_port_be, dst_port_be) = ports(data, end, transport, protocol)?;
        Some(Self { flow: ConnectionKey { src, dst, src_port_be, dst_port_be, protocol: protocol as u32 }, transport })
    }

    /// Offset of the transport header's checksum within it.
    #[inline(always)]
    pub(crate) fn checksum(&self) -> usize {
        if self.is_udp() { 6 } else { 16 }
    }

    #[inline(always)]
    pub(crate) fn is_udp(&self) -> bool {
        self.flow.protocol == IPPROTO_UDP as u32
    }

    /// Bytes of the frame up to the end of what a rejection quotes: the transport header, without options.
    #[inline(always)]
    pub(crate) fn quoted_end(&self) -> usize {
        self.transport + transport_len(self.flow.protocol)
    }

    /// The rejection of this packet, unless none may be sent. `id` is drawn.
    #[inline(always)]
    pub(crate) fn rejection(&self, data: usize, end: usize, node: V4, id: u16) -> Option<Rejection> {
        if data + TOS + 1 > end {
            return None;
        }
        // SAFETY: compared above.
        let (macs, tos) = unsafe { ([0, 2, 4, 6, 8, 10].map(|at| word(data + at)), *((data + TOS) as *const u8)) };
        let (dst_mac, src_mac) = ([macs[0], macs[1], macs[2]], [macs[3], macs[4], macs[5]]);
        let (transport_sum, first) = sum(data, end, self.transport, self.flow.protocol)?;
        let is_error = self.flow.protocol == IPPROTO_ICMP && !may_be_answered_icmp(first.to_ne_bytes()[0]);
        if is_error || !may_be_answered(self.flow.src, dst_mac) {
            return None;
        }
        Some(Rejection {
            dst_mac: src_mac,
            src_mac: dst_mac,
            node,
            client: self.flow.src,
            tos,
            id,
            quoted: (self.quoted_end() - ETH_LEN) as u16,
            transport_sum,
        })
    }
}

/// Bytes of a transport header that must be there: TCP's fixed header, elsewhere the eight bytes that ICMP quotes.
#[inline(always)]
fn transport_len(protocol: u32) -> usize {
    if protocol == IPPROTO_TCP as u32 { TCP_LEN } else { UDP_LEN }
}

/// The transport header's address. The verifier knows what was compared of a pointer by where it was made, so it is made once.
#[inline(always)]
pub(crate) fn transport_at(data: usize, transport: usize) -> usize {
    black_box(data + (black_box(transport) & 0x7f))
}

#[inline(always)]
fn ports(data: usize, end: usize, transport: usize, protocol: u8) -> Option<(u16, u16)> {
    let at = transport_at(data, transport);
    if protocol == IPPROTO_TCP {
        if at + TCP_LEN > end {
            return None;
        }
    } else if at + UDP_LEN > end {
        return None;
    }
    if !matches!(protocol, IPPROTO_TCP | IPPROTO_UDP) {
        return Some((0, 0));
    }
    // SAFETY: compared above.
    Some(unsafe { (word(at), word(at + 2)) })
}

/// Sum of the words that are quoted of the transport header, and the first of them.
#[inline(always)]
fn sum(data: usize, end: usize, transport: usize, protocol: u32) -> Option<(u32, u16)> {
    let at = transport_at(data, transport);
    if at + UDP_LEN > end {
        return None;
    }
    // SAFETY: compared above.
    let [first, second, third, fourth] = unsafe { [word(at), word(at + 2), word(at + 4), word(at + 6)] };
    let mut sum = first as u32 + second as u32 + third as u32 + fourth as u32;
    if protocol == IPPROTO_TCP as u32 {
        if at + TCP_LEN > end {
            return None;
        }
        // SAFETY: compared above.
        sum += unsafe {
            word(at + 8) as u32
                + word(at + 10) as u32
                + word(at + 12) as u32
                + word(at + 14) as u32
                + word(at + 16) as u32
                + word(at + 18) as u32
        };
    }
    Some((sum, first))
}
