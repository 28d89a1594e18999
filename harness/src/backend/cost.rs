//! What programming costs, and a stopwatch that keeps the kernel's share apart.

use std::ops::{Add, AddAssign};
use std::time::{Duration, Instant};

/// Cost of one programming operation, by `CLOCK_MONOTONIC` (in the deterministic vm: retired instructions as nanoseconds).
///
/// For tools that are run, `user` and `kernel` are their CPU times (rusage) and `user` also holds our own rendering. For native
/// netlink `kernel` is the time inside the socket calls and `user` the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProgrammingCost {
    /// From the first byte rendered to the kernel's last acknowledgement.
    pub total: Duration,
    /// Share outside the kernel.
    pub user: Duration,
    /// Share inside the kernel.
    pub kernel: Duration,
}

impl ProgrammingCost {
    /// Runs work that stays outside the kernel.
    pub(crate) fn of_user<T>(work: impl FnOnce() -> T) -> (T, Self) {
        let start = Instant::now();
        let value = work();
        let total = start.elapsed();
        (value, Self { total, user: total, kernel: Duration::ZERO })
    }

    /// Runs a system call, or something that is little else.
    pub(crate) fn of_kernel<T>(work: impl FnOnce() -> T) -> (T, Self) {
        let start = Instant::now();
        let value = work();
        let total = start.elapsed();
        (value, Self { total, user: Duration::ZERO, kernel: total })
    }
}

impl Add for ProgrammingCost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { total: self.total + other.total, user: self.user + other.user, kernel: self.kernel + other.kernel }
    }
}

impl AddAssign for ProgrammingCost {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for ProgrammingCost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        let (value, user) = ProgrammingCost::of_user(|| 7);
        let ((), kernel) = ProgrammingCost::of_kernel(std::thread::yield_now);
        let both: ProgrammingCost = [user, kernel].into_iter().sum();
        assert_eq!(value, 7);
        assert_eq!(both.total, both.user + both.kernel);
        assert_eq!((both.user, both.kernel), (user.total, kernel.total));
    }
}
