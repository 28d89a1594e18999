//! When the exchanges of an open loop begin: a kernel timer, for the runtime's own ticks are a millisecond apart.

use std::io;
use std::time::{Duration, Instant};

use crate::sys::timer::Timer;

const SECOND_NS: u64 = 1_000_000_000;

/// Arrivals at equal distances.
#[derive(Debug)]
pub(super) struct Pacer {
    timer: Timer,
    begin: Instant,
    per_second: u64,
}

impl Pacer {
    /// Arrival 0 is now.
    pub(super) fn start(per_second: u32) -> io::Result<Self> {
        let per_second = u64::from(per_second.max(1));
        let begin = Instant::now();
        let timer = Timer::every(Duration::from_nanos(SECOND_NS / per_second))?;
        Ok(Self { timer, begin, per_second })
    }

    /// When an arrival is to begin.
    pub(super) fn intended(&self, index: u64) -> Instant {
        let nanoseconds = u128::from(index) * u128::from(SECOND_NS) / u128::from(self.per_second);
        self.begin + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// Waits for the timer; returns how many arrivals, the first included, should have begun by now.
    pub(super) async fn due(&self) -> io::Result<u64> {
        self.timer.tick().await?;
        Ok(self.due_now())
    }

    /// As [`due`](Self::due), without waiting.
    pub(super) fn due_now(&self) -> u64 {
        let distances = self.begin.elapsed().as_nanos() * u128::from(self.per_second) / u128::from(SECOND_NS);
        u64::try_from(distances).unwrap_or(u64::MAX).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn arrivals_are_intended_at_equal_distances() {
        run(async {
            let pacer = Pacer::start(3).unwrap();
            let after = |index| (pacer.intended(index) - pacer.begin).as_nanos();
            assert_eq!([0, 1, 2, 3].map(after), [0, 333_333_333, 666_666_666, 1_000_000_000]);
        });
    }

    #[test]
    fn an_arrival_is_due_from_its_time_on() {
        run(async {
            for per_second in [1_000, 20_000] {
                let pacer = Pacer::start(per_second).unwrap();
                for _ in 0..20 {
                    let due = pacer.due().await.unwrap();
                    assert!(due >= 2, "{due}");
                    assert!(pacer.intended(due - 1) <= Instant::now());
                }
            }
        });
    }

    #[test]
    fn one_a_second_has_a_timer_too() {
        run(async {
            let pacer = Pacer::start(1).unwrap();
            assert_eq!(pacer.due_now(), 1);
        });
    }
}
