//! At tc ingress: packets are rewritten through helpers, which keep a checksum that the kernel has yet to complete.

use aya_ebpf::bindings::{BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR, TC_ACT_OK, TC_ACT_SHOT, TC_ACT_UNSPEC};
use aya_ebpf::helpers::{bpf_redirect, bpf_skb_change_head, bpf_skb_change_tail};
use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use datapath_common::balancer::reject::GROWTH;
use datapath_common::balancer::{Decision, Endpoint, Tables, V4, balance};

use crate::headers::{Headers, IP_CHECKSUM, LONGEST, Side};
use crate::maps::{Maps, node, vip_of};

/// Ingress of the node's client-side device.
#[classifier]
fn balancer_tc(ctx: TcContext) -> i32 {
    let Some(headers) = read(&ctx) else {
        return TC_ACT_UNSPEC;
    };
    match balance(&mut Maps, &headers.flow) {
        Decision::Pass => TC_ACT_UNSPEC,
        Decision::Drop => TC_ACT_SHOT,
        Decision::Reject => reject(&ctx, &headers).unwrap_or(TC_ACT_SHOT),
        Decision::Forward(endpoint) => {
            let old = headers.flow.destination();
            rewrite(&ctx, &headers, Side::Destination, &old, &endpoint).map_or(TC_ACT_SHOT, |()| TC_ACT_OK)
        }
    }
}

/// Ingress of the node's backend-side device.
#[classifier]
fn balancer_tc_reverse(ctx: TcContext) -> i32 {
    let Some(headers) = read(&ctx) else {
        return TC_ACT_UNSPEC;
    };
    let Some(vip) = vip_of(&headers.flow) else {
        return TC_ACT_UNSPEC;
    };
    let old = Endpoint::new(headers.flow.src, headers.flow.src_port_be);
    rewrite(&ctx, &headers, Side::Source, &old, &vip).map_or(TC_ACT_SHOT, |()| TC_ACT_OK)
}

/// Headers may lie outside of the packet's linear part.
#[inline(always)]
fn read(ctx: &TcContext) -> Option<Headers> {
    let length = ctx.len() as usize;
    let wanted = if length < LONGEST { length } else { LONGEST };
    if ctx.data_end() - ctx.data() < wanted {
        ctx.skb.pull_data(wanted as u32).ok()?;
    }
    Headers::parse(ctx.data(), ctx.data_end(), length)
}

#[inline(always)]
fn rewrite(ctx: &TcContext, headers: &Headers, side: Side, old: &Endpoint<V4>, new: &Endpoint<V4>) -> Option<()> {
    let checksum = headers.transport + headers.checksum();
    // A UDP datagram without a checksum keeps none.
    let flags = if headers.is_udp() { BPF_F_MARK_MANGLED_0 as u64 } else { 0 };
    let pseudo = flags | BPF_F_PSEUDO_HDR as u64 | 4;
    ctx.l4_csum_replace(checksum, old.addr.0 as u64, new.addr.0 as u64, pseudo).ok()?;
    ctx.l4_csum_replace(checksum, old.port_be as u64, new.port_be as u64, flags | 2).ok()?;
    ctx.store(headers.transport + side.port(), &new.port_be, 0).ok()?;
    ctx.l3_csum_replace(IP_CHECKSUM, old.addr.0 as u64, new.addr.0 as u64, 4).ok()?;
    ctx.store(side.address(), &new.addr, 0).ok()
}

/// Turns the packet into its rejection and sends it back.
#[inline(always)]
fn reject(ctx: &TcContext, headers: &Headers) -> Option<i32> {
    let rejection = headers.rejection(ctx.data(), ctx.data_end(), node()?, Maps.random() as u16)?.headers();
    // SAFETY: the context's own pointer; packet pointers are not used after the packet moves.
    unsafe {
        let skb = ctx.skb.skb;
        if bpf_skb_change_tail(skb, headers.quoted_end() as u32, 0) != 0
            || bpf_skb_change_head(skb, GROWTH as u32, 0) != 0
        {
            return None;
        }
        ctx.store(0, &rejection, 0).ok()?;
        Some(bpf_redirect((*skb).ifindex, 0) as i32)
    }
}
