//! What the workloads of one run have in common, whatever their N, M, layout and protocol.

use std::num::NonZeroU32;

use super::{AddressPlan, EndpointChoice, Scheduler, Workload, WorkloadError, WorkloadSpec};

/// What a run's setups share: with it, the same specification makes the same workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Common {
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// Address ranges.
    pub addresses: AddressPlan,
    /// Scheduler of IPVS.
    pub scheduler: Scheduler,
    /// How the eBPF load balancer chooses endpoints.
    pub endpoint_choice: EndpointChoice,
    /// Self-tests only: services per rule that matches nothing.
    pub ballast: Option<NonZeroU32>,
    /// Self-tests only: how many times its share the first endpoint of every service gets.
    pub bias: Option<NonZeroU32>,
}

impl Common {
    /// The services of a specification, with what the run says of all of them.
    ///
    /// # Errors
    /// [`WorkloadError`], as of [`Workload::generate`].
    pub fn generate(&self, spec: &WorkloadSpec) -> Result<Workload, WorkloadError> {
        Ok(self.complete(Workload::generate(spec)?))
    }

    /// Any services with that.
    #[must_use]
    pub fn complete(&self, mut workload: Workload) -> Workload {
        workload.ballast = self.ballast;
        workload.scheduling.scheduler = self.scheduler;
        workload.scheduling.bias = self.bias;
        workload.endpoint_choice = self.endpoint_choice;
        workload
    }
}
