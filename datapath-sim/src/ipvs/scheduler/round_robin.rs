//! Round robin, plain and weighted. Both go round a ring that has one place more than destinations: the list's head.

use super::{Destination, common_divisor};

/// `ip_vs_rr_schedule()`: the next destination behind the one chosen last whose weight is above 0.
pub(super) fn rr(destinations: &[Destination], last: &mut Option<usize>, looked_at: &mut u64) -> Option<usize> {
    let mut from = behind(*last);
    // Twice round at most, and once from the head.
    for _ in 0..if last.is_some() { 2 } else { 1 } {
        for (at, destination) in destinations.iter().enumerate().skip(from) {
            *looked_at += 1;
            if destination.weight > 0 {
                *last = Some(at);
                return Some(at);
            }
            if *last == Some(at) {
                return None;
            }
        }
        from = 0;
    }
    None
}

/// `struct ip_vs_wrr_mark`.
#[derive(Debug, Clone)]
pub(super) struct Wrr {
    /// The destination chosen last; none: the head of the list.
    last: Option<usize>,
    /// Weight that a destination must have now.
    current: i64,
    largest: i64,
    /// By how much less it must have in the next round: the weights' greatest common divisor.
    interval: i64,
}

impl Wrr {
    /// The mark of a service to which destinations of these weights were added one after another (`ip_vs_wrr_init_svc`, then
    /// `ip_vs_wrr_dest_changed` each time): where it stands then depends on their order.
    pub(super) fn after_adding(weights: impl Iterator<Item = u32>) -> Self {
        let mut mark = Self { last: None, current: 0, largest: 0, interval: 1 };
        let (mut divisor, mut largest) = (0, 0);
        for weight in weights {
            divisor = common_divisor(weight, divisor);
            largest = largest.max(weight);
            mark.changed(divisor.max(1).into(), largest.into());
        }
        mark
    }

    fn changed(&mut self, interval: i64, largest: i64) {
        self.interval = interval;
        self.largest = largest - (interval - 1);
        if self.current > self.largest || self.current == 0 {
            self.current = self.largest;
        } else if interval > 1 {
            self.current = self.current / interval * interval + 1;
        }
    }

    /// `ip_vs_wrr_schedule()`: behind the one chosen last, the next whose weight reaches the current one, which falls with each
    /// round.
    pub(super) fn choose(&mut self, destinations: &[Destination], looked_at: &mut u64) -> Option<usize> {
        if self.largest == 0 {
            return None;
        }
        let last = self.last;
        let (mut from, mut stop) = (behind(last), None);
        let (mut last_round, mut restarted) = (false, false);
        loop {
            for (at, destination) in destinations.iter().enumerate().skip(from) {
                *looked_at += 1;
                if i64::from(destination.weight) >= self.current {
                    self.last = Some(at);
                    return Some(at);
                }
                if stop == Some(at) {
                    self.last = stop;
                    return None;
                }
            }
            from = 0;
            self.current -= self.interval;
            if self.current <= 0 {
                self.current = self.largest;
                if last_round || last.is_none() {
                    self.last = None;
                    return None;
                }
                restarted = true;
            }
            last_round = self.current <= self.interval;
            if last_round && restarted && last.is_some() {
                stop = last;
            }
        }
    }
}

/// Where the walk behind a place of the ring begins.
fn behind(place: Option<usize>) -> usize {
    place.map_or(0, |at| at + 1)
}
