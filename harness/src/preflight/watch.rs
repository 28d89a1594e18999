//! What disturbed the machine while something was measured.

use std::fmt;

use super::proc_text::{self, Stat};
use super::{PreflightError, machine, read, share};

/// Counters at the start of what is watched.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    machine: Stat,
    own: u64,
}

/// Shares of all CPU time since a [`Watch`] began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disturbance {
    /// The hypervisor gave to others.
    pub steal: f64,
    /// Other processes used.
    pub others: f64,
}

impl Watch {
    /// Begins to watch.
    ///
    /// # Errors
    /// [`PreflightError`].
    pub fn start() -> Result<Self, PreflightError> {
        Ok(Self { machine: machine()?, own: own()? })
    }

    /// What happened since the start. Children count as own once they have ended.
    ///
    /// # Errors
    /// [`PreflightError`].
    pub fn so_far(&self) -> Result<Disturbance, PreflightError> {
        Ok(disturbance(self.machine, machine()?, own()?.saturating_sub(self.own)))
    }
}

fn own() -> Result<u64, PreflightError> {
    read("/proc/self/stat", proc_text::own_ticks)
}

fn disturbance(before: Stat, after: Stat, own: u64) -> Disturbance {
    let total = after.total.saturating_sub(before.total);
    let idle = after.idle.saturating_sub(before.idle);
    let steal = after.steal.saturating_sub(before.steal);
    let others = total.saturating_sub(idle).saturating_sub(steal).saturating_sub(own);
    Disturbance { steal: share(steal, total), others: share(others, total) }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| share * 100.0;
        write!(
            f,
            "the hypervisor took {:.1}% of the CPU time, other processes used {:.1}%",
            percent(self.steal),
            percent(self.others)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_idle_nor_stolen_nor_own_is_others() {
        let after = Stat { total: 1_000, idle: 400, steal: 100, ..Stat::default() };
        let found = disturbance(Stat::default(), after, 300);
        assert_eq!(found, Disturbance { steal: 0.1, others: 0.2 });
        assert_eq!(found.to_string(), "the hypervisor took 10.0% of the CPU time, other processes used 20.0%");
    }

    #[test]
    fn ticks_that_are_rounded_apart_do_not_underflow() {
        let after = Stat { total: 10, idle: 2, steal: 1, ..Stat::default() };
        assert_eq!(disturbance(Stat::default(), after, 9).others, 0.0);
        assert_eq!(disturbance(after, after, 0), Disturbance { steal: 0.0, others: 0.0 });
    }
}
