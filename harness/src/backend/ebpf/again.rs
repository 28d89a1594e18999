//! The programs over and over on packets that are written anew each time, for a bench.

use std::net::SocketAddrV4;
use std::time::Duration;

use aya::maps::ProgramArray;
use aya::programs::ProgramFd;
use datapath_common::balancer::again::Order;
use datapath_common::balancer::{Endpoint, V4};
use datapath_common::frame::FRAME_LEN;

use super::Hook;
use super::loaded::Loaded;
use super::test_run::test_run;
use crate::backend::BackendError;
use crate::net::{NODE_CLIENT_DEVICE, Rtnl};
use crate::probe::{ProbeError, classifier, xdp};
use crate::workload::Workload;

/// What the wrapper hands its packets to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// The load balancer's forward program.
    Balancer,
    /// A program that does nothing: what is measured then is the wrapper's own cost.
    Nothing,
}

/// The load balancer with a wrapper before it that writes every packet anew: `BPF_PROG_TEST_RUN` repeats a program on what the last
/// repetition has left, so that only the first would meet the VIP.
pub struct Again {
    hook: Hook,
    device: u32,
    loaded: Loaded,
}

impl Again {
    /// Programs and attaches it in the calling thread's namespace, which is a topology's node. `aims`: most targets of an order.
    ///
    /// # Errors
    /// [`BackendError`].
    pub fn new(hook: Hook, workload: &Workload, aims: u32) -> Result<Self, BackendError> {
        let (mut loaded, _) = Loaded::load(hook, workload, aims)?;
        loaded.program(&workload.services)?;
        loaded.attach()?;
        let device = Rtnl::open()?.link(NODE_CLIENT_DEVICE)?.index;
        let mut again = Self { hook, device, loaded };
        for name in again.names() {
            again.load(name)?;
        }
        Ok(again)
    }

    /// Wrapper and idle program.
    fn names(&self) -> [&'static str; 2] {
        match self.hook {
            Hook::Tc => ["again_tc", "nothing_tc"],
            Hook::Xdp => ["again_xdp", "nothing_xdp"],
        }
    }

    fn load(&mut self, program: &'static str) -> Result<(), ProbeError> {
        let loaded = match self.hook {
            Hook::Tc => classifier(self.loaded.ebpf(), program)?.load(),
            Hook::Xdp => xdp(self.loaded.ebpf(), program)?.load(),
        };
        loaded.map_err(|source| ProbeError::Program { action: "load", program, source: Box::new(source) })
    }

    /// Fills the table of targets that an order draws from.
    ///
    /// # Errors
    /// [`BackendError::Map`].
    pub fn aim(&mut self, targets: &[SocketAddrV4]) -> Result<(), BackendError> {
        let element = |target: &SocketAddrV4| Endpoint::new(V4::new(target.ip().octets()), target.port().to_be());
        let elements: Vec<_> = (0_u32..).zip(targets.iter().map(element)).collect();
        self.loaded.write("AIMS", &elements).map(drop)
    }

    /// Sends `packets` packets of `order`, from its beginning, to what is behind the wrapper: the mean time of one.
    ///
    /// # Errors
    /// [`BackendError`].
    pub fn run(&mut self, behind: Behind, order: Order, packets: u32) -> Result<Duration, BackendError> {
        self.loaded.write("ORDER", &[(0_u32, order)])?;
        let [wrapper, idle] = self.names();
        let program = if behind == Behind::Balancer { self.hook.programs()[0] } else { idle };
        let fd = self.fd(program)?;
        let map = if self.hook == Hook::Tc { "TC_PROGRAM" } else { "XDP_PROGRAM" };
        let programs = self.loaded.ebpf().map_mut(map).ok_or(ProbeError::Missing { kind: "map", name: map })?;
        ProgramArray::try_from(programs)
            .and_then(|mut programs| programs.set(0, &fd, 0))
            .map_err(|source| ProbeError::Map { map, source })?;
        Ok(test_run(self.hook, &mut self.loaded, wrapper, &[0; FRAME_LEN], self.device, packets)?.duration)
    }

    fn fd(&mut self, program: &'static str) -> Result<ProgramFd, ProbeError> {
        let fd = match self.hook {
            Hook::Tc => classifier(self.loaded.ebpf(), program)?.fd().and_then(|fd| Ok(fd.try_clone()?)),
            Hook::Xdp => xdp(self.loaded.ebpf(), program)?.fd().and_then(|fd| Ok(fd.try_clone()?)),
        };
        fd.map_err(|source| ProbeError::Program { action: "use", program, source: Box::new(source) })
    }
}
