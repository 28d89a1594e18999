//! The model that answers for a kernel's datapath.

use datapath_sim::{
    Addresses, Datapath, Decision, Ebpf, EndpointChoice, Iptables, Ipvs, Nftables, NoTable, Packet, Scheduler, Service,
    Table,
};
use serde::{Deserialize, Serialize};

/// A datapath, and its scheduler where it has one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// kube-proxy's iptables mode on xtables-legacy.
    IptablesLegacy,
    /// The same on nf_tables' compatibility layer.
    IptablesNft,
    /// kube-proxy's nftables mode.
    Nftables,
    /// kube-proxy's IPVS mode with this scheduler.
    Ipvs(String),
    /// The eBPF load balancer at tc, endpoints drawn.
    EbpfTc,
    /// The same at XDP.
    EbpfXdp,
    /// The same at tc, endpoints by Maglev tables.
    EbpfTcMaglev,
}

/// A target or a case that no model answers for.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// There is no such target.
    #[error("no model of {0:?}")]
    Unknown(Target),
    /// The load balancer cannot be programmed with the case's services.
    #[error(transparent)]
    NoTable(#[from] NoTable),
}

impl Target {
    /// Whether every decision follows from what came before, so that the kernel's sequence is the model's.
    #[must_use]
    pub fn is_deterministic(&self) -> bool {
        matches!(self, Self::Ipvs(_) | Self::EbpfTcMaglev)
    }

    /// A fresh model of a node with these services; `seed` rules what the kernel draws.
    pub(crate) fn model(&self, services: &[Service], seed: u64) -> Result<Box<dyn Datapath>, TargetError> {
        let addresses = Addresses::default();
        Ok(match self {
            Self::IptablesLegacy | Self::IptablesNft => Box::new(Iptables::new(addresses, services, seed)),
            Self::Nftables => Box::new(Nftables::new(addresses, services, seed)),
            Self::EbpfTc | Self::EbpfXdp => Box::new(Ebpf::new(services, EndpointChoice::Random, seed)?),
            Self::EbpfTcMaglev => Box::new(Ebpf::new(services, EndpointChoice::Maglev, seed)?),
            Self::Ipvs(scheduler) => {
                let scheduler: Scheduler = scheduler.parse().map_err(|_| TargetError::Unknown(self.clone()))?;
                // No decision depends on which table it is.
                Box::new(Ipvs::new(addresses, services, scheduler, Table::Fixed256, seed))
            }
        })
    }
}

/// What the model does with a packet, where its decision and its translated packet agree.
pub(crate) fn decide(model: &mut dyn Datapath, packet: &Packet) -> Option<Decision> {
    let outcome = model.process(packet);
    let leaves_for = match outcome.decision {
        Decision::Endpoint(address) => address,
        Decision::Route | Decision::Reject | Decision::Drop => packet.destination,
    };
    let agrees = outcome.packet.destination == leaves_for && outcome.packet.source == packet.source;
    agrees.then_some(outcome.decision)
}
