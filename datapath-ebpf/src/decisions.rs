//! Writes down what the datapath decided, flow by flow: the exit where a packet left to, the client's sink that one was rejected.

use aya_ebpf::bindings::TC_ACT_SHOT;
use aya_ebpf::macros::map;
use aya_ebpf::maps::Array;
use aya_ebpf::programs::TcContext;
use datapath_common::decision::{Decision, LEFT, REJECTED, element_of};
use datapath_common::frame::{IPPROTO_TCP, word32};

use crate::generator::GENERATOR;
use crate::packet::Packet;

/// User space sizes it to the flows of its largest order.
#[map]
static DECISIONS: Array<Decision> = Array::with_max_entries(1, 0);

/// Words of a frame up to the ports that an ICMP error quotes: Ethernet 7, IPv4 10, ICMP 4, quoted IPv4 10, ports 2.
const QUOTE_WORDS: usize = 33;
/// First word of the quoted IPv4 header.
const QUOTED_IP: usize = 21;
/// Words of a TCP segment up to its flags: Ethernet 7, IPv4 10, TCP up to byte 14.
const RESET_WORDS: usize = 24;
const IP: usize = 7;
const L4: usize = 17;
const IPPROTO_ICMP: u8 = 1;
/// RFC 792.
const DESTINATION_UNREACHABLE: u8 = 3;
/// RFC 9293: RST and ACK.
const FLAGS_RST_ACK: u8 = 0x14;

/// The exit: where the packet leaves to.
#[inline(always)]
pub(crate) fn left(packet: &Packet<'_>) {
    let decision = Decision { addr_be: packet.dst_be(), port_be: packet.dst_port_be(), fate: LEFT };
    note(packet.src_be(), packet.src_port_be(), decision);
}

/// The sink: takes a rejection that belongs to a flow; `None` for any other packet.
#[inline(always)]
pub(crate) fn rejected(ctx: &TcContext) -> Option<i32> {
    let (data, end) = (ctx.data(), ctx.data_end());
    let (client_be, port_be) = quoted(data, end).or_else(|| reset(data, end))?;
    note(client_be, port_be, Decision { addr_be: 0, port_be: 0, fate: REJECTED });
    Some(TC_ACT_SHOT)
}

#[inline(always)]
fn note(client_be: u32, port_be: u16, decision: Decision) {
    let Some(config) = GENERATOR.get(0) else { return };
    let (client, port) = (u32::from_be(client_be), u16::from_be(port_be));
    if let Some(element) = element_of(client, port, config.client_base, config.first_flow)
        && let Some(place) = DECISIONS.get_ptr_mut(element)
    {
        // SAFETY: a flow has one packet, whose fate one program writes.
        unsafe { *place = decision };
    }
}

/// Source of the packet that an ICMP error quotes.
#[inline(always)]
fn quoted(data: usize, end: usize) -> Option<(u32, u16)> {
    // SAFETY: the context's own pointers.
    let words = unsafe { words::<QUOTE_WORDS>(data, end) }?;
    let is_error = is_ipv4(words, IPPROTO_ICMP) && words[L4].to_ne_bytes()[0] == DESTINATION_UNREACHABLE;
    if !is_error || words[QUOTED_IP].to_ne_bytes()[0] != 0x45 {
        return None;
    }
    Some((word32([words[QUOTED_IP + 6], words[QUOTED_IP + 7]]), words[QUOTED_IP + 10]))
}

/// Destination of a TCP reset that acknowledges a SYN.
#[inline(always)]
fn reset(data: usize, end: usize) -> Option<(u32, u16)> {
    // SAFETY: the context's own pointers.
    let words = unsafe { words::<RESET_WORDS>(data, end) }?;
    if !is_ipv4(words, IPPROTO_TCP) || words[L4 + 6].to_ne_bytes()[1] & FLAGS_RST_ACK != FLAGS_RST_ACK {
        return None;
    }
    Some((word32([words[IP + 8], words[IP + 9]]), words[L4 + 1]))
}

#[inline(always)]
fn is_ipv4<const N: usize>(words: &[u16; N], protocol: u8) -> bool {
    words[6] == 0x0800_u16.to_be() && words[IP].to_ne_bytes()[0] == 0x45 && words[IP + 4].to_ne_bytes()[1] == protocol
}

/// # Safety
/// The pointers are the context's `data` and `data_end`, and nothing writes the packet while the result lives.
#[inline(always)]
unsafe fn words<'a, const N: usize>(data: usize, end: usize) -> Option<&'a [u16; N]> {
    if data + N * 2 > end {
        return None;
    }
    // SAFETY: the words lie within the packet; Ethernet headers begin at even addresses.
    Some(unsafe { &*(data as *const [u16; N]) })
}
