//! CPU time of the node in paced trials.

use curve_stats::median;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Estimate;

/// CPU time that the node took for the packets of one load, over all trials at it that count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeCpu {
    /// The load, packets a second.
    pub load_pps: f64,
    /// Trials.
    pub trials: u32,
    /// Time of sending, and until the last packet came out, ns; of sending alone in records of earlier versions.
    pub duration_ns: u64,
    /// Packets offered.
    pub offered: u64,
    /// Packets that arrived, those that came out of a queue when sending had ended among them.
    pub carried: u64,
    /// CPU time of the thread that takes the packets from the node's device, soft interrupts on its back included, ns.
    pub receive_ns: u64,
    /// CPU time of the same CPU's `ksoftirqd`, which goes on where soft interrupts took too long, ns.
    pub ksoftirqd_ns: u64,
}

impl NodeCpu {
    /// Both threads' CPU time, ns.
    #[must_use]
    pub fn cpu_ns(&self) -> u64 {
        self.receive_ns + self.ksoftirqd_ns
    }

    /// CPU time for each packet that arrived, ns; `None` where none did.
    #[must_use]
    pub fn ns_a_packet(&self) -> Option<f64> {
        (self.carried > 0).then(|| self.cpu_ns() as f64 / self.carried as f64)
    }

    /// CPUs in use while packets were sent and came out; `None` where none were.
    #[must_use]
    pub fn cores(&self) -> Option<f64> {
        (self.duration_ns > 0).then(|| self.cpu_ns() as f64 / self.duration_ns as f64)
    }
}

/// CPU time over a whole search by two accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CpuAccounts {
    /// The node's threads by the scheduler, ns.
    pub threads_ns: u64,
    /// Kernel time and interrupts of their CPU by `/proc/stat`, ns: to the tick, and other processes' included.
    pub kernel_ns: u64,
}

/// CPU time of the node at one load, over the searches of a point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CpuPoint {
    /// Median load, packets a second.
    pub load_pps: f64,
    /// CPU time a packet that arrived, ns.
    pub ns_a_packet: Estimate,
    /// CPUs in use.
    pub cores: Estimate,
}

impl CpuPoint {
    /// Of what searches found at one load; `None` where none found anything.
    pub(super) fn of<'a>(found: impl Iterator<Item = &'a NodeCpu> + Clone) -> Option<Self> {
        let loads: Vec<_> = found.clone().map(|cpu| cpu.load_pps).collect();
        Some(Self {
            load_pps: median(&loads).ok()?,
            ns_a_packet: Estimate::of(found.clone().filter_map(NodeCpu::ns_a_packet)).ok()??,
            cores: Estimate::of(found.filter_map(NodeCpu::cores)).ok()??,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(carried: u64, receive_ns: u64) -> NodeCpu {
        let (load_pps, duration_ns) = (1e6, 100_000_000);
        NodeCpu { load_pps, trials: 1, duration_ns, offered: 100_000, carried, receive_ns, ksoftirqd_ns: 0 }
    }

    #[test]
    fn time_is_shared_by_what_was_carried_and_by_the_time_of_sending() {
        let found = [cpu(100_000, 50_000_000), cpu(100_000, 60_000_000), cpu(50_000, 100_000_000)];
        let point = CpuPoint::of(found.iter()).unwrap();
        assert_eq!(point.ns_a_packet.values, [500.0, 600.0, 2_000.0]);
        assert_eq!((point.ns_a_packet.value, point.cores.value, point.load_pps), (600.0, 0.6, 1e6));
        let with = NodeCpu { ksoftirqd_ns: 10_000_000, ..cpu(100_000, 50_000_000) };
        assert_eq!((with.ns_a_packet(), with.cores()), (Some(600.0), Some(0.6)));
    }

    #[test]
    fn nothing_carried_has_no_cost_a_packet() {
        assert_eq!(CpuPoint::of([cpu(0, 5)].iter()), None);
        assert_eq!(NodeCpu { duration_ns: 0, ..cpu(1, 5) }.cores(), None);
    }
}
