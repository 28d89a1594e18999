//! The schedule of a paced generator, and how it keeps it: map values and the arithmetic on them.
//!
//! Every packet has an intended time, which follows from the first one's and never moves: a generator that was held up sends what
//! is due at once, and the lag of each packet is how late it was.

mod arrival;
mod length;
mod mix;
#[cfg(feature = "user")]
mod user;

pub use arrival::{ArrivalConfig, COUNTED, LET_THROUGH, TIMED};
pub use length::{Lengths, MOST_LENGTHS, lengthen};
pub use mix::{Mix, Next, WHOLE};

/// Bits behind the point of the time between two packets: a million packets a second are off by less than one part in a thousand
/// million.
pub const FRACTION_BITS: u32 = 20;

/// When to send. One entry of the map `SCHEDULE`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Schedule {
    /// Packets of the trial.
    pub packets: u64,
    /// Time between two intended times, in units of 2^-[`FRACTION_BITS`] ns; 0 for as fast as it goes.
    pub period: u64,
    /// A packet that is later than this is counted as late, ns.
    pub lag_bound_ns: u64,
    /// The trial ends so long after its first intended time, whatever is left to send, ns.
    pub patience_ns: u64,
}

/// How far a trial is. One entry of the map `PROGRESS`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Position in the cycle of flows; it goes on from trial to trial.
    pub cursor: u64,
    /// Position in the cycle of the flows that a mix opens; it goes on too.
    pub new_cursor: u64,
    /// Position in the cycle of lengths.
    pub turn: u64,
    /// That of the packets that open a flow in a mix.
    pub new_turn: u64,
    /// By how much of a packet those that open a flow are behind their share, in units of 1 / [`WHOLE`]; below [`WHOLE`].
    pub behind: u64,
    /// Packets handed on.
    pub sent: u64,
    /// Intended time of the next packet after the first's, in units of 2^-[`FRACTION_BITS`] ns.
    pub due: u64,
    /// Intended time of the first packet, ns; 0 before it.
    pub first_ns: u64,
    /// When the last packet was handed on, ns.
    pub last_ns: u64,
    /// Packets that were later than the bound.
    pub late: u64,
    /// 1 once the trial has lasted longer than its patience.
    pub expired: u64,
}

impl Progress {
    /// Whether nothing is to be sent any more.
    #[inline(always)]
    #[must_use]
    pub fn has_ended(&self, schedule: &Schedule) -> bool {
        self.sent >= schedule.packets || self.expired != 0
    }

    /// The intended time of the next packet, ns. The first one's is the first `now` that is asked with.
    #[inline(always)]
    pub fn due_ns(&mut self, now: u64) -> u64 {
        if self.first_ns == 0 {
            self.first_ns = now;
        }
        self.first_ns + (self.due >> FRACTION_BITS)
    }

    /// The next packet goes at `now`, its intended time or later: returns how much later, ns; `None` where the trial has lasted too
    /// long.
    #[inline(always)]
    pub fn hand_on(&mut self, schedule: &Schedule, now: u64) -> Option<u64> {
        let lag = now - self.due_ns(now);
        if now - self.first_ns > schedule.patience_ns {
            self.expired = 1;
            return None;
        }
        self.late += (lag > schedule.lag_bound_ns) as u64;
        self.sent += 1;
        self.due += schedule.period;
        self.last_ns = now;
        Some(lag)
    }
}

const _: () = assert!(size_of::<Schedule>() == 32);
const _: () = assert!(size_of::<Progress>() == 88);

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet every 1,000.5 ns.
    const SCHEDULE: Schedule =
        Schedule { packets: 3, period: (2001 << FRACTION_BITS) / 2, lag_bound_ns: 50, patience_ns: 10_000 };

    #[test]
    fn intended_times_follow_from_the_first_and_never_move() {
        let mut progress = Progress::default();
        assert_eq!(progress.due_ns(5_000), 5_000);
        assert_eq!(progress.hand_on(&SCHEDULE, 5_010), Some(10));
        assert_eq!(progress.due_ns(5_020), 6_000);
        // Held up: what follows is due at once, and late by as much less.
        assert_eq!(progress.hand_on(&SCHEDULE, 8_000), Some(2_000));
        assert_eq!(progress.due_ns(8_000), 7_001);
        assert_eq!(progress.hand_on(&SCHEDULE, 8_000), Some(999));
        assert_eq!((progress.sent, progress.late, progress.last_ns), (3, 2, 8_000));
        assert!(progress.has_ended(&SCHEDULE));
    }

    #[test]
    fn a_trial_that_lasts_too_long_ends() {
        let mut progress = Progress::default();
        progress.due_ns(5_000);
        assert_eq!(progress.hand_on(&SCHEDULE, 15_000), Some(10_000));
        assert_eq!(progress.hand_on(&SCHEDULE, 15_001), None);
        assert!(progress.has_ended(&SCHEDULE) && progress.sent == 1);
    }

    #[test]
    fn without_a_period_every_packet_is_due_at_once() {
        let (mut progress, schedule) = (Progress::default(), Schedule { period: 0, packets: u64::MAX, ..SCHEDULE });
        progress.due_ns(1_000);
        assert_eq!(progress.hand_on(&schedule, 1_000), Some(0));
        assert_eq!(progress.due_ns(1_007), 1_000);
    }
}
