//! The other side of a flow: the backend answers so that conntrack sees both directions, the client counts what comes back.

use aya_ebpf::bindings::{TC_ACT_OK, TC_ACT_SHOT};
use aya_ebpf::helpers::bpf_redirect;
use aya_ebpf::macros::{classifier, map};
use aya_ebpf::maps::PerCpuArray;
use aya_ebpf::programs::TcContext;
use aya_log_ebpf::warn;
use datapath_common::flow::{flow_of, target_of};
use datapath_common::frame::{Header, IPPROTO_UDP, TCP_SYN_ACK, UDP, build, words_of};
use datapath_common::probe::COUNT_DECISIONS;
use datapath_common::traffic::Replies;

use crate::decisions;
use crate::generator::{GENERATOR, TARGETS};
use crate::packet::Packet;
use crate::probe::PROBE;

#[map]
static REPLIES: PerCpuArray<Replies> = PerCpuArray::with_max_entries(1, 0);

/// Ingress of the backend's device: echoes UDP, answers SYN by SYN|ACK, swallows other segments.
#[classifier]
fn responder(ctx: TcContext) -> i32 {
    respond(&ctx).unwrap_or(TC_ACT_OK)
}

#[inline(always)]
fn respond(ctx: &TcContext) -> Option<i32> {
    // SAFETY: the context's own pointers, used once.
    let mut packet = unsafe { Packet::parse(ctx.data(), ctx.data_end()) }?;
    let replies = REPLIES.get_ptr_mut(0)?;
    let segment = match packet.protocol() {
        IPPROTO_UDP => UDP,
        _ if packet.is_syn() => TCP_SYN_ACK,
        _ => {
            // SAFETY: this CPU's counters.
            unsafe { (*replies).swallowed += 1 };
            return Some(TC_ACT_SHOT);
        }
    };
    let reply = build(&reply_header(&packet, segment));
    packet.write(&reply);
    // SAFETY: this CPU's counters; the helper takes any index.
    unsafe {
        (*replies).answered += 1;
        Some(bpf_redirect((*ctx.skb.skb).ifindex, 0) as i32)
    }
}

#[inline(always)]
fn reply_header(packet: &Packet<'_>, segment: u32) -> Header {
    let (dst_mac, src_mac) = packet.macs();
    Header {
        dst_mac: src_mac,
        src_mac: dst_mac,
        src_be: words_of(packet.dst_be()),
        dst_be: words_of(packet.src_be()),
        src_port_be: packet.dst_port_be(),
        dst_port_be: packet.src_port_be(),
        segment,
        tag: packet.tag(),
    }
}

/// Ingress of the client's device: counts replies by whether they come from where their flow was sent to.
#[classifier]
fn sink(ctx: TcContext) -> i32 {
    swallow(&ctx).unwrap_or(TC_ACT_OK)
}

#[inline(always)]
fn swallow(ctx: &TcContext) -> Option<i32> {
    if PROBE.get(0)?.count == COUNT_DECISIONS {
        return decisions::rejected(ctx);
    }
    // SAFETY: the context's own pointers, used once.
    let packet = unsafe { Packet::parse(ctx.data(), ctx.data_end()) }?;
    // SAFETY: this CPU's counters.
    let replies = unsafe { &mut *REPLIES.get_ptr_mut(0)? };
    if comes_from_its_target(&packet) == Some(true) {
        replies.matching += 1;
        return Some(TC_ACT_SHOT);
    }
    replies.foreign += 1;
    if replies.foreign.is_power_of_two() {
        warn!(
            ctx,
            "sink: {} replies from elsewhere, the last from {:i}",
            replies.foreign,
            u32::from_be(packet.src_be())
        );
    }
    Some(TC_ACT_SHOT)
}

#[inline(always)]
fn comes_from_its_target(packet: &Packet<'_>) -> Option<bool> {
    let config = GENERATOR.get(0)?;
    let client = u32::from_be(packet.dst_be());
    let flow = flow_of(client, u16::from_be(packet.dst_port_be()), config.client_base)?;
    let target = TARGETS.get(target_of(flow, config.seed, config.targets))?;
    Some(packet.src_be() == target.addr_be && packet.src_port_be() == target.port_be)
}
