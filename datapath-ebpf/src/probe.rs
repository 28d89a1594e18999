//! The probe: entry stores the time in a per-CPU slot, exit takes the difference.

use core::hint::black_box;

use aya_ebpf::bindings::{TC_ACT_OK, TC_ACT_SHOT, TC_ACT_UNSPEC};
use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_ktime_get_ns};
use aya_ebpf::macros::{classifier, map};
use aya_ebpf::maps::{Array, PerCpuArray};
use aya_ebpf::programs::TcContext;
use aya_log_ebpf::warn;
use datapath_common::histogram::{BUCKETS, bucket_index};
use datapath_common::probe::{AFTER_PASS, COUNT_ONLY, Counters, ProbeConfig, Record, Slot};
use datapath_common::traffic::Gate;

use crate::packet::Packet;

#[map]
static SLOT: PerCpuArray<Slot> = PerCpuArray::with_max_entries(1, 0);
#[map]
static PROBE: Array<ProbeConfig> = Array::with_max_entries(1, 0);
/// User space sizes it to the machine's CPUs.
#[map]
static RECORDS: Array<Record> = Array::with_max_entries(1, 0);
#[map]
pub(crate) static GATE: Array<Gate> = Array::with_max_entries(1, 0);

/// Ingress of the node's client-side device. Leaves the verdict to whatever comes next.
#[classifier]
fn probe_entry(ctx: TcContext) -> i32 {
    // SAFETY: the context's own pointers, used once.
    if let Some(packet) = unsafe { Packet::parse(ctx.data(), ctx.data_end()) }
        && let Some(slot) = SLOT.get_ptr_mut(0)
    {
        // SAFETY: this CPU's slot; a softirq is not interrupted by another one.
        unsafe {
            (*slot).tag = packet.tag();
            (*slot).t0 = bpf_ktime_get_ns();
        }
    }
    TC_ACT_UNSPEC
}

/// Egress of the node's backend-side device.
#[classifier]
fn probe_exit(ctx: TcContext) -> i32 {
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    leave(&ctx, now, true).unwrap_or(TC_ACT_OK)
}

/// Straight behind the entry program, at the same hook: what it measures is the probe itself.
#[classifier]
fn floor_exit(ctx: TcContext) -> i32 {
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    leave(&ctx, now, false).map_or(TC_ACT_OK, |_| TC_ACT_SHOT)
}

/// Counts a packet at the exit; `None` for one that is not the generator's.
#[inline(always)]
fn leave(ctx: &TcContext, now: u64, routed: bool) -> Option<i32> {
    // SAFETY: the context's own pointers, used once.
    let packet = unsafe { Packet::parse(ctx.data(), ctx.data_end()) }?;
    let config = PROBE.get(0)?;
    // SAFETY: this CPU's record; a softirq is not interrupted by another one.
    let record = unsafe { &mut *RECORDS.get_ptr_mut(bpf_get_smp_processor_id())? };
    if config.limit != 0 && record.counters.seen >= config.limit {
        return Some(TC_ACT_SHOT);
    }
    stamp(&mut record.counters, config, now);
    if routed && is_misdirected(&packet, config) {
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
    Some(if config.after == AFTER_PASS { TC_ACT_OK } else { TC_ACT_SHOT })
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
fn time(ctx: &TcContext, packet: &Packet<'_>, record: &mut Record, now: u64) -> Option<()> {
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
