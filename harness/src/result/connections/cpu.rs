//! CPU time of real connections.

use curve_stats::StatsError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ConnectionRecord;
use crate::result::Estimate;

/// CPU time of a thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadCpu {
    /// All of it, ns.
    pub total_ns: u64,
    /// In the kernel, ns, to the tick: soft interrupts on the thread's back, the node's forwarding among them, included.
    pub kernel_ns: u64,
}

/// CPU time of a trial of connections, from the first beginning to the last end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionCpu {
    /// The client's thread.
    pub client: ThreadCpu,
    /// The servers' thread.
    pub servers: ThreadCpu,
    /// `ksoftirqd` of all CPUs, ns: soft interrupts on no thread's back; other processes' included.
    pub ksoftirqd_ns: u64,
    /// Soft interrupts of the whole machine by `/proc/stat`, ns, to the tick. What ran on a thread's back is in that thread's time too, so it
    /// must not be added.
    pub machine_softirq_ns: u64,
}

/// CPU time of each exchange that succeeded, ns, over the valid trials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExchangeCpu {
    /// Client, servers and `ksoftirqd` together.
    pub total: Estimate,
    /// The client's thread.
    pub client: Estimate,
    /// The servers' thread.
    pub servers: Estimate,
    /// `ksoftirqd` of all CPUs.
    pub ksoftirqd: Estimate,
    /// Both threads in the kernel.
    pub kernel: Estimate,
    /// Soft interrupts of the whole machine, which the others hold in part.
    pub machine_softirq: Estimate,
}

impl ExchangeCpu {
    /// Of some trials; `None` where none says.
    pub(super) fn of(trials: &[&ConnectionRecord]) -> Result<Option<Self>, StatsError> {
        let each = |part: fn(&ConnectionCpu) -> u64| {
            let trials = trials.iter().filter(|trial| trial.succeeded > 0);
            Estimate::of(trials.filter_map(|trial| Some(part(trial.cpu.as_ref()?) as f64 / trial.succeeded as f64)))
        };
        let Some(total) = each(|cpu| cpu.client.total_ns + cpu.servers.total_ns + cpu.ksoftirqd_ns)? else {
            return Ok(None);
        };
        let found = [
            each(|cpu| cpu.client.total_ns)?,
            each(|cpu| cpu.servers.total_ns)?,
            each(|cpu| cpu.ksoftirqd_ns)?,
            each(|cpu| cpu.client.kernel_ns + cpu.servers.kernel_ns)?,
            each(|cpu| cpu.machine_softirq_ns)?,
        ];
        let [Some(client), Some(servers), Some(ksoftirqd), Some(kernel), Some(machine_softirq)] = found else {
            return Ok(None);
        };
        Ok(Some(Self { total, client, servers, ksoftirqd, kernel, machine_softirq }))
    }

    /// All of them.
    pub(super) fn estimates(&self) -> [&Estimate; 6] {
        [&self.total, &self.client, &self.servers, &self.ksoftirqd, &self.kernel, &self.machine_softirq]
    }
}
