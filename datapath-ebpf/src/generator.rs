//! The packet generator: an XDP program run by `BPF_PROG_TEST_RUN` with live frames.

use aya_ebpf::bindings::xdp_action::{XDP_ABORTED, XDP_DROP};
use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::Array;
use aya_ebpf::programs::XdpContext;
use datapath_common::flow::{client_of, target_of};
use datapath_common::frame::{Header, build, mac_words, words_of};
use datapath_common::traffic::{
    Generated, GeneratorConfig, MAX_TARGETS, MOST_ABANDONED, PATIENCE_NS, STAMP_EVERY, Target,
};

use crate::packet::Packet;
use crate::probe::GATE;

#[map]
pub(crate) static GENERATOR: Array<GeneratorConfig> = Array::with_max_entries(1, 0);
#[map]
static GENERATED: Array<Generated> = Array::with_max_entries(1, 0);
#[map]
pub(crate) static TARGETS: Array<Target> = Array::with_max_entries(MAX_TARGETS, 0);

/// Writes the next packet of the order over the frame. Pages are recycled with what earlier runs and the kernel wrote into
/// them, so every byte is written.
#[xdp]
fn generator(ctx: XdpContext) -> u32 {
    generate(&ctx).unwrap_or(XDP_ABORTED)
}

#[inline(always)]
fn generate(ctx: &XdpContext) -> Option<u32> {
    // SAFETY: the context's own pointers, used once.
    let mut packet = unsafe { Packet::blank(ctx.data(), ctx.data_end()) }?;
    let config = GENERATOR.get(0)?;
    // SAFETY: one thread runs the generator at a time.
    let generated = unsafe { &mut *GENERATED.get_ptr_mut(0)? };
    if has_ended(config, generated)? || must_wait(config, generated)? {
        return Some(XDP_DROP);
    }
    let flow = config.first_flow + generated.cursor;
    let target = TARGETS.get(target_of(flow, config.seed, config.targets))?;
    generated.tag += 1;
    packet.write(&build(&header(config, target, flow, generated.tag)));
    advance(config, generated);
    Some(config.verdict)
}

#[inline(always)]
fn has_ended(config: &GeneratorConfig, generated: &mut Generated) -> Option<bool> {
    // SAFETY: an aligned load; the compiler may not keep it from one run to the next.
    let closed = unsafe { (*GATE.get_ptr(0)?).closed };
    if closed != 0 || generated.expired != 0 {
        return Some(true);
    }
    if generated.sent.is_multiple_of(STAMP_EVERY) {
        look_at_the_clock(config, generated);
    }
    Some(generated.expired != 0)
}

/// Whether the last packet is still on its way. A frame that is answered by `XDP_TX` is processed by a poll, which may be put off:
/// packets that queue up there would overwrite each other's slot at the entry.
#[inline(always)]
fn must_wait(config: &GeneratorConfig, generated: &mut Generated) -> Option<bool> {
    if config.paced == 0 {
        return Some(false);
    }
    // SAFETY: an aligned load; the compiler may not keep it from one run to the next.
    let left = unsafe { (*GATE.get_ptr(0)?).left };
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    if generated.sent != 0 && left != generated.tag && generated.abandoned < MOST_ABANDONED {
        if now.wrapping_sub(generated.handed_on_ns) < PATIENCE_NS {
            return Some(true);
        }
        generated.abandoned += 1;
    }
    generated.handed_on_ns = now;
    Some(false)
}

#[inline(always)]
fn look_at_the_clock(config: &GeneratorConfig, generated: &mut Generated) {
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    if generated.sent == 0 {
        generated.first_ns = now;
    }
    generated.last_ns = now;
    generated.stamped = generated.sent;
    generated.expired = (config.deadline_ns != 0 && now >= config.deadline_ns) as u64;
}

#[inline(always)]
fn header(config: &GeneratorConfig, target: &Target, flow: u64, tag: u64) -> Header {
    let (client, port) = client_of(flow, config.client_base);
    Header {
        dst_mac: mac_words(config.node_mac),
        src_mac: mac_words(config.client_mac),
        src_be: words_of(client.to_be()),
        dst_be: words_of(target.addr_be),
        src_port_be: port.to_be(),
        dst_port_be: target.port_be,
        segment: config.segment,
        tag,
    }
}

#[inline(always)]
fn advance(config: &GeneratorConfig, generated: &mut Generated) {
    generated.sent += 1;
    generated.cursor += 1;
    if generated.cursor >= config.flows {
        generated.cursor = 0;
    }
}
