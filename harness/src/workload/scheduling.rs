//! How IPVS spreads the flows of a service; the other datapaths draw at random.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Endpoint, Scheduler};

/// How a workload's flows are spread where the datapath leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Scheduling {
    /// Scheduler of every virtual service.
    pub scheduler: Scheduler,
    /// Self-tests only: endpoints weigh 1 to this, by their address. kube-proxy weighs all alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<NonZeroU32>,
}

impl Scheduling {
    /// kube-proxy's default: `rr`, all endpoints alike.
    pub const DEFAULT: Self = Self { scheduler: Scheduler::Rr, weights: None };

    /// Weight of an endpoint.
    #[must_use]
    pub fn weight(&self, endpoint: &Endpoint) -> u32 {
        self.weights.map_or(1, |most| 1 + u32::from(endpoint.addr) % most)
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn the_command_line_and_the_files_call_schedulers_as_the_kernel_does() {
        for scheduler in Scheduler::value_variants() {
            assert_eq!(crate::result::name(scheduler), scheduler.name());
            assert_eq!(serde_json::to_value(scheduler).unwrap(), scheduler.name());
        }
    }

    #[test]
    fn endpoints_weigh_alike_unless_a_self_test_says_otherwise() {
        let at = |last| Endpoint { addr: [10, 0, 0, last].into(), port: 80 };
        assert_eq!([1, 2, 3].map(|last| Scheduling::DEFAULT.weight(&at(last))), [1, 1, 1]);
        let weighted = Scheduling { weights: NonZeroU32::new(3), ..Scheduling::DEFAULT };
        let weights: std::collections::BTreeSet<_> = (1..20).map(|last| weighted.weight(&at(last))).collect();
        assert_eq!(weights, [1, 2, 3].into());
    }
}
