//! As XDP: packets are rewritten in place, and forwarded by the kernel's routing table without its stack.

use core::mem::zeroed;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::bindings::{BPF_FIB_LKUP_RET_SUCCESS, bpf_fib_lookup as FibLookup};
use aya_ebpf::helpers::{bpf_fib_lookup, bpf_redirect, bpf_xdp_adjust_head, bpf_xdp_adjust_tail};
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use datapath_common::balancer::checksum::Change;
use datapath_common::balancer::reject::{GROWTH, HEADER_LEN, HEADER_WORDS};
use datapath_common::balancer::{Decision, Endpoint, Tables, V4, balance};
use datapath_common::frame::mac_words;

use crate::headers::{Headers, IP_CHECKSUM, Side, TTL, transport_at, word};
use crate::maps::{Maps, node, vip_of};

/// `AF_INET`.
const INET: u8 = 2;
/// Bytes of Ethernet and IPv4 header.
const FIXED: usize = 34;

/// The node's client-side device.
#[xdp]
fn balancer_xdp(ctx: XdpContext) -> u32 {
    let Some(headers) = read(&ctx) else {
        return XDP_PASS;
    };
    match balance(&mut Maps, &headers.flow) {
        Decision::Pass => XDP_PASS,
        Decision::Drop => XDP_DROP,
        Decision::Reject => reject(&ctx, &headers).unwrap_or(XDP_DROP),
        Decision::Forward(endpoint) => {
            let old = headers.flow.destination();
            let Some(()) = rewrite(&ctx, &headers, Side::Destination, &old, &endpoint) else {
                return XDP_DROP;
            };
            forward(&ctx, headers.flow.src, endpoint.addr).unwrap_or(XDP_PASS)
        }
    }
}

/// The node's backend-side device.
#[xdp]
fn balancer_xdp_reverse(ctx: XdpContext) -> u32 {
    let Some(headers) = read(&ctx) else {
        return XDP_PASS;
    };
    let Some(vip) = vip_of(&headers.flow) else {
        return XDP_PASS;
    };
    let old = Endpoint::new(headers.flow.src, headers.flow.src_port_be);
    let Some(()) = rewrite(&ctx, &headers, Side::Source, &old, &vip) else {
        return XDP_DROP;
    };
    forward(&ctx, vip.addr, headers.flow.dst).unwrap_or(XDP_PASS)
}

#[inline(always)]
fn read(ctx: &XdpContext) -> Option<Headers> {
    let (data, end) = (ctx.data(), ctx.data_end());
    Headers::parse(data, end, end - data)
}

/// # Safety
/// `at` was compared with the packet's end.
#[inline(always)]
unsafe fn put(at: usize, word: u16) {
    // SAFETY: as the caller promises.
    unsafe { *(at as *mut u16) = word };
}

#[inline(always)]
fn rewrite(ctx: &XdpContext, headers: &Headers, side: Side, old: &Endpoint<V4>, new: &Endpoint<V4>) -> Option<()> {
    let (data, end) = (ctx.data(), ctx.data_end());
    let transport = transport_at(data, headers.transport);
    let addresses = Change::NONE.address(old.addr, new.addr);
    let all = addresses.word(old.port_be, new.port_be);
    if data + FIXED > end {
        return None;
    }
    if headers.is_udp() {
        if transport + 8 > end {
            return None;
        }
        // SAFETY: compared above.
        unsafe { put(transport + 6, all.apply_udp(word(transport + 6))) };
    } else {
        if transport + 20 > end {
            return None;
        }
        // SAFETY: compared above.
        unsafe { put(transport + 16, all.apply(word(transport + 16))) };
    }
    let [first, second] = new.addr.words();
    // SAFETY: compared above.
    unsafe {
        put(transport + side.port(), new.port_be);
        put(data + IP_CHECKSUM, addresses.apply(word(data + IP_CHECKSUM)));
        put(data + side.address(), first);
        put(data + side.address() + 2, second);
    }
    Some(())
}

/// Sends the packet where the kernel routes it. `None` where the kernel's stack has to see it: no route or neighbour, time to live
/// over, too long.
#[inline(always)]
fn forward(ctx: &XdpContext, src: V4, dst: V4) -> Option<u32> {
    let (data, end) = (ctx.data(), ctx.data_end());
    if data + FIXED > end {
        return None;
    }
    // SAFETY: compared above.
    let (ttl, tos, length) = unsafe { (word(data + TTL), *((data + 15) as *const u8), u16::from_be(word(data + 16))) };
    if ttl.to_ne_bytes()[0] <= 1 {
        return None;
    }
    // SAFETY: integers only.
    let mut route: FibLookup = unsafe { zeroed() };
    route.family = INET;
    route.l4_protocol = ttl.to_ne_bytes()[1];
    route.__bindgen_anon_1.tot_len = length;
    route.__bindgen_anon_2.tos = tos;
    route.__bindgen_anon_3.ipv4_src = src.0;
    route.__bindgen_anon_4.ipv4_dst = dst.0;
    route.ifindex = ctx.ingress_ifindex() as u32;
    // SAFETY: the context's own pointer, and a structure of the size that is given.
    let found = unsafe { bpf_fib_lookup(ctx.as_ptr(), &raw mut route, size_of::<FibLookup>() as i32, 0) };
    if found != BPF_FIB_LKUP_RET_SUCCESS as i64 {
        return None;
    }
    let [left, protocol] = ttl.to_ne_bytes();
    let less = u16::from_ne_bytes([left - 1, protocol]);
    let (dst_mac, src_mac) = (mac_words(route.dmac), mac_words(route.smac));
    // SAFETY: compared above; the look-up does not move the packet.
    unsafe {
        put(data + TTL, less);
        put(data + IP_CHECKSUM, Change::NONE.word(ttl, less).apply(word(data + IP_CHECKSUM)));
        put(data, dst_mac[0]);
        put(data + 2, dst_mac[1]);
        put(data + 4, dst_mac[2]);
        put(data + 6, src_mac[0]);
        put(data + 8, src_mac[1]);
        put(data + 10, src_mac[2]);
        Some(bpf_redirect(route.ifindex, 0) as u32)
    }
}

/// Turns the packet into its rejection and sends it back.
#[inline(always)]
fn reject(ctx: &XdpContext, headers: &Headers) -> Option<u32> {
    let (data, end) = (ctx.data(), ctx.data_end());
    let rejection = headers.rejection(data, end, node()?, Maps.random() as u16)?.headers();
    let surplus = (end - data) as i32 - headers.quoted_end() as i32;
    // SAFETY: the context's own pointer; packet pointers are taken anew after the packet has moved.
    let moved =
        unsafe { bpf_xdp_adjust_tail(ctx.ctx, -surplus) == 0 && bpf_xdp_adjust_head(ctx.ctx, -(GROWTH as i32)) == 0 };
    let (data, end) = (ctx.data(), ctx.data_end());
    if !moved || data + HEADER_LEN > end {
        return None;
    }
    // SAFETY: compared above; the helper takes any index. Not `XDP_TX`: a veth wakes its peer after that only where the peer has an
    // XDP program of its own (drivers/net/veth.c, `veth_xdp_flush`).
    unsafe {
        *(data as *mut [u16; HEADER_WORDS]) = rejection;
        Some(bpf_redirect(ctx.ingress_ifindex() as u32, 0) as u32)
    }
}
