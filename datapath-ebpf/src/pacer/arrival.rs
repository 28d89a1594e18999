//! Where paced packets arrive: counted, timed against their intended times, and gone.

use core::hint::black_box;

use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC};
use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_ktime_get_ns};
use aya_ebpf::macros::{classifier, map};
use aya_ebpf::maps::Array;
use aya_ebpf::programs::TcContext;
use datapath_common::histogram::{BUCKETS, bucket_index};
use datapath_common::pace::{ArrivalConfig, LET_THROUGH, TIMED};
use datapath_common::probe::Record;

use crate::packet::Packet;

#[map]
static ARRIVAL: Array<ArrivalConfig> = Array::with_max_entries(1, 0);
/// What arrived on each CPU, as the probe's exit records it. User space sizes it to the machine's CPUs.
#[map]
static ARRIVED: Array<Record> = Array::with_max_entries(1, 0);

/// Ingress of the pods' device: takes what the generator sent, and leaves everything else alone.
#[classifier]
fn arrival(ctx: TcContext) -> i32 {
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    if arrive(ctx.data(), ctx.data_end(), now).is_some() { TC_ACT_SHOT } else { TC_ACT_UNSPEC }
}

/// Counts a packet; `None` for one that is not the generator's, or is to go on. `data` and `data_end` are the context's own.
#[inline(always)]
fn arrive(data: usize, data_end: usize, now: u64) -> Option<()> {
    // SAFETY: as the caller promises; nothing else refers to the packet.
    let packet = unsafe { Packet::parse(data, data_end) }?;
    let config = ARRIVAL.get(0)?;
    if config.timing == LET_THROUGH {
        return None;
    }
    // SAFETY: this CPU's record; a softirq is not interrupted by another one.
    let record = unsafe { &mut *ARRIVED.get_ptr_mut(bpf_get_smp_processor_id())? };
    let counters = &mut record.counters;
    if counters.seen == 0 {
        counters.first_ns = now;
    }
    counters.last_ns = now;
    counters.seen += 1;
    let intended = packet.tag();
    if config.is_elsewhere(packet.dst_be(), packet.dst_port_be()) {
        counters.misdirected += 1;
    } else if intended < config.since_ns {
        counters.mismatched += 1;
    } else if config.timing == TIMED {
        add(record, now.saturating_sub(intended));
    }
    Some(())
}

#[inline(always)]
fn add(record: &mut Record, latency: u64) {
    // The verifier cannot follow the logarithm; behind the black box the compiler cannot drop the check that it can follow.
    let index = black_box(bucket_index(latency));
    if index >= BUCKETS {
        return;
    }
    // SAFETY: checked above.
    unsafe { *record.buckets.get_unchecked_mut(index) += 1 };
    let counters = &mut record.counters;
    counters.measured += 1;
    counters.min = counters.min.min(latency);
    counters.max = counters.max.max(latency);
}
