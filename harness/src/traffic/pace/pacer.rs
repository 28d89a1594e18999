//! The paced generator, loaded: one trial a call.

use std::os::fd::AsFd;
use std::time::Duration;

use aya::maps::{Array, Map, MapData, MapError};
use aya::programs::Xdp;
use aya::{Ebpf, EbpfLoader, Pod};
use datapath_common::histogram::BUCKETS;
use datapath_common::pace::{FRACTION_BITS, Lengths, MOST_LENGTHS, Progress, Schedule};
use datapath_common::traffic::GeneratorConfig;
use hdrhistogram::Histogram;

use super::super::TrafficError;
use super::super::live::Frames;
use super::super::order::{TrafficOrder, aya_xdp};
use super::mixed::Offered;
use crate::net::{Link, NetNs};
use crate::probe::{ProbeError, histogram, xdp};
use crate::result::PacketSize;
use crate::sys::bpf_batch::{Shape, read_all, update};

/// Built by `cargo xtask ebpf` from `datapath-ebpf`.
pub(super) static OBJECT: &[u8] = aya::include_bytes_aligned!("../../../../datapath-ebpf/pacer.bpf.o");
const PROGRAM: &str = "pacer";
const LAGS: &str = "LAGS";

/// Frames wait in the kernel until their batch is through, so a batch is no longer than this at the rate that is asked for: it bounds
/// how many packets come at once.
const BATCH_NS: f64 = 10_000.0;
/// Frames a batch at the most: as many as a veth's receive poll takes.
const MOST_BATCH: u32 = 64;
/// More packets a second than it can send: where it is to send as fast as it goes.
const UNREACHABLE: f64 = 12_000_000.0;
/// A run of the generator that sends nothing takes at least this long: 64 looks at the clock.
const IDLE_RUN_NS: u128 = 500;
/// How far packets may be behind their intended times, ns: as long as a packet may be on its way when sending ends, since a node near its capacity
/// never makes up for a sender that was held up. Interrupts, and a hypervisor that takes the CPU, do that as long.
const LAG_BOUND_NS: u64 = 500_000;
/// The bound where packets are timed, at any rate: a lag is part of what is timed.
pub const TIMED_LAG_BOUND: Duration = Duration::from_micros(200);

/// How packets of a trial are handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// In short batches: as much as the generator can.
    Batches,
    /// Each at its own time: none waits in the generator for others.
    OneByOne,
}

/// What is offered in a trial.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer {
    /// Packets a second; infinite for as many as it can.
    pub(super) load: f64,
    /// For how long.
    pub(super) duration: Duration,
    /// How.
    pub(super) manner: Manner,
}

/// A generator that sends packets at intended times.
#[derive(Debug)]
pub(super) struct Pacer {
    ebpf: Ebpf,
    /// Bytes of the longest packet.
    buffer: usize,
}

/// What a generator did in a trial.
#[derive(Debug)]
pub(super) struct Sent {
    /// Packets that it was to send.
    pub(super) planned: u64,
    /// Packets that it sent.
    pub(super) offered: u64,
    /// From the first intended time to the end of sending.
    pub(super) duration: Duration,
    /// The end of sending, by the kernel's monotonic clock, ns.
    pub(super) ended_ns: u64,
    /// Packets later than the bound.
    pub(super) late: u64,
    /// How late each was, ns.
    pub(super) lag: Histogram<u64>,
}

impl Pacer {
    /// Loads the generator with the targets of an order, and the flows and the size to make its packets by.
    pub(super) fn load(order: &TrafficOrder, offered: Offered, size: PacketSize) -> Result<Self, TrafficError> {
        let lengths = lengths(size);
        let loaded = EbpfLoader::new().btf(None).load(OBJECT).map_err(|error| ProbeError::Load(Box::new(error)))?;
        let mut pacer = Self { ebpf: loaded, buffer: lengths.buffer as usize };
        let refused = |source| ProbeError::Program { action: "load", program: PROGRAM, source: Box::new(source) };
        xdp(&mut pacer.ebpf, PROGRAM)?.load().map_err(refused)?;
        for (index, target) in (0..).zip(order.table()) {
            pacer.set("TARGETS", index, target)?;
        }
        pacer.set("LENGTHS", 0, lengths)?;
        pacer.set("ORDER", 0, GeneratorConfig { verdict: aya_xdp::TX, ..offered.config })?;
        pacer.set("MIX", 0, offered.mix)?;
        Ok(pacer)
    }

    /// Sends what is offered out of `device` in `namespace`.
    pub(super) fn send(&mut self, namespace: &NetNs, device: &Link, offer: &Offer) -> Result<Sent, TrafficError> {
        let duration = offer.duration;
        let plan = schedule(offer);
        self.prepare(plan)?;
        let (packets, batch) = (runs(plan.packets, duration), batch(offer));
        let frames = Frames { device, packets, batch, bytes: self.buffer };
        {
            let _inside = namespace.enter()?;
            frames.send(self.program()?)?;
        }
        let progress: Progress = self.progress()?;
        let duration = sending_time(&plan, &progress, duration);
        Ok(Sent {
            planned: plan.packets,
            offered: progress.sent,
            duration,
            ended_ns: progress.first_ns + u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2),
            late: progress.late,
            lag: self.lag()?,
        })
    }

    /// Winds everything back but the cycles of flows, so that no new flow of a trial is one of the trial before.
    fn prepare(&mut self, schedule: Schedule) -> Result<(), ProbeError> {
        let Progress { cursor, new_cursor, .. } = self.progress()?;
        self.set("PROGRESS", 0, Progress { cursor, new_cursor, ..Progress::default() })?;
        self.set("SCHEDULE", 0, schedule)?;
        let (keys, zeros): (Vec<u32>, Vec<u64>) = (0..BUCKETS as u32).map(|key| (key, 0)).unzip();
        update(self.lags()?.fd().as_fd(), LAG_SHAPE, &keys, &zeros).map_err(of_lags)
    }

    fn program(&mut self) -> Result<&Xdp, ProbeError> {
        Ok(xdp(&mut self.ebpf, PROGRAM)?)
    }

    fn progress(&self) -> Result<Progress, ProbeError> {
        let name = "PROGRESS";
        let map = self.ebpf.map(name).ok_or(ProbeError::Missing { kind: "map", name })?;
        let read = Array::<_, Progress>::try_from(map).and_then(|array| array.get(&0, 0));
        read.map_err(|source| ProbeError::Map { map: name, source })
    }

    fn lag(&self) -> Result<Histogram<u64>, ProbeError> {
        let buckets: Vec<(u32, u64)> = read_all(self.lags()?.fd().as_fd(), LAG_SHAPE).map_err(of_lags)?;
        histogram(buckets.into_iter().map(|(index, packets)| (index as usize, packets)))
    }

    fn lags(&self) -> Result<&MapData, ProbeError> {
        match self.ebpf.map(LAGS) {
            Some(Map::Array(map)) => Ok(map),
            _ => Err(ProbeError::Missing { kind: "map", name: LAGS }),
        }
    }

    fn set<V: Pod>(&mut self, name: &'static str, index: u32, value: V) -> Result<(), ProbeError> {
        let map = self.ebpf.map_mut(name).ok_or(ProbeError::Missing { kind: "map", name })?;
        let written = Array::<_, V>::try_from(map).and_then(|mut array| array.set(index, value, 0));
        written.map_err(|source| ProbeError::Map { map: name, source })
    }
}

const LAG_SHAPE: Shape = Shape { key_size: 4, value_size: 8 };

fn of_lags(source: std::io::Error) -> ProbeError {
    ProbeError::Map { map: LAGS, source: MapError::IoError(source) }
}

/// The lengths of packets, for the generator.
fn lengths(size: PacketSize) -> Lengths {
    let (mut bytes, cycle) = ([0; MOST_LENGTHS], size.cycle());
    bytes.iter_mut().zip(&cycle).for_each(|(slot, length)| *slot = *length);
    let buffer = cycle.iter().copied().max().map_or(0, u32::from);
    Lengths { count: cycle.len().min(MOST_LENGTHS) as u32, buffer, bytes }
}

/// The trial's schedule. It may last a twentieth and a millisecond longer than planned before what is left is given up.
fn schedule(offer: &Offer) -> Schedule {
    let Offer { load, duration, manner } = *offer;
    let patience_ns = duration.as_nanos() as u64 + duration.as_nanos() as u64 / 20 + 1_000_000;
    if load.is_infinite() {
        let packets = (UNREACHABLE * duration.as_secs_f64()) as u64;
        return Schedule { packets, period: 0, lag_bound_ns: u64::MAX, patience_ns: duration.as_nanos() as u64 };
    }
    let period_ns = 1e9 / load;
    Schedule {
        packets: (load * duration.as_secs_f64()).round().max(1.0) as u64,
        period: (period_ns * f64::from(1 << FRACTION_BITS)).round() as u64,
        lag_bound_ns: match manner {
            Manner::Batches => LAG_BOUND_NS,
            Manner::OneByOne => TIMED_LAG_BOUND.as_nanos() as u64,
        },
        patience_ns,
    }
}

/// Runs of the generator that surely cover a trial; those behind its end cost little.
fn runs(packets: u64, duration: Duration) -> u32 {
    let idle = u64::try_from(duration.as_nanos() * 11 / 10 / IDLE_RUN_NS).unwrap_or(u64::MAX);
    u32::try_from(packets.saturating_add(idle)).unwrap_or(u32::MAX)
}

fn batch(offer: &Offer) -> u32 {
    match offer.manner {
        Manner::Batches => ((offer.load * BATCH_NS / 1e9) as u32).clamp(1, MOST_BATCH),
        Manner::OneByOne => 1,
    }
}

/// A trial that kept its schedule lasted as long as was asked; else until its last packet.
fn sending_time(plan: &Schedule, progress: &Progress, asked: Duration) -> Duration {
    let sent = Duration::from_nanos(progress.last_ns.saturating_sub(progress.first_ns));
    if progress.sent == plan.packets { sent.max(asked) } else { sent }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENTH: Duration = Duration::from_millis(100);

    fn batches(load: f64) -> Offer {
        Offer { load, duration: TENTH, manner: Manner::Batches }
    }

    #[test]
    fn a_schedule_holds_the_load_and_bounds_the_burst_after_a_stall() {
        let plan = schedule(&batches(300_000.0));
        assert_eq!(plan.packets, 30_000);
        // 3,333.3 ns between packets, in 2^-20 ns.
        assert_eq!(plan.period, 3_495_253_333);
        assert_eq!((plan.lag_bound_ns, plan.patience_ns), (500_000, 106_000_000));
        assert_eq!(schedule(&batches(5e6)).lag_bound_ns, 500_000);
        let flood = schedule(&batches(f64::INFINITY));
        assert_eq!((flood.packets, flood.period), (1_200_000, 0));
        // Timed packets are of the same schedule, and less late.
        let timed = schedule(&Offer { manner: Manner::OneByOne, ..batches(300_000.0) });
        assert_eq!(timed, Schedule { lag_bound_ns: 200_000, ..plan });
    }

    #[test]
    fn a_call_is_long_enough_and_bounded() {
        assert_eq!(runs(30_000, TENTH), 30_000 + 220_000);
        assert_eq!(runs(u64::MAX, TENTH), u32::MAX);
    }

    #[test]
    fn the_buffer_holds_the_longest_packet() {
        let imix = lengths(PacketSize::Imix);
        assert_eq!(
            (imix.count, imix.buffer, imix.bytes.iter().filter(|bytes| **bytes == 1_514).count()),
            (12, 1_514, 1)
        );
        assert_eq!((lengths(PacketSize::default()).count, lengths(PacketSize::default()).buffer), (1, 64));
    }

    #[test]
    fn batches_are_short() {
        let loads = [50_000.0, 300_000.0, 1e6, 1e8, f64::INFINITY];
        assert_eq!(loads.map(|load| batch(&batches(load))), [1, 3, 10, 64, 64]);
        assert_eq!(batch(&Offer { manner: Manner::OneByOne, ..batches(1e6) }), 1);
    }

    #[test]
    fn a_kept_schedule_lasts_as_long_as_asked() {
        let plan = schedule(&batches(10.0));
        let kept = Progress { sent: plan.packets, first_ns: 5, last_ns: 5, ..Progress::default() };
        assert_eq!(sending_time(&plan, &kept, TENTH), TENTH);
        let slow = Progress { sent: 0, last_ns: 1_005, ..kept };
        assert_eq!(sending_time(&plan, &slow, TENTH), Duration::from_micros(1));
    }
}
