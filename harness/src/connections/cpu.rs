//! CPU time of a trial: the client's and the servers' threads, and soft interrupts on no thread's back.

use crate::result::{ConnectionCpu, ThreadCpu};
use crate::usage::{CpuTicks, Thread, ThreadTime, UsageError, ksoftirqd, sum_ns};

/// Whose time is read.
#[derive(Debug)]
pub(super) struct Meter {
    servers: Thread,
    ksoftirqd: Vec<Thread>,
}

/// Time until now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    client: ThreadTime,
    servers: ThreadTime,
    ksoftirqd_ns: u64,
    machine: CpuTicks,
}

impl Meter {
    /// Of servers, and of the client on the calling thread.
    pub(super) fn of(servers: Thread) -> Result<Self, UsageError> {
        Ok(Self { servers, ksoftirqd: ksoftirqd(None)? })
    }

    pub(super) fn read(&self) -> Result<Reading, UsageError> {
        Ok(Reading {
            client: ThreadTime::of_caller()?,
            servers: self.servers.time()?,
            ksoftirqd_ns: sum_ns(&self.ksoftirqd)?,
            machine: CpuTicks::read(None)?,
        })
    }
}

impl Reading {
    pub(super) fn since(self, before: Self) -> ConnectionCpu {
        let thread = |now: ThreadTime, before| {
            let ThreadTime { total_ns, kernel_ns } = now.since(before);
            ThreadCpu { total_ns, kernel_ns }
        };
        ConnectionCpu {
            client: thread(self.client, before.client),
            servers: thread(self.servers, before.servers),
            ksoftirqd_ns: self.ksoftirqd_ns.saturating_sub(before.ksoftirqd_ns),
            machine_softirq_ns: self.machine.soft_interrupt_ns_since(before.machine),
        }
    }
}
