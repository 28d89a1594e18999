//! A load balancer in eBPF, as kube-proxy's replacements have one: hash maps of services and connections, at tc ingress or as XDP.
//!
//! The programs are `datapath-ebpf`'s, their decisions `datapath_common::balancer`'s. Here the maps are laid out, filled and read
//! back. Programs, maps and XDP attachments live as long as this value, classifiers as long as their device.

mod again;
mod compare;
mod layout;
mod loaded;
mod render;
mod test_run;

pub use again::{Behind, ENDPOINTS, KNOWN_FLOWS, LEAST_PACKETS, MOST_PACKETS, Packets, Stand, StandError};
pub use layout::LayoutError;
pub use loaded::OBJECT;
pub use test_run::Ran;

use std::sync::{Mutex, MutexGuard, PoisonError};

use self::loaded::Loaded;
use super::{Backend, BackendError, ProgrammingCost, Rendered, Unready, XdpPrograms};
use crate::net::Topology;
use crate::result::{BackendKind, MapMemory};
use crate::workload::{AddressPlan, Protocol, Service, VipLayout, Workload, WorkloadSpec};

/// Where the programs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// tc ingress.
    Tc,
    /// XDP.
    Xdp,
}

impl Hook {
    /// The backend that works there.
    #[must_use]
    pub fn kind(self) -> BackendKind {
        match self {
            Self::Tc => BackendKind::EbpfTc,
            Self::Xdp => BackendKind::EbpfXdp,
        }
    }

    /// The programs of the client-side and of the backend-side device.
    #[must_use]
    pub fn programs(self) -> [&'static str; 2] {
        match self {
            Self::Tc => ["balancer_tc", "balancer_tc_reverse"],
            Self::Xdp => ["balancer_xdp", "balancer_xdp_reverse"],
        }
    }
}

/// The eBPF load balancer.
pub struct Balancer {
    hook: Hook,
    loaded: Mutex<Option<Loaded>>,
}

impl Balancer {
    /// A load balancer at this hook, not programmed yet.
    #[must_use]
    pub fn new(hook: Hook) -> Self {
        Self { hook, loaded: Mutex::new(None) }
    }

    fn loaded(&self) -> MutexGuard<'_, Option<Loaded>> {
        // What a panic left behind is checked by `verify` like anything else.
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Loaded) -> Result<T, BackendError>) -> Result<T, BackendError> {
        match self.loaded().as_mut() {
            Some(loaded) => work(loaded),
            None => Err(BackendError::NotApplied { backend: self.kind() }),
        }
    }
}

impl Backend for Balancer {
    fn kind(&self) -> BackendKind {
        self.hook.kind()
    }

    fn render(&self, workload: &Workload) -> Rendered {
        render::render(self.hook, &workload.repeated())
    }

    fn apply(&self, workload: &Workload) -> Result<ProgrammingCost, BackendError> {
        let workload = workload.repeated();
        let (mut loaded, mut cost) = Loaded::load(self.hook, &workload, 1)?;
        cost += loaded.program(&workload.services)?;
        cost += loaded.attach()?;
        *self.loaded() = Some(loaded);
        Ok(cost)
    }

    fn add_service(&self, workload: &Workload, added: &Service) -> Result<ProgrammingCost, BackendError> {
        let added = workload.scheduling.repeated(added);
        self.with(|loaded| loaded.program(std::slice::from_ref(&added)))
    }

    fn change_endpoint(
        &self,
        before: &Service,
        after: &Service,
        workload: &Workload,
    ) -> Result<ProgrammingCost, BackendError> {
        let [before, after] = [before, after].map(|service| workload.scheduling.repeated(service));
        self.with(|loaded| loaded.change(&before, &after))
    }

    fn verify(&self, workload: &Workload) -> Result<(), BackendError> {
        let contents = self.with(|loaded| loaded.contents())?;
        BackendError::unless_equal(self.kind(), compare::differences(&contents, &workload.repeated()))
    }

    /// The address is one more that the service is asked under.
    fn expose(&self, exposed: &Service, _: &Workload) -> Result<bool, BackendError> {
        self.with(|loaded| loaded.program(std::slice::from_ref(exposed))).map(|_| true)
    }

    fn clear(&self) -> Result<(), BackendError> {
        *self.loaded() = None;
        Ok(())
    }

    /// Needs the devices that the programs hang on, so it makes a topology of its own beside the caller's namespace.
    fn readiness(&self) -> Result<(), Unready> {
        let check = || -> Result<(), BackendError> {
            let workload = smallest()?;
            let topology = Topology::create(&workload.addresses)?;
            let _inside = topology.node.enter()?;
            self.apply(&workload)?;
            self.verify(&workload)?;
            self.clear()
        };
        check().map_err(|error| self.unready(&error))
    }

    fn maps(&self) -> Result<Vec<MapMemory>, BackendError> {
        self.with(|loaded| loaded.memory())
    }

    fn take_over_xdp(&self) -> Result<Option<XdpPrograms>, BackendError> {
        match self.hook {
            Hook::Tc => Ok(None),
            Hook::Xdp => self.with(|loaded| loaded.take_over_xdp()).map(Some),
        }
    }
}

impl Balancer {
    fn unready(&self, error: &BackendError) -> Unready {
        let remedy = "run as root on a kernel with eBPF, veth and clsact (5.15 or later), or use the vm venue".into();
        Unready { backend: self.kind(), reason: crate::chain::one_line(error), remedy }
    }
}

fn smallest() -> Result<Workload, BackendError> {
    let addresses = AddressPlan::default();
    let (layout, protocol) = (VipLayout::Sequential, Protocol::Tcp);
    let spec = WorkloadSpec { services: 1, endpoints: 2, layout, protocol, seed: 0, addresses };
    Workload::generate(&spec)
        .map_err(|error| BackendError::Parse { what: "the smallest workload".into(), reason: error.to_string() })
}
