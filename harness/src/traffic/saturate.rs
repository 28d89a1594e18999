//! Rates: more packets than the node can take, from the client's end of the veth.
//!
//! Live frames that go straight into the node's stack run to completion and are never lost. So the generator sends them out of
//! the client's device (`XDP_TX`), the node's end takes them from a ring in a thread on another CPU, and what it cannot take is
//! dropped at the ring.

use std::time::Duration;

use datapath_common::frame::FRAME_LEN;
use datapath_common::probe::{AFTER_DROP, COUNT_ONLY};
use datapath_common::traffic::{Generated, GeneratorConfig};

use super::live::{Frames, generator};
use super::napi::{Urgency, on_two_cpus};
use super::order::aya_xdp;
use super::{TrafficError, TrafficOrder, established, monotonic_ns, room};
use crate::probe::{Instrument, Tally};
use crate::result::Flow;

/// Frames a batch: as many as a veth's receive poll takes.
const BATCH: u32 = 64;
/// More packets a second than the generator offers; bounds a call that neither limit nor deadline would end.
const MOST_PPS: u64 = 12_000_000;

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Packets at the exit. New flows take a conntrack entry each: stay below the table's size.
    pub forwarded: u64,
    /// Time of sending.
    pub duration: Duration,
}

/// What an overloaded node forwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Saturation {
    /// Packets that the generator put on the client's device.
    pub offered: u64,
    /// Packets counted at the exit, up to the limit.
    pub forwarded: u64,
    /// Offered packets a second.
    pub offered_pps: f64,
    /// Forwarded packets a second, between the first and the last at the exit.
    pub forwarded_pps: f64,
    /// Of the forwarded ones, those for another destination than the pods.
    pub misdirected: u64,
}

impl Instrument {
    /// Overloads the node with the order's flows until a limit is reached. `order.packets` counts for established flows only;
    /// new ones go on from `first_flow`, and may use as many numbers as packets were offered ([`Saturation::offered`]).
    ///
    /// # Errors
    /// [`TrafficError`]; [`TrafficError::OneCpu`] where sender and node would share a CPU.
    pub fn saturate(&mut self, order: &TrafficOrder, limit: Limit) -> Result<Saturation, TrafficError> {
        let packets = most_packets(limit.duration);
        let flows = if order.flow == Flow::New { u64::from(packets) } else { order.flows() };
        order.validate(flows)?;
        room::check(&self.node, if order.flow == Flow::New { limit.forwarded } else { flows })?;
        self.aim(order)?;
        let config = match order.flow {
            Flow::New => order.config(flows, &self.client_link, &self.node_client_link),
            Flow::Established => established::open(self, order)?,
        };
        self.arm(AFTER_DROP, COUNT_ONLY, limit.forwarded)?;
        let deadline_ns = monotonic_ns() + limit.duration.as_nanos() as u64;
        let config = GeneratorConfig { verdict: aya_xdp::TX, deadline_ns, ..config };
        self.load_generator(config)?;
        self.send_to_other_cpu(packets)?;
        let generated = self.get("GENERATED")?;
        Ok(saturation(&generated, &self.tally()?))
    }

    fn send_to_other_cpu(&mut self, packets: u32) -> Result<(), TrafficError> {
        let Self { ebpf, client, node, client_link, node_client_link, .. } = self;
        on_two_cpus(node, node_client_link, Urgency::Shared, |_| {
            let _inside = client.enter()?;
            Frames { device: client_link, packets, batch: BATCH, bytes: FRAME_LEN }.send(generator(ebpf)?)
        })
    }
}

/// Flow numbers that a saturation of `duration` can take at the most.
#[must_use]
pub const fn most_flows(duration: Duration) -> u64 {
    duration.as_millis() as u64 * (MOST_PPS / 1_000)
}

fn most_packets(duration: Duration) -> u32 {
    let packets = duration.as_micros().saturating_mul(u128::from(MOST_PPS)) / 1_000_000;
    u32::try_from(packets).unwrap_or(u32::MAX).max(1)
}

fn saturation(generated: &Generated, tally: &Tally) -> Saturation {
    let counters = &tally.counters;
    Saturation {
        offered: generated.sent,
        forwarded: counters.seen,
        offered_pps: rate(generated.stamped, generated.first_ns, generated.last_ns),
        forwarded_pps: rate(counters.seen.saturating_sub(1), counters.first_ns, counters.last_ns),
        misdirected: counters.misdirected,
    }
}

/// Packets a second; 0 without an interval.
fn rate(packets: u64, first_ns: u64, last_ns: u64) -> f64 {
    let elapsed = last_ns.saturating_sub(first_ns);
    if elapsed == 0 { 0.0 } else { packets as f64 * 1e9 / elapsed as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_packets_over_seconds() {
        assert_eq!(rate(500, 1_000, 501_000), 1e6);
        assert_eq!(rate(500, 1_000, 1_000), 0.0);
    }

    #[test]
    fn a_call_is_bounded() {
        assert_eq!(most_packets(Duration::from_millis(500)), 6_000_000);
        assert_eq!(most_packets(Duration::from_secs(1_000_000)), u32::MAX);
        assert_eq!(most_packets(Duration::ZERO), 1);
    }
}
