//! The probe: entry stores the time in a per-CPU slot, exit takes the difference.

use core::hint::black_box;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::bindings::{TC_ACT_OK, TC_ACT_SHOT, TC_ACT_UNSPEC};
use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_ktime_get_ns};
use aya_ebpf::macros::{classifier, map, xdp};
use aya_ebpf::maps::{Array, PerCpuArray, ProgramArray};
use aya_ebpf::programs::{TcContext, XdpContext};
use aya_log_ebpf::warn;
use datapath_common::histogram::{BUCKETS, bucket_index};
use datapath_common::probe::{AFTER_PASS, COUNT_DECISIONS, COUNT_ONLY, Counters, ProbeConfig, Record, Slot};
use datapath_common::traffic::Gate;

use crate::decisions;
use crate::packet::Packet;

#[map]
static SLOT: PerCpuArray<Slot> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub(crate) static PROBE: Array<ProbeConfig> = Array::with_max_entries(1, 0);
/// User space sizes it to the machine's CPUs.
#[map]
static RECORDS: Array<Record> = Array::with_max_entries(1, 0);
#[map]
pub(crate) static GATE: Array<Gate> = Array::with_max_entries(1, 0);

/// What runs behind the entry of the XDP bracket: the load balancer, or for the floor its exit. Empty for plain routing.
#[map]
static BALANCER: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// Ingress of the node's client-side device. Leaves the verdict to whatever comes next.
#[classifier]
fn probe_entry(ctx: TcContext) -> i32 {
    enter(ctx.data(), ctx.data_end());
    TC_ACT_UNSPEC
}

/// XDP of the node's client-side device: the entry of the XDP bracket. The load balancer takes over, where there is one.
#[xdp]
fn probe_entry_xdp(ctx: XdpContext) -> u32 {
    enter(ctx.data(), ctx.data_end());
    // SAFETY: the map holds XDP programs only. The call returns where it holds none.
    let _ = unsafe { BALANCER.tail_call(&ctx, 0) };
    XDP_PASS
}

/// Stores the packet's tag, then the time.
#[inline(always)]
fn enter(data: usize, data_end: usize) {
    // SAFETY: both callers hand over their context's own pointers, and use them once.
    if let Some(packet) = unsafe { Packet::parse(data, data_end) }
        && let Some(slot) = SLOT.get_ptr_mut(0)
    {
        // SAFETY: this CPU's slot; a softirq is not interrupted by another one.
        unsafe {
            (*slot).tag = packet.tag();
            (*slot).t0 = bpf_ktime_get_ns();
        }
    }
}

/// Egress of the node's backend-side device.
#[classifier]
fn probe_exit(ctx: TcContext) -> i32 {
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    match leave(&ctx, ctx.data(), ctx.data_end(), now, true) {
        Some(Leaves::Ends) => TC_ACT_SHOT,
        Some(Leaves::GoesOn) | None => TC_ACT_OK,
    }
}

/// Ingress of the backend-side device's peer: the exit of the XDP bracket. The responder stands behind it.
#[classifier]
fn probe_exit_peer(ctx: TcContext) -> i32 {
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    match leave(&ctx, ctx.data(), ctx.data_end(), now, true) {
        Some(Leaves::Ends) => TC_ACT_SHOT,
        Some(Leaves::GoesOn) | None => TC_ACT_UNSPEC,
    }
}

/// Straight behind the entry program, at the same hook: what it measures is the probe itself.
#[classifier]
fn floor_exit(ctx: TcContext) -> i32 {
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    leave(&ctx, ctx.data(), ctx.data_end(), now, false).map_or(TC_ACT_OK, |_| TC_ACT_SHOT)
}

/// The same for the XDP bracket: the entry's tail call goes here.
#[xdp]
fn floor_exit_xdp(ctx: XdpContext) -> u32 {
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    leave(&ctx, ctx.data(), ctx.data_end(), now, false).map_or(XDP_PASS, |_| XDP_DROP)
}

/// What becomes of a packet at the exit.
enum Leaves {
    Ends,
    GoesOn,
}

/// Counts a packet at the exit; `None` for one that is not the generator's. `data` and `data_end` are the context's own.
#[inline(always)]
fn leave<C: EbpfContext>(ctx: &C, data: usize, data_end: usize, now: u64, routed: bool) -> Option<Leaves> {
    // SAFETY: as the callers promise; nothing else refers to the packet.
    let packet = unsafe { Packet::parse(data, data_end) }?;
    let config = PROBE.get(0)?;
    // SAFETY: this CPU's record; a softirq is not interrupted by another one.
    let record = unsafe { &mut *RECORDS.get_ptr_mut(bpf_get_smp_processor_id())? };
    if config.limit != 0 && record.counters.seen >= config.limit {
        return Some(Leaves::Ends);
    }
    stamp(&mut record.counters, config, now);
    if config.count == COUNT_DECISIONS {
        decisions::left(&packet);
    } else if routed && is_misdirected(&packet, config) {
        record.counters.misdirected += 1;
        if record.counters.misdirected.is_power_of_two() {
            warn!(
                ctx,
                "exit: {} packets misdirected, the last to {:i}",
                record.counters.misdirected,
                u32::from_be(packet.dst_be())
            );
        }
    } else if config.count != COUNT_ONLY {
        time(ctx, &packet, record, now)?;
    }
    tell_generator(config, packet.tag());
    Some(if config.after == AFTER_PASS { Leaves::GoesOn } else { Leaves::Ends })
}

/// A paced generator waits for it. At saturation, which has a limit, the two run on different CPUs, and would pass the line of the
/// cache to and fro.
#[inline(always)]
fn tell_generator(config: &ProbeConfig, tag: u64) {
    if config.limit == 0
        && let Some(gate) = GATE.get_ptr_mut(0)
    {
        // SAFETY: an aligned store; one packet is on its way at a time.
        unsafe { (*gate).left = tag };
    }
}

#[inline(always)]
fn stamp(counters: &mut Counters, config: &ProbeConfig, now: u64) {
    if counters.seen == 0 {
        counters.first_ns = now;
    }
    counters.last_ns = now;
    counters.seen += 1;
    if config.limit != 0
        && counters.seen == config.limit
        && let Some(gate) = GATE.get_ptr_mut(0)
    {
        // SAFETY: an aligned store of a word that only turns from 0 to 1 while a measurement lasts.
        unsafe { (*gate).closed = 1 };
    }
}

#[inline(always)]
fn is_misdirected(packet: &Packet<'_>, config: &ProbeConfig) -> bool {
    packet.dst_be() & config.pod_mask_be != config.pod_network_be || packet.dst_port_be() != config.pod_port_be
}

#[inline(always)]
fn time<C: EbpfContext>(ctx: &C, packet: &Packet<'_>, record: &mut Record, now: u64) -> Option<()> {
    let slot = SLOT.get_ptr_mut(0)?;
    // SAFETY: this CPU's slot, as in the entry program.
    let slot = unsafe { &mut *slot };
    let tag = packet.tag();
    if slot.tag != tag || tag == 0 {
        record.counters.mismatched += 1;
        if record.counters.mismatched.is_power_of_two() {
            warn!(
                ctx,
                "exit: {} packets mismatched, the last has tag {}, the slot {}",
                record.counters.mismatched,
                tag,
                slot.tag
            );
        }
        return Some(());
    }
    slot.tag = 0;
    add(record, now.wrapping_sub(slot.t0));
    Some(())
}

#[inline(always)]
fn add(record: &mut Record, delta: u64) {
    // The verifier cannot follow the logarithm; behind the black box the compiler cannot drop the check that it can follow.
    let index = black_box(bucket_index(delta));
    if index >= BUCKETS {
        return;
    }
    // SAFETY: checked above.
    unsafe { *record.buckets.get_unchecked_mut(index) += 1 };
    let counters = &mut record.counters;
    counters.measured += 1;
    if delta < counters.min {
        counters.min = delta;
    }
    if delta > counters.max {
        counters.max = delta;
    }
}
