//! Every way in which a datapath may spread the flows of a service.

use std::fmt;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::promise::Shares;
use crate::result::BackendKind;
use crate::workload::{EndpointChoice, Protocol, Scheduler, Scheduling, Unmodelled, Workload};

/// A way of spreading new flows over the endpoints of a service: a scheduler of IPVS by the kernel's name, or a choice of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Spreading {
    /// A uniform draw: iptables' statistic matches, nftables' numgen, the eBPF load balancer's random number.
    Random,
    /// The flow's hash in a Maglev table (eBPF).
    Maglev,
    /// Round robin.
    Rr,
    /// Weighted round robin.
    Wrr,
    /// Least connections.
    Lc,
    /// Weighted least connections.
    Wlc,
    /// Shortest expected delay.
    Sed,
    /// Never queue.
    Nq,
    /// Source hashing.
    Sh,
    /// Destination hashing.
    Dh,
    /// Maglev hashing of the source.
    Mh,
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

/// Client addresses of a way that looks at nothing else: as many flows of one client would say nothing more.
pub const CLIENTS: u32 = 512;
/// Flows of each of them: one to choose, the others to be held to it.
pub const FLOWS_A_CLIENT: u32 = 4;

impl Spreading {
    /// Schedulers of IPVS.
    const IPVS: [Self; 14] = [
        Self::Rr,
        Self::Wrr,
        Self::Lc,
        Self::Wlc,
        Self::Sed,
        Self::Nq,
        Self::Sh,
        Self::Dh,
        Self::Mh,
        Self::Lblc,
        Self::Lblcr,
        Self::Fo,
        Self::Ovf,
        Self::Twos,
    ];

    /// Those of a datapath.
    #[must_use]
    pub fn of(backend: BackendKind) -> &'static [Self] {
        match backend {
            BackendKind::Direct | BackendKind::DirectConntrack => &[],
            BackendKind::IptablesLegacy | BackendKind::IptablesNft | BackendKind::Nftables => &[Self::Random],
            BackendKind::Ipvs => &Self::IPVS,
            BackendKind::EbpfTc | BackendKind::EbpfXdp => &[Self::Random, Self::Maglev],
        }
    }

    /// Its name; the kernel's where it is a scheduler of IPVS, whose module is `ip_vs_<name>`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Maglev => "maglev",
            _ => self.scheduling(1).name(),
        }
    }

    /// Whether only the client's address counts.
    #[must_use]
    pub fn is_by_source(self) -> bool {
        matches!(self, Self::Sh | Self::Mh)
    }

    /// Whether chance decides which endpoint a flow or a client gets, so that a test of the shares can fail though the promise is kept.
    #[must_use]
    pub fn is_by_chance(self) -> bool {
        // Chance has its part whatever the protocol is.
        Shares::of(self, Protocol::Tcp) == Shares::ByChance
    }

    /// Client addresses and flows, where `flows` are asked for.
    #[must_use]
    pub fn traffic(self, flows: u32) -> (u32, u32) {
        if !self.is_by_source() {
            return (1, flows);
        }
        let clients = (flows / FLOWS_A_CLIENT).clamp(1, CLIENTS);
        (clients, clients * FLOWS_A_CLIENT)
    }

    /// Scheduler and weights for so many flows: 1 to 3 by address where a scheduler reads weights, and so many that the heaviest endpoint
    /// has its fill where it reads them as room.
    #[must_use]
    pub fn scheduling(self, flows: u32) -> Scheduling {
        let modelled = |scheduler| Scheduling { scheduler, ..Scheduling::DEFAULT };
        let weighted = |scheduling| Scheduling { weights: NonZeroU32::new(3), ..scheduling };
        let unmodelled = |one| Scheduling { unmodelled: Some(one), ..Scheduling::DEFAULT };
        let with_room = |scheduling, room: u32| Scheduling { unit: NonZeroU32::new(room.max(1)), ..scheduling };
        match self {
            Self::Random | Self::Maglev => Scheduling::DEFAULT,
            Self::Rr => modelled(Scheduler::Rr),
            Self::Wrr => weighted(modelled(Scheduler::Wrr)),
            Self::Lc => modelled(Scheduler::Lc),
            Self::Wlc => weighted(modelled(Scheduler::Wlc)),
            Self::Sed => weighted(modelled(Scheduler::Sed)),
            Self::Nq => weighted(modelled(Scheduler::Nq)),
            Self::Sh => weighted(modelled(Scheduler::Sh)),
            Self::Dh => modelled(Scheduler::Dh),
            Self::Mh => weighted(modelled(Scheduler::Mh)),
            Self::Lblc => with_room(unmodelled(Unmodelled::Lblc), flows),
            Self::Lblcr => with_room(unmodelled(Unmodelled::Lblcr), flows),
            Self::Fo => weighted(unmodelled(Unmodelled::Fo)),
            Self::Ovf => with_room(weighted(unmodelled(Unmodelled::Ovf)), flows / 5),
            Self::Twos => weighted(unmodelled(Unmodelled::Twos)),
        }
    }

    /// A workload whose flows are so spread.
    #[must_use]
    pub fn over(self, workload: Workload, flows: u32) -> Workload {
        let endpoint_choice = match self {
            Self::Maglev => EndpointChoice::Maglev,
            _ => EndpointChoice::Random,
        };
        let scheduling = Scheduling { bias: workload.scheduling.bias, ..self.scheduling(flows) };
        Workload { scheduling, endpoint_choice, ..workload }
    }
}

impl fmt::Display for Spreading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheduler_with_a_model_is_there_and_files_call_all_as_the_kernel_does() {
        let names: Vec<_> = Spreading::IPVS.iter().map(|spreading| spreading.name()).collect();
        assert!(Scheduler::ALL.iter().all(|scheduler| names.contains(&scheduler.name())), "{names:?}");
        for spreading in Spreading::IPVS.into_iter().chain([Spreading::Random, Spreading::Maglev]) {
            assert_eq!(serde_json::to_value(spreading).unwrap(), spreading.name());
        }
    }

    #[test]
    fn only_hashes_of_the_source_need_many_clients() {
        assert_eq!(Spreading::Rr.traffic(10_000), (1, 10_000));
        assert_eq!(Spreading::Sh.traffic(10_000), (512, 2_048));
        assert_eq!(Spreading::Mh.traffic(40), (10, 40));
        assert_eq!(Spreading::Mh.traffic(1), (1, 4));
    }
}
