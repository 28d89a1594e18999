//! How the flows of a service are spread where that can be told otherwise than as kube-proxy does.

use std::borrow::Cow;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Endpoint, Scheduler, Service, Workload};

/// A scheduler of IPVS that has no model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unmodelled {
    /// Locality-based least connections.
    Lblc,
    /// The same with replication.
    Lblcr,
    /// Weighted failover.
    Fo,
    /// Weighted overflow.
    Ovf,
    /// The less loaded of two draws.
    Twos,
}

/// How a workload's flows are spread where the datapath leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Scheduling {
    /// Scheduler of every virtual service of IPVS.
    pub scheduler: Scheduler,
    /// One without a model in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmodelled: Option<Unmodelled>,
    /// Endpoints of IPVS weigh 1 to this, by their address. kube-proxy weighs all alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<NonZeroU32>,
    /// What every weight is multiplied by; `None`: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<NonZeroU32>,
    /// Self-tests only: the first endpoint of every service is programmed to get so many times its share, in all datapaths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bias: Option<NonZeroU32>,
}

impl Unmodelled {
    /// Its name in the kernel: the module `ip_vs_<name>` brings it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lblc => "lblc",
            Self::Lblcr => "lblcr",
            Self::Fo => "fo",
            Self::Ovf => "ovf",
            Self::Twos => "twos",
        }
    }
}

impl Scheduling {
    /// kube-proxy's default: `rr`, all endpoints alike.
    pub const DEFAULT: Self =
        Self { scheduler: Scheduler::Rr, unmodelled: None, weights: None, unit: None, bias: None };

    /// Name of the scheduler in the kernel.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.unmodelled.map_or_else(|| self.scheduler.name(), Unmodelled::name)
    }

    /// Weight that an endpoint should have.
    #[must_use]
    pub fn weight(&self, endpoint: &Endpoint) -> u32 {
        let unit = self.unit.map_or(1, NonZeroU32::get);
        unit.saturating_mul(self.weights.map_or(1, |most| 1 + u32::from(endpoint.addr) % most))
    }

    /// Weight that IPVS is told: another than [`weight`](Self::weight) in self-tests only.
    #[must_use]
    pub fn programmed(&self, service: &Service, endpoint: &Endpoint) -> u32 {
        self.weight(endpoint).saturating_mul(self.times(service, endpoint))
    }

    /// How many times its share an endpoint is programmed to get: once, but for self-tests.
    #[must_use]
    pub fn times(&self, service: &Service, endpoint: &Endpoint) -> u32 {
        match self.bias {
            Some(bias) if service.endpoints.first() == Some(endpoint) => bias.get(),
            _ => 1,
        }
    }

    /// A service whose endpoints stand in it as often as [`times`](Self::times) says, for a datapath that draws one of a list.
    #[must_use]
    pub fn repeated(&self, service: &Service) -> Service {
        let often = |endpoint: &Endpoint| std::iter::repeat_n(*endpoint, self.times(service, endpoint) as usize);
        Service { endpoints: service.endpoints.iter().flat_map(often).collect(), ..service.clone() }
    }
}

impl Workload {
    /// Its services as [`Scheduling::repeated`] makes them.
    #[must_use]
    pub fn repeated(&self) -> Cow<'_, Self> {
        if self.scheduling.bias.is_none() {
            return Cow::Borrowed(self);
        }
        let services = self.services.iter().map(|service| self.scheduling.repeated(service)).collect();
        Cow::Owned(Self { services, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use clap::ValueEnum;

    use super::*;
    use crate::workload::Protocol;

    fn at(last: u8) -> Endpoint {
        Endpoint { addr: [10, 0, 0, last].into(), port: 80 }
    }

    fn service() -> Service {
        Service {
            namespace: "default".into(),
            name: "svc-0".into(),
            port_name: String::new(),
            vip: Ipv4Addr::new(10, 96, 0, 1),
            port: 80,
            protocol: Protocol::Tcp,
            endpoints: vec![at(1), at(2)],
        }
    }

    #[test]
    fn the_command_line_and_the_files_call_schedulers_as_the_kernel_does() {
        for scheduler in Scheduler::value_variants() {
            assert_eq!(crate::result::name(scheduler), scheduler.name());
            assert_eq!(serde_json::to_value(scheduler).unwrap(), scheduler.name());
        }
    }

    #[test]
    fn endpoints_weigh_alike_unless_something_says_otherwise() {
        assert_eq!([1, 2, 3].map(|last| Scheduling::DEFAULT.weight(&at(last))), [1, 1, 1]);
        let weighted = Scheduling { weights: NonZeroU32::new(3), ..Scheduling::DEFAULT };
        let weights: std::collections::BTreeSet<_> = (1..20).map(|last| weighted.weight(&at(last))).collect();
        assert_eq!(weights, [1, 2, 3].into());
        let heavy = Scheduling { unit: NonZeroU32::new(50), ..weighted };
        assert_eq!(heavy.weight(&at(1)), 50 * weighted.weight(&at(1)));
    }

    #[test]
    fn a_bias_is_in_what_is_programmed_and_not_in_what_should_be() {
        let biased = Scheduling { bias: NonZeroU32::new(3), ..Scheduling::DEFAULT };
        let service = service();
        assert_eq!([1, 2].map(|last| biased.weight(&at(last))), [1, 1]);
        assert_eq!([1, 2].map(|last| biased.programmed(&service, &at(last))), [3, 1]);
        assert_eq!(biased.repeated(&service).endpoints, [at(1), at(1), at(1), at(2)]);
        assert_eq!(Scheduling::DEFAULT.repeated(&service), service);
    }
}
