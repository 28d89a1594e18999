//! What becomes of the attempts of a trial.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::{CreationError, Histogram};

use crate::result::FailureKind;

/// The longest duration that a histogram tells apart: longer than any exchange may take.
const LONGEST_NS: u64 = 60_000_000_000;

/// How long TCP waits for the answer to a first packet (SYN) before it repeats it: `TCP_TIMEOUT_INIT` (include/net/tcp.h; RFC 6298).
pub const REPEATED: Duration = Duration::from_secs(1);

/// What a trial found. `attempted` is always `succeeded` and all `failures`.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Exchanges that were begun.
    pub attempted: u64,
    /// Exchanges with the right answer.
    pub succeeded: u64,
    /// The others.
    pub failures: BTreeMap<FailureKind, u64>,
    /// Successes a second, between the first and the last beginning.
    pub per_second: f64,
    /// Beginnings a second.
    pub started_per_second: f64,
    /// Bits of payload that arrived, a second, from the beginning to the last answer; 0 but for streams.
    pub bits_per_second: f64,
    /// Connections that took [`REPEATED`] or longer by themselves.
    pub repeated: u64,
    /// Time to connect, nanoseconds.
    pub connect: Histogram<u64>,
    /// Time of the whole exchange, nanoseconds.
    pub exchange: Histogram<u64>,
    /// From the intended beginning to the real one, nanoseconds; empty in a closed loop.
    pub lag: Histogram<u64>,
    /// Successes by the index of the endpoint; empty where several services were asked.
    pub reached: Vec<u64>,
}

impl Outcome {
    /// Attempts that failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}

/// Counts while a trial goes on.
#[derive(Debug)]
pub(super) struct Tally {
    outcome: Outcome,
    begin: Instant,
    /// When the last exchange began.
    last: Instant,
    /// When each success ended: those behind the last beginning do not belong to the rate.
    ends: Vec<Instant>,
    /// Bytes of streams that ended, and when the last one did.
    streamed: Option<(u64, Instant)>,
}

impl Tally {
    /// An empty one; `endpoints` of the one service that is asked, 0 where there are several.
    pub(super) fn new(endpoints: usize) -> Result<Self, CreationError> {
        let histogram = || Histogram::new_with_bounds(1, LONGEST_NS, 3);
        let outcome = Outcome {
            attempted: 0,
            succeeded: 0,
            failures: BTreeMap::new(),
            per_second: 0.0,
            started_per_second: 0.0,
            bits_per_second: 0.0,
            repeated: 0,
            connect: histogram()?,
            exchange: histogram()?,
            lag: histogram()?,
            reached: vec![0; endpoints],
        };
        let begin = Instant::now();
        Ok(Self { outcome, begin, last: begin, ends: Vec::new(), streamed: None })
    }

    /// Exchanges that have begun.
    pub(super) fn attempted(&self) -> u64 {
        self.outcome.attempted
    }

    /// An exchange begins.
    pub(super) fn begun(&mut self, at: Instant) {
        self.outcome.attempted += 1;
        self.last = self.last.max(at);
    }

    /// It begins late by so much.
    pub(super) fn late(&mut self, by: Duration) {
        record(&mut self.outcome.lag, by);
    }

    /// Its connection is there: so long after the beginning, of which connecting itself took `alone`.
    pub(super) fn connected(&mut self, after: Duration, alone: Duration) {
        record(&mut self.outcome.connect, after);
        self.outcome.repeated += u64::from(alone >= REPEATED);
    }

    /// It has ended.
    pub(super) fn ended(&mut self, began: Instant, result: Result<usize, FailureKind>) {
        match result {
            Ok(endpoint) => {
                let now = Instant::now();
                self.ends.push(now);
                record(&mut self.outcome.exchange, now - began);
                self.succeeded(endpoint);
            }
            Err(kind) => self.failed(kind),
        }
    }

    /// A stream has ended: the endpoint that it came to, and its bytes.
    pub(super) fn streamed(&mut self, result: Result<(usize, u64), FailureKind>) {
        match result {
            Ok((endpoint, bytes)) => {
                let before = self.streamed.map_or(0, |(bytes, _)| bytes);
                self.streamed = Some((before + bytes, Instant::now()));
                self.succeeded(endpoint);
            }
            Err(kind) => self.failed(kind),
        }
    }

    fn succeeded(&mut self, endpoint: usize) {
        self.outcome.succeeded += 1;
        if let Some(count) = self.outcome.reached.get_mut(endpoint) {
            *count += 1;
        }
    }

    fn failed(&mut self, kind: FailureKind) {
        *self.outcome.failures.entry(kind).or_default() += 1;
    }

    /// The rates, now that all have ended.
    pub(super) fn conclude(self) -> Outcome {
        let Self { mut outcome, begin, last, ends, streamed } = self;
        let in_time = ends.iter().filter(|end| **end <= last).count() as u64;
        outcome.per_second = rate(in_time, last - begin);
        outcome.started_per_second = rate(outcome.attempted.saturating_sub(1), last - begin);
        outcome.bits_per_second = streamed.map_or(0.0, |(bytes, end)| 8.0 * rate(bytes, end - begin));
        outcome
    }
}

fn record(histogram: &mut Histogram<u64>, duration: Duration) {
    histogram.saturating_record(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).max(1));
}

/// 0 without an interval.
fn rate(count: u64, elapsed: Duration) -> f64 {
    if elapsed.is_zero() { 0.0 } else { count as f64 / elapsed.as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_stragglers_do_not_count_for_the_rate() {
        let mut tally = Tally::new(2).unwrap();
        let second = Duration::from_secs(1);
        let begin = tally.begin;
        for index in 0..5 {
            tally.begun(begin + index * second);
        }
        tally.ended(begin, Ok(1));
        tally.ended(begin, Ok(0));
        tally.ended(begin, Err(FailureKind::Refused));
        // Ended now, which is before the last beginning; these two end behind it.
        tally.ends.extend([begin + 5 * second, begin + 6 * second]);
        tally.outcome.succeeded += 2;
        let outcome = tally.conclude();
        assert_eq!(outcome.attempted, outcome.succeeded + outcome.failed());
        assert_eq!((outcome.per_second, outcome.started_per_second), (0.5, 1.0));
        assert_eq!((&outcome.reached[..], outcome.exchange.len()), (&[1, 1][..], 2));
    }

    #[test]
    fn bytes_of_streams_count_until_the_last_has_ended_and_not_those_that_failed() {
        let mut tally = Tally::new(1).unwrap();
        for _ in 0..3 {
            tally.begun(tally.begin);
        }
        tally.streamed(Ok((0, 600)));
        tally.streamed(Err(FailureKind::Reset));
        tally.streamed(Ok((0, 400)));
        tally.streamed = tally.streamed.map(|(bytes, _)| (bytes, tally.begin + Duration::from_secs(2)));
        let outcome = tally.conclude();
        assert_eq!((outcome.bits_per_second, outcome.succeeded, outcome.failed()), (4_000.0, 2, 1));
        assert!(outcome.exchange.is_empty());
    }

    #[test]
    fn a_connection_that_waited_for_its_client_was_not_repeated() {
        let mut tally = Tally::new(1).unwrap();
        let (long, short) = (Duration::from_secs(3), Duration::from_millis(1));
        tally.connected(long, short);
        tally.connected(long, REPEATED);
        let outcome = tally.conclude();
        assert_eq!((outcome.connect.len(), outcome.repeated), (2, 1));
    }

    #[test]
    fn a_trial_without_an_attempt_has_no_rate() {
        let outcome = Tally::new(0).unwrap().conclude();
        assert_eq!((outcome.attempted, outcome.per_second, outcome.reached.len()), (0, 0.0, 0));
    }
}
