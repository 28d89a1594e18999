//! Latency under load: shares of the loss-free rate are offered, and every packet is timed from its intended time on.

use std::time::Duration;

use curve_stats::search::{InputError, Pace, PacketsPerSecond};
use hdrhistogram::Histogram;

use super::super::TrafficError;
use super::{Road, Timed};
use crate::probe::{ProbeError, histogram};

/// Shares of the loss-free rate that are offered, per cent: the load of a quiet node, of a busy one, and of one that is nearly full. At
/// saturation a latency is the length of a queue and says nothing of the node.
pub const SHARES: [u32; 3] = [10, 50, 90];

/// Trials that are begun at the most for each that is wanted: one in which the sender was held up is repeated.
const ATTEMPTS: u32 = 3;

/// What one load made of its packets, over the trials in which the sender kept its pace.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Share of the loss-free rate, per cent.
    pub share_percent: u32,
    /// Packets a second.
    pub load: PacketsPerSecond,
    /// Trials in which the sender kept its pace.
    pub valid: u32,
    /// Trials in which it did not: nothing of them is in what follows.
    pub invalid: u32,
    /// Packets sent.
    pub offered: u64,
    /// Packets that arrived and were timed.
    pub carried: u64,
    /// Packets that arrived for another destination.
    pub misdirected: u64,
    /// From the intended time to the arrival in the pods' namespace, ns.
    pub latency: Histogram<u64>,
    /// The exact maximum, ns.
    pub max_ns: u64,
    /// How much later than intended the sender was, ns: part of the latency.
    pub lag: Histogram<u64>,
}

/// Offers every share of `loss_free` for `trials` trials of `duration`; the loads take turns, so that what the machine does falls on all.
///
/// # Errors
/// [`TrafficError`].
pub fn loaded(
    road: &mut Road<'_>,
    loss_free: PacketsPerSecond,
    trials: u32,
    duration: Duration,
) -> Result<Vec<Loaded>, TrafficError> {
    take(loss_free, trials, |load| road.timed(load, duration))
}

fn take(
    loss_free: PacketsPerSecond,
    trials: u32,
    mut offer: impl FnMut(PacketsPerSecond) -> Result<Timed, TrafficError>,
) -> Result<Vec<Loaded>, TrafficError> {
    let mut loads = SHARES.map(|share| Loaded::new(share, loss_free)).into_iter().collect::<Result<Vec<_>, _>>()?;
    for _ in 0..trials * ATTEMPTS {
        for load in loads.iter_mut().filter(|load| load.valid < trials) {
            load.add(&offer(load.load)?)?;
        }
    }
    Ok(loads)
}

impl Loaded {
    fn new(share_percent: u32, loss_free: PacketsPerSecond) -> Result<Self, TrafficError> {
        let load: Result<_, InputError> = PacketsPerSecond::new(loss_free.get() * f64::from(share_percent) / 100.0);
        let (latency, lag) = (histogram([])?, histogram([])?);
        let (valid, invalid, offered, carried, misdirected, max_ns) = (0, 0, 0, 0, 0, 0);
        Ok(Self { share_percent, load: load?, valid, invalid, offered, carried, misdirected, latency, max_ns, lag })
    }

    fn add(&mut self, trial: &Timed) -> Result<(), TrafficError> {
        let passage = &trial.passage;
        if passage.pace() == Pace::Missed {
            self.invalid += 1;
            return Ok(());
        }
        self.valid += 1;
        self.offered += passage.offered;
        self.carried += passage.arrived();
        self.misdirected += passage.misdirected;
        self.max_ns = self.max_ns.max(trial.max_ns);
        let unfit = |lowest| ProbeError::Histogram { lowest };
        self.latency.add(&trial.latency).map_err(|_| unfit(trial.latency.max()))?;
        self.lag.add(&passage.lag).map_err(|_| unfit(passage.lag.max()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Passage;
    use super::*;

    /// A trial that kept its pace and took 700 ns a packet, or one that did not and took a second.
    fn trial(load: PacketsPerSecond, kept: bool) -> Timed {
        let packets = (load.get() / 10.0) as u64;
        let [mut latency, mut lag] = [histogram([]).unwrap(), histogram([]).unwrap()];
        latency.record_n(if kept { 700 } else { 1_000_000_000 }, packets).unwrap();
        lag.record_n(if kept { 40 } else { 900_000_000 }, packets).unwrap();
        let passage = Passage {
            load: load.get(),
            planned: packets,
            offered: packets,
            carried: packets,
            queued: 0,
            misdirected: 0,
            at_ring: 0,
            in_node: 0,
            at_egress: 0,
            duration: Duration::from_millis(100),
            standing: Duration::ZERO,
            receive_ns: 0,
            ksoftirqd_ns: 0,
            conntrack_entries: 0,
            late: u64::from(!kept),
            lag,
        };
        Timed { passage, max_ns: latency.max(), latency }
    }

    fn rate(value: f64) -> PacketsPerSecond {
        PacketsPerSecond::new(value).unwrap()
    }

    #[test]
    fn shares_of_the_loss_free_rate_are_offered_in_turn() {
        let mut offered = Vec::new();
        let loads = take(rate(1_000.0), 2, |load| {
            offered.push(load.get());
            Ok(trial(load, true))
        });
        assert_eq!(offered, [100.0, 500.0, 900.0, 100.0, 500.0, 900.0]);
        let loads = loads.unwrap();
        let counts: Vec<_> =
            loads.iter().map(|load| (load.share_percent, load.valid, load.offered, load.carried)).collect();
        assert_eq!(counts, [(10, 2, 20, 20), (50, 2, 100, 100), (90, 2, 180, 180)]);
        assert!(loads.iter().all(|load| load.latency.len() == load.carried && load.lag.len() == load.offered));
    }

    #[test]
    fn a_trial_in_which_the_sender_was_held_up_is_repeated_and_no_latency() {
        let mut attempts = 0;
        let loads = take(rate(1_000.0), 2, |load| {
            attempts += 1;
            // The first of each load.
            Ok(trial(load, attempts > SHARES.len()))
        });
        assert_eq!(attempts, 9);
        for load in loads.unwrap() {
            assert_eq!((load.valid, load.invalid, load.max_ns), (2, 1, 700));
            assert!(load.latency.max() < 1_000 && load.lag.max() < 1_000);
        }
    }

    #[test]
    fn repeating_ends() {
        let mut attempts = 0;
        let loads = take(rate(1_000.0), 4, |load| {
            attempts += 1;
            Ok(trial(load, false))
        });
        assert_eq!(attempts, 3 * 4 * 3);
        assert!(loads.unwrap().iter().all(|load| (load.valid, load.invalid, load.latency.len()) == (0, 12, 0)));
    }

    #[test]
    fn no_load_is_the_loss_free_rate_itself() {
        assert!(SHARES.iter().all(|share| (1..100).contains(share)));
    }
}
