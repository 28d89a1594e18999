//! The datapaths under test: render, apply, verify, clear.
//!
//! Each one is programmed as kube-proxy 1.36 programs it: the same chains, rules, sets, addresses and sysctls through the same
//! tools, or through netlink where kube-proxy uses that. Every method that touches the kernel acts on the calling thread's
//! network namespace, which the caller has entered; tools that are started inherit it.

mod cost;
mod direct;
mod direct_conntrack;
pub mod dump;
pub mod ebpf;
mod error;
mod exec;
#[cfg(test)]
mod golden;
pub mod iptables;
pub mod ipvs;
#[cfg(test)]
mod model;
mod names;
pub mod nftables;
mod rendered;

pub use cost::ProgrammingCost;
pub use error::{BackendError, Unready};
pub use rendered::{Document, Rendered};

use aya::programs::ProgramFd;

use crate::result::{BackendKind, MapMemory};
use crate::workload::{Service, Workload};

/// One datapath.
pub trait Backend: Send + Sync {
    /// Which one it is.
    fn kind(&self) -> BackendKind;

    /// What [`apply`](Self::apply) would program, as text. Touches nothing.
    fn render(&self, workload: &Workload) -> Rendered;

    /// Programs the whole workload into a namespace that holds nothing of this backend.
    ///
    /// # Errors
    /// [`BackendError`] where a tool or the kernel refuses; what was programmed until then stays, [`clear`](Self::clear) removes it.
    fn apply(&self, workload: &Workload) -> Result<ProgrammingCost, BackendError>;

    /// Adds `added`, the way kube-proxy does for a service that appears. `workload` is what the kernel shall hold afterwards:
    /// it contains `added`.
    ///
    /// # Errors
    /// [`BackendError`].
    fn add_service(&self, workload: &Workload, added: &Service) -> Result<ProgrammingCost, BackendError>;

    /// Turns `before` into `after`, the way kube-proxy does when a service's endpoints change. `workload` is what the kernel
    /// shall hold afterwards: it contains `after`.
    ///
    /// # Errors
    /// [`BackendError`].
    fn change_endpoint(
        &self,
        before: &Service,
        after: &Service,
        workload: &Workload,
    ) -> Result<ProgrammingCost, BackendError>;

    /// Reads the kernel back and compares it with `workload`, service by service and rule by rule.
    ///
    /// # Errors
    /// [`BackendError::Mismatch`] lists what differs.
    fn verify(&self, workload: &Workload) -> Result<(), BackendError>;

    /// Gives a service of `workload` a further address, a load balancer's: `exposed` is the service with that as its VIP. It is programmed the way
    /// kube-proxy does for what stands in a Service's `status.loadBalancer` (policy Cluster, no node port). Returns whether this backend has
    /// anything to program for it. [`verify`](Self::verify) knows nothing of it, [`clear`](Self::clear) removes it.
    ///
    /// # Errors
    /// [`BackendError`].
    fn expose(&self, _exposed: &Service, _workload: &Workload) -> Result<bool, BackendError> {
        Ok(false)
    }

    /// Takes the filter rules out that kube-proxy did not have before v1.27, or that it has for addresses of services only. Returns
    /// whether this backend has any.
    ///
    /// # Errors
    /// [`BackendError`].
    fn remove_filter(&self) -> Result<bool, BackendError> {
        Ok(false)
    }

    /// Removes everything that this backend programs.
    ///
    /// # Errors
    /// [`BackendError`].
    fn clear(&self) -> Result<(), BackendError>;

    /// Whether the tools and the kernel can run this backend. Programs and removes rules: to be called in a namespace of its own.
    ///
    /// # Errors
    /// [`Unready`] names what is missing and the remedy.
    fn readiness(&self) -> Result<(), Unready>;

    /// Where this kernel made the backend differ from kube-proxy's usual shape, in kube-proxy's own way. Empty before
    /// [`apply`](Self::apply) or [`readiness`](Self::readiness) have found out.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// The eBPF maps that hold what was programmed, with the memory that the kernel reckons for each; none for the kernel's own datapaths.
    ///
    /// # Errors
    /// [`BackendError`] where the backend is not programmed.
    fn maps(&self) -> Result<Vec<MapMemory>, BackendError> {
        Ok(Vec::new())
    }

    /// Hands the XDP programs of this backend over to whoever else has a program at the node's client-side device. That hook takes
    /// one program: from this call on the caller runs the client-side one there, by a tail call from its own, and the backend's own
    /// attachment is gone. `None` for backends without XDP.
    ///
    /// # Errors
    /// [`BackendError`] where the backend is not programmed or its program cannot be detached.
    fn take_over_xdp(&self) -> Result<Option<XdpPrograms>, BackendError> {
        Ok(None)
    }
}

/// XDP programs of a backend, loaded.
#[derive(Debug)]
pub struct XdpPrograms {
    /// For the node's client-side device: an element of the caller's program array.
    pub client_side: ProgramFd,
}

/// The backend of a kind.
#[must_use]
pub fn backend(kind: BackendKind) -> Box<dyn Backend> {
    match kind {
        BackendKind::Direct => Box::new(direct::Direct),
        BackendKind::DirectConntrack => Box::new(direct_conntrack::DirectConntrack),
        BackendKind::IptablesLegacy => Box::new(iptables::Iptables::new(iptables::Flavour::Legacy)),
        BackendKind::IptablesNft => Box::new(iptables::Iptables::new(iptables::Flavour::Nft)),
        BackendKind::Ipvs => Box::new(ipvs::Ipvs),
        BackendKind::Nftables => Box::new(nftables::Nftables),
        BackendKind::EbpfTc => Box::new(ebpf::Balancer::new(ebpf::Hook::Tc)),
        BackendKind::EbpfXdp => Box::new(ebpf::Balancer::new(ebpf::Hook::Xdp)),
    }
}
