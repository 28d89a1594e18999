//! The programs over and over on packets that are written anew each time, for benches.

mod check;
mod stand;

pub use stand::{ENDPOINTS, KNOWN_FLOWS, LEAST_PACKETS, MOST_PACKETS, Packets, Stand, StandError};

use aya::maps::ProgramArray;
use aya::programs::ProgramFd;
use datapath_common::balancer::again::Order;
use datapath_common::balancer::{ConnectionKey, Endpoint, V4};
use datapath_common::frame::{Header, UDP, build};

use self::check::Flows;
use super::loaded::Loaded;
use super::test_run::{Ran, test_run};
use super::{Hook, compare};
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
struct Again {
    hook: Hook,
    device: u32,
    loaded: Loaded,
}

impl Again {
    /// Programs and attaches it in the calling thread's namespace, which is a topology's node. `aims`: most targets of an order.
    fn new(hook: Hook, workload: &Workload, aims: u32) -> Result<Self, BackendError> {
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

    /// Reads services and endpoints back.
    fn verify(&self, workload: &Workload) -> Result<(), BackendError> {
        BackendError::unless_equal(self.hook.kind(), compare::differences(&self.loaded.contents()?, workload))
    }

    /// What the connection tables hold.
    fn flows(&self) -> Result<Flows, BackendError> {
        Ok(Flows {
            connections: self.loaded.read("CONNECTIONS")?.into_iter().collect(),
            replies: self.loaded.read("REPLIES")?.into_iter().collect(),
        })
    }

    /// Empties the connection tables.
    fn forget(&self) -> Result<(), BackendError> {
        ["CONNECTIONS", "REPLIES"]
            .into_iter()
            .try_for_each(|name| self.loaded.empty::<ConnectionKey<V4>, Endpoint<V4>>(name))
    }

    /// Fills the table of targets that an order draws from.
    fn aim(&self, targets: &[Endpoint<V4>]) -> Result<(), BackendError> {
        let elements: Vec<_> = (0_u32..).zip(targets.iter().copied()).collect();
        self.loaded.write("AIMS", &elements).map(drop)
    }

    /// Sends `packets` packets of `order`, from its beginning, to what is behind the wrapper: the last one's fate, and the mean time of one.
    fn run(&mut self, behind: Behind, order: Order, packets: u32) -> Result<Ran, BackendError> {
        self.loaded.write("ORDER", &[(0_u32, order)])?;
        let [wrapper, idle] = self.names();
        let program = if behind == Behind::Balancer { self.hook.programs()[0] } else { idle };
        let fd = self.fd(program)?;
        let map = if self.hook == Hook::Tc { "TC_PROGRAM" } else { "XDP_PROGRAM" };
        let programs = self.loaded.ebpf().map_mut(map).ok_or(ProbeError::Missing { kind: "map", name: map })?;
        ProgramArray::try_from(programs)
            .and_then(|mut programs| programs.set(0, &fd, 0))
            .map_err(|source| ProbeError::Map { map, source })?;
        test_run(self.hook, &mut self.loaded, wrapper, &template(), self.device, packets)
    }

    fn fd(&mut self, program: &'static str) -> Result<ProgramFd, ProbeError> {
        let fd = match self.hook {
            Hook::Tc => classifier(self.loaded.ebpf(), program)?.fd().and_then(|fd| Ok(fd.try_clone()?)),
            Hook::Xdp => xdp(self.loaded.ebpf(), program)?.fd().and_then(|fd| Ok(fd.try_clone()?)),
        };
        fd.map_err(|source| ProbeError::Program { action: "use", program, source: Box::new(source) })
    }
}

/// The packet that the kernel makes once, by whose EtherType it classes all that the wrapper writes over it.
fn template() -> Vec<u8> {
    let nobody = Header {
        dst_mac: [0; 3],
        src_mac: [0; 3],
        src_be: [0; 2],
        dst_be: [0; 2],
        src_port_be: 0,
        dst_port_be: 0,
        segment: UDP,
        tag: 0,
    };
    build(&nobody).into_iter().flat_map(u16::to_ne_bytes).collect()
}
