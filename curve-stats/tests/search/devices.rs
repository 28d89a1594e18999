//! Simulated devices: what they carry is known, and time is what trials ask for.

use std::time::Duration;

use curve_stats::search::{Measurer, OutcomeError, Pace, PacketsPerSecond, TrialOutcome};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A trial as a device sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    /// Packets a second.
    pub(crate) load: f64,
    pub(crate) seconds: f64,
    /// Trials before this one.
    pub(crate) before: usize,
}

/// A device that loses what `lost` says, in packets, and a sender that keeps every rate up to `sender`.
pub(crate) struct Device<F> {
    lost: F,
    sender: f64,
    pub(crate) trials: usize,
}

impl<F: FnMut(Offer) -> f64> Device<F> {
    pub(crate) fn new(lost: F) -> Self {
        Self { lost, sender: f64::INFINITY, trials: 0 }
    }

    pub(crate) fn behind_sender(self, sender: f64) -> Self {
        Self { sender, ..self }
    }
}

impl<F: FnMut(Offer) -> f64> Measurer for Device<F> {
    type Error = OutcomeError;

    fn measure(&mut self, load: PacketsPerSecond, duration: Duration) -> Result<TrialOutcome, OutcomeError> {
        let pace = if load.get() > self.sender { Pace::Missed } else { Pace::Kept };
        let (load, seconds) = (load.get().min(self.sender), duration.as_secs_f64());
        let offered = (load * seconds).round().max(1.0) as u64;
        let lost = (self.lost)(Offer { load, seconds, before: self.trials }).max(0.0).round() as u64;
        self.trials += 1;
        TrialOutcome::new(offered, offered.saturating_sub(lost), duration, pace)
    }
}

/// Carries `capacity`, whatever is offered. Less than half a packet in the trial is no loss.
pub(crate) fn exact(capacity: f64) -> Device<impl FnMut(Offer) -> f64> {
    Device::new(move |offer| (offer.load - capacity) * offer.seconds)
}

/// A capacity that varies by `spread` (a share, uniform to both sides) from trial to trial, and in one trial of twenty loses a burst
/// of a thousandth besides, from 5% below capacity on.
pub(crate) fn noisy(capacity: f64, spread: f64, seed: u64) -> Device<impl FnMut(Offer) -> f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    Device::new(move |offer| {
        let now = capacity * (1.0 + spread * random.random_range(-1.0..1.0));
        let burst = random.random_bool(0.05) && offer.load > 0.95 * capacity;
        let burst = if burst { 0.001 * offer.load * offer.seconds } else { 0.0 };
        ((offer.load - now) * offer.seconds).max(0.0) + burst
    })
}

/// Carries `slow` in every other trial and `fast` in the others.
pub(crate) fn bistable(slow: f64, fast: f64) -> Device<impl FnMut(Offer) -> f64> {
    Device::new(move |offer| {
        let capacity = if offer.before.is_multiple_of(2) { slow } else { fast };
        (offer.load - capacity) * offer.seconds
    })
}

/// Carries `capacity` up to it, and the less the more is offered beyond: a kernel that spends its time on packets that it drops.
pub(crate) fn livelocked(capacity: f64) -> Device<impl FnMut(Offer) -> f64> {
    Device::new(move |offer| {
        let carried = if offer.load <= capacity { offer.load } else { capacity * capacity / offer.load };
        (offer.load - carried) * offer.seconds
    })
}

/// A queue of `queue` packets before `capacity`: what is beyond is lost only once it is full.
pub(crate) fn queueing(capacity: f64, queue: f64) -> Device<impl FnMut(Offer) -> f64> {
    Device::new(move |offer| (offer.load - capacity) * offer.seconds - queue)
}

/// Carries everything.
pub(crate) fn unlimited() -> Device<impl FnMut(Offer) -> f64> {
    Device::new(|_| 0.0)
}

/// Loses `share` of everything.
pub(crate) fn lossy(share: f64) -> Device<impl FnMut(Offer) -> f64> {
    Device::new(move |offer| share * offer.load * offer.seconds)
}
