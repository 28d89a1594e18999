//! The two ends of paced trials: an XDP program, run by `BPF_PROG_TEST_RUN` with live frames, that sends each packet at its intended time, and
//! a tc classifier that counts packets where they arrive. The schedule is `datapath_common::pace`'s.
//!
//! A packet's tag is its intended time, so that whoever meets it knows how late it is.
//!
//! An object of its own, committed as `pacer.bpf.o`: a change here leaves the probe, and so baselines, as they are. Helpers and map
//! types are those of Linux 5.15.
#![no_std]
#![no_main]
#![expect(unsafe_code, reason = "packets and map values are raw pointers here; the verifier checks every access again")]

mod arrival;
#[expect(dead_code, reason = "frames are written whole, and little of them is read")]
#[path = "../packet.rs"]
mod packet;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::xdp_action::{XDP_ABORTED, XDP_DROP};
use aya_ebpf::helpers::{bpf_ktime_get_ns, bpf_xdp_adjust_tail};
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::Array;
use aya_ebpf::programs::XdpContext;
use datapath_common::flow::{client_of, target_of};
use datapath_common::frame::{FRAME_LEN, FRAME_WORDS, Header, build, mac_words, words_of};
use datapath_common::histogram::{BUCKETS, bucket_index};
use datapath_common::pace::{Lengths, Mix, Next, Progress, Schedule, lengthen};
use datapath_common::traffic::{GeneratorConfig, MAX_TARGETS, Target};

use packet::Packet;

#[map]
static ORDER: Array<GeneratorConfig> = Array::with_max_entries(1, 0);
#[map]
static SCHEDULE: Array<Schedule> = Array::with_max_entries(1, 0);
#[map]
static PROGRESS: Array<Progress> = Array::with_max_entries(1, 0);
#[map]
static TARGETS: Array<Target> = Array::with_max_entries(MAX_TARGETS, 0);
#[map]
static LENGTHS: Array<Lengths> = Array::with_max_entries(1, 0);
#[map]
static MIX: Array<Mix> = Array::with_max_entries(1, 0);
/// Packets by how much later than intended they were handed on.
#[map]
static LAGS: Array<u64> = Array::with_max_entries(BUCKETS as u32, 0);

/// Looks at the clock in one run, so that a run that sends nothing is not over at once: user space counts on it when it says how often to
/// run.
const LOOKS: u32 = 64;

/// Writes the next packet of the order over the frame when its time has come, and sends nothing before. Pages are recycled with
/// what earlier runs and the kernel wrote into them, so every byte is written.
#[xdp]
fn pacer(ctx: XdpContext) -> u32 {
    pace(&ctx).unwrap_or(XDP_ABORTED)
}

#[inline(always)]
fn pace(ctx: &XdpContext) -> Option<u32> {
    let (order, schedule, lengths, mix) = (ORDER.get(0)?, SCHEDULE.get(0)?, LENGTHS.get(0)?, MIX.get(0)?);
    // SAFETY: one thread runs the generator at a time.
    let progress = unsafe { &mut *PROGRESS.get_ptr_mut(0)? };
    if progress.has_ended(schedule) {
        return Some(XDP_DROP);
    }
    let Some(now) = await_turn(progress) else {
        return Some(XDP_DROP);
    };
    let Some(lag) = progress.hand_on(schedule, now) else {
        return Some(XDP_DROP);
    };
    note(lag);
    let Next { flow, bytes, opens } = progress.take_turn(order.flows, mix, lengths);
    let flow = order.first_flow + flow;
    let segment = if opens { mix.new_segment } else { order.segment };
    let target = TARGETS.get(target_of(flow, order.seed, order.targets))?;
    let mut frame = build(&header(order, target, segment, flow, now - lag));
    if bytes as usize != FRAME_LEN {
        lengthen(&mut frame, segment, bytes);
    }
    write(ctx, &frame, bytes as i32 - lengths.buffer as i32)?;
    Some(order.verdict)
}

/// Writes the frame over the buffer, whose end moves by `difference` bytes; what is behind the frame has been zero since the page was made.
#[inline(always)]
fn write(ctx: &XdpContext, frame: &[u16; FRAME_WORDS], difference: i32) -> Option<()> {
    // SAFETY: the context is the program's own; no pointer into the packet is held.
    if difference != 0 && unsafe { bpf_xdp_adjust_tail(ctx.as_ptr().cast(), difference) } != 0 {
        return None;
    }
    // SAFETY: the context's own pointers, used once.
    unsafe { Packet::blank(ctx.data(), ctx.data_end()) }?.write(frame);
    Some(())
}

/// The time, once the next packet is due; `None` where it is not within this run.
#[inline(always)]
fn await_turn(progress: &mut Progress) -> Option<u64> {
    for _ in 0..LOOKS {
        // SAFETY: a helper without arguments.
        let now = unsafe { bpf_ktime_get_ns() };
        if now >= progress.due_ns(now) {
            return Some(now);
        }
    }
    None
}

#[inline(always)]
fn note(lag: u64) {
    if let Some(packets) = LAGS.get_ptr_mut(bucket_index(lag) as u32) {
        // SAFETY: one thread runs the generator at a time.
        unsafe { *packets += 1 };
    }
}

/// As the probe's generator writes it, with the intended time for a tag.
#[inline(always)]
fn header(order: &GeneratorConfig, target: &Target, segment: u32, flow: u64, intended_ns: u64) -> Header {
    let (client, port) = client_of(flow, order.client_base);
    Header {
        dst_mac: mac_words(order.node_mac),
        src_mac: mac_words(order.client_mac),
        src_be: words_of(client.to_be()),
        dst_be: words_of(target.addr_be),
        src_port_be: port.to_be(),
        dst_port_be: target.port_be,
        segment,
        tag: intended_ns,
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The kernel hands some helpers to GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
