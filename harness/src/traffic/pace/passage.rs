//! What became of the packets of a paced trial. Pure.

use std::time::Duration;

use curve_stats::search::{OutcomeError, Pace, TrialOutcome};
use hdrhistogram::Histogram;

/// One paced trial: what was offered is what arrived and what was lost, place by place.
#[derive(Debug, Clone)]
pub struct Passage {
    /// Packets a second that were asked for.
    pub load: f64,
    /// Packets that the trial was to have.
    pub planned: u64,
    /// Packets that the generator handed to the client's device. The rest of the plan was never sent, and is not lost.
    pub offered: u64,
    /// Packets that arrived in the pods' namespace, for a pod, while they were sent or at once.
    pub carried: u64,
    /// Packets that arrived there when sending had ended: they stood in a queue that only grew, as far as it was long enough to hold them.
    pub queued: u64,
    /// Packets that arrived there for another destination.
    pub misdirected: u64,
    /// Packets that found the ring of the node's client-side device full.
    pub at_ring: u64,
    /// Packets that the node took and did not send on: its hooks, its stack, a full connection table.
    pub in_node: u64,
    /// Packets that found the ring of the pods' device full.
    pub at_egress: u64,
    /// From the first intended time to the end of sending.
    pub duration: Duration,
    /// From the end of sending to the last arrival.
    pub standing: Duration,
    /// CPU time of the node's receive thread, from before the first packet until nothing moved any more, ns.
    pub receive_ns: u64,
    /// CPU time of `ksoftirqd` on the same CPU meanwhile, ns.
    pub ksoftirqd_ns: u64,
    /// Entries in the node's connection table afterwards.
    pub conntrack_entries: u64,
    /// Packets that were handed on later than the bound on the generator's lag.
    pub late: u64,
    /// How much later than intended packets were handed on, ns.
    pub lag: Histogram<u64>,
}

/// A paced trial whose packets were timed.
#[derive(Debug, Clone)]
pub struct Timed {
    /// What became of them.
    pub passage: Passage,
    /// From each packet's intended time to its arrival in the pods' namespace, ns: of all that arrived.
    pub latency: Histogram<u64>,
    /// The exact maximum, ns; 0 where none arrived.
    pub max_ns: u64,
}

/// How long after the end of sending a packet may be on its way through a node that keeps up: it is woken, and has the last batch before it.
/// Half a per cent of a trial of 100 ms: by so much a rate may be too high, or by [`LIST`] packets where those take longer.
const ON_ITS_WAY: Duration = Duration::from_micros(500);
/// Packets that pass the stack's hooks as one list, so that none comes out before the last of them went in: `net.core.gro_normal_batch`, 8 by default
/// (net/core/dev.c, `gro_normal_one()`).
const LIST: f64 = 8.0;

/// Of so many packets that arrived, those that did while packets were sent for `duration`, and those that came out of a queue for `standing` after it.
///
/// A ring of 256 packets empties into the count when sending ends. To a node that carries 6,000 packets a second those are as many as it carries in
/// 40 ms: of a trial of 100 ms, it would be said to carry 8,600. A node that has a queue is never idle, and its packets come out evenly.
pub(super) fn in_time(arrived: u64, duration: Duration, standing: Duration) -> (u64, u64) {
    if arrived == 0 || standing <= ON_ITS_WAY {
        return (arrived, 0);
    }
    let each = (duration + standing).as_secs_f64() / arrived as f64;
    let beyond = standing.as_secs_f64() - ON_ITS_WAY.as_secs_f64().max(LIST * each);
    let queued = ((beyond / each).round().max(0.0) as u64).min(arrived);
    (arrived - queued, queued)
}

impl Passage {
    /// Packets that arrived where they should, sooner or later.
    #[must_use]
    pub fn arrived(&self) -> u64 {
        self.carried + self.queued
    }

    /// Packets that the generator did not send in time.
    #[must_use]
    pub fn unsent(&self) -> u64 {
        self.planned.saturating_sub(self.offered)
    }

    /// Offered packets that did not arrive where they should, or not in time.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.offered.saturating_sub(self.carried)
    }

    /// What remains of the offered packets when all that arrived or was located is taken away. Less than nothing where something was
    /// counted twice.
    #[must_use]
    pub fn unexplained(&self) -> i64 {
        let located = self.arrived() + self.misdirected + self.at_ring + self.in_node + self.at_egress;
        self.offered.cast_signed() - located.cast_signed()
    }

    /// Whether the generator kept its rate: it sent everything, and nothing much too late.
    #[must_use]
    pub fn pace(&self) -> Pace {
        if self.unsent() == 0 && self.late == 0 { Pace::Kept } else { Pace::Missed }
    }

    /// Whether the generator sent everything, but some of it much too late: something else had its CPU for a moment.
    #[must_use]
    pub fn was_held_up(&self) -> bool {
        self.unsent() == 0 && self.late > 0
    }

    /// What a search is told.
    ///
    /// # Errors
    /// [`OutcomeError`]: nothing was offered, or more arrived than was offered.
    pub fn outcome(&self) -> Result<TrialOutcome, OutcomeError> {
        let (offered, forwarded) = (self.offered, self.arrived());
        if offered > 0 && forwarded > offered {
            return Err(OutcomeError::MoreThanOffered { offered, forwarded });
        }
        TrialOutcome::new(self.offered, self.carried, self.duration, self.pace())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage() -> Passage {
        Passage {
            load: 1e5,
            planned: 10_000,
            offered: 10_000,
            carried: 5_744,
            queued: 256,
            misdirected: 1,
            at_ring: 3_000,
            in_node: 900,
            at_egress: 99,
            duration: Duration::from_millis(100),
            standing: Duration::from_millis(5),
            receive_ns: 40_000_000,
            ksoftirqd_ns: 0,
            conntrack_entries: 6_000,
            late: 0,
            lag: Histogram::new(3).unwrap(),
        }
    }

    #[test]
    fn every_offered_packet_is_somewhere() {
        let whole = passage();
        assert_eq!((whole.unexplained(), whole.lost(), whole.unsent()), (0, 4_256, 0));
        assert_eq!(Passage { at_ring: 2_990, ..passage() }.unexplained(), 10);
        assert_eq!(Passage { at_egress: 100, ..passage() }.unexplained(), -1);
    }

    /// 6,000 a second carry 600 in a tenth of a second, and then the ring is empty after 43 ms.
    #[test]
    fn what_stood_in_a_queue_is_not_carried() {
        let (tenth, us) = (Duration::from_millis(100), Duration::from_micros);
        assert_eq!(in_time(856, tenth, us(42_667)), (608, 248));
        assert_eq!(in_time(856, tenth, us(500)), (856, 0));
        // A list of eight takes 1.3 ms at that rate.
        assert_eq!(in_time(604, tenth, us(1_300)), (604, 0));
        // At 100,000 a second 256 take 2.5 ms.
        assert_eq!(in_time(10_256, tenth, us(2_560)), (10_050, 206));
        assert_eq!(in_time(856, tenth, Duration::ZERO), (856, 0));
        assert_eq!(in_time(0, tenth, Duration::from_secs(2)), (0, 0));
        assert_eq!(in_time(9, Duration::ZERO, Duration::ZERO), (9, 0));
    }

    #[test]
    fn a_sender_that_did_not_keep_its_rate_makes_no_valid_trial() {
        assert_eq!(passage().pace(), Pace::Kept);
        let held_up = Passage { late: 1, ..passage() };
        assert_eq!((held_up.pace(), held_up.was_held_up()), (Pace::Missed, true));
        let slow = Passage { planned: 20_000, ..passage() };
        assert_eq!((slow.pace(), slow.unsent(), slow.lost()), (Pace::Missed, 10_000, 4_256));
        assert!(!slow.was_held_up());
        assert_eq!(slow.outcome().unwrap().pace(), Pace::Missed);
    }

    #[test]
    fn more_than_was_offered_is_an_error_and_no_outcome() {
        let twice = Passage { carried: 9_999, queued: 2, ..passage() };
        assert!(matches!(twice.outcome(), Err(OutcomeError::MoreThanOffered { .. })));
        assert!(matches!(
            Passage { offered: 0, carried: 0, queued: 0, ..passage() }.outcome(),
            Err(OutcomeError::NothingOffered)
        ));
    }
}
