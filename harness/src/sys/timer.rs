//! A periodic kernel timer that tokio watches: `timerfd_create(2)`.
#![expect(unsafe_code, reason = "tokio cannot see that a descriptor stays the same")]

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Ticks at equal distances, from one distance after it was made.
#[derive(Debug)]
pub struct Timer {
    /// Nothing lends it out mutably, so that it stays one and the same open descriptor.
    descriptor: AsyncFd<OwnedFd>,
}

impl Timer {
    /// A timer of the calling thread's tokio runtime. `distance` is at least a nanosecond.
    ///
    /// # Errors
    /// `EMFILE` without a free descriptor; `EINVAL` does not arise.
    pub fn every(distance: Duration) -> io::Result<Self> {
        let distance = distance.max(Duration::from_nanos(1));
        let distance = Timespec {
            tv_sec: i64::try_from(distance.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(distance.subsec_nanos()),
        };
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let times = Itimerspec { it_interval: distance, it_value: distance };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &times)?;
        // SAFETY: an OwnedFd is one open descriptor for as long as it lives; this one is in a private field that nothing replaces,
        // and is dropped with the AsyncFd.
        let descriptor = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE)? };
        Ok(Self { descriptor })
    }

    /// Waits for the next tick; ticks that went by unseen are one.
    ///
    /// # Errors
    /// None that a timer has.
    pub async fn tick(&self) -> io::Result<()> {
        loop {
            let mut guard = self.descriptor.readable().await?;
            let read = |timer: &AsyncFd<OwnedFd>| Ok(rustix::io::read(timer.get_ref(), &mut [0_u8; 8])?);
            if let Ok(read) = guard.try_io(read) {
                return read.map(|_| ());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn ticks_come_no_earlier_than_their_distance() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let begin = Instant::now();
            let distance = Duration::from_micros(500);
            let timer = Timer::every(distance).expect("a timer");
            for tick in 1..=10 {
                timer.tick().await.expect("ticks");
                assert!(begin.elapsed() >= tick * distance);
            }
        });
    }
}
