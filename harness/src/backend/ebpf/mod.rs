//! A load balancer in eBPF, as kube-proxy's replacements have one: hash maps of services and of connections.

use super::{Backend, BackendError, ProgrammingCost, Rendered, Unready};
use crate::result::BackendKind;
use crate::workload::{Service, Workload};

/// Where the programs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    /// tc ingress.
    Tc,
    /// XDP.
    Xdp,
}

/// The eBPF load balancer.
pub(crate) struct Balancer {
    hook: Hook,
}

impl Balancer {
    pub(crate) fn new(hook: Hook) -> Self {
        Self { hook }
    }

    fn unready(&self) -> Unready {
        let reason = "its programs are not part of this lbcurve yet".to_owned();
        Unready { backend: self.kind(), reason, remedy: "use a later one".into() }
    }
}

impl Backend for Balancer {
    fn kind(&self) -> BackendKind {
        match self.hook {
            Hook::Tc => BackendKind::EbpfTc,
            Hook::Xdp => BackendKind::EbpfXdp,
        }
    }

    fn render(&self, _: &Workload) -> Rendered {
        Rendered::default()
    }

    fn apply(&self, _: &Workload) -> Result<ProgrammingCost, BackendError> {
        Err(self.unready().into())
    }

    fn add_service(&self, _: &Workload, _: &Service) -> Result<ProgrammingCost, BackendError> {
        Err(self.unready().into())
    }

    fn change_endpoint(&self, _: &Service, _: &Service, _: &Workload) -> Result<ProgrammingCost, BackendError> {
        Err(self.unready().into())
    }

    fn verify(&self, _: &Workload) -> Result<(), BackendError> {
        Err(self.unready().into())
    }

    fn clear(&self) -> Result<(), BackendError> {
        Ok(())
    }

    fn readiness(&self) -> Result<(), Unready> {
        Err(self.unready())
    }
}
