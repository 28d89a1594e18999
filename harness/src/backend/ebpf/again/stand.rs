//! Where the load balancer is timed by `BPF_PROG_TEST_RUN`: a node of its own with N services, and packets that meet the tables in the
//! state that is asked for.

use std::time::{Duration, Instant};

use datapath_common::balancer::again::Order;
use datapath_common::balancer::{Endpoint, V4};

use super::super::Hook;
use super::super::layout::{FLOWS, endpoints, vip};
use super::check::{Expected, Flows, Passage};
use super::{Again, Behind};
use crate::backend::BackendError;
use crate::net::Topology;
use crate::workload::{AddressPlan, Protocol, VipLayout, Workload, WorkloadError, WorkloadSpec};

/// Endpoints of every service, drawn at random.
pub const ENDPOINTS: u32 = 10;
/// Flows that [`Packets::Existing`] belong to, in turn.
pub const KNOWN_FLOWS: u32 = 10_000;
/// Least packets of a run: with fewer it cannot be told whether full tables have forgotten flows for them.
pub const LEAST_PACKETS: u32 = 1_000;
/// Most packets of a run: as many new flows fit the connection tables beside those that are known.
pub const MOST_PACKETS: u32 = FLOWS - KNOWN_FLOWS - SLACK;

/// Elements that a full table may lack: each CPU keeps a list of free ones for itself (kernel/bpf/bpf_lru_list.c).
const SLACK: u32 = 1 << 14;
const SEED: u64 = 42;

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packets {
    /// Of flows that are in the connection table: hits.
    Existing,
    /// Each the first of its flow, and the connection tables have room for it.
    New,
    /// Each the first of its flow, for which another is forgotten.
    NewWhenFull,
    /// To a pod's own address: no service, no flow.
    Miss,
}

impl Packets {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Existing, Self::New, Self::NewWhenFull, Self::Miss];

    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Existing => "existing flow",
            Self::New => "new flow",
            Self::NewWhenFull => "new flow, tables full",
            Self::Miss => "miss",
        }
    }

    fn expected(self) -> Expected {
        match self {
            Self::Existing => Expected::Hit,
            Self::New => Expected::Opened,
            Self::NewWhenFull => Expected::Replaced,
            Self::Miss => Expected::Missed,
        }
    }
}

/// Why there is nothing to time.
#[derive(Debug, thiserror::Error)]
pub enum StandError {
    /// The services do not fit the address ranges.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The load balancer cannot be programmed or run, or packets met other tables than they were to meet.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// A node with N services x [`ENDPOINTS`] behind a hook.
pub struct Stand {
    hook: Hook,
    // Before the namespaces that it lives in.
    again: Again,
    topology: Topology,
    workload: Workload,
    aimed_at: Vec<Endpoint<V4>>,
    flows: Flows,
    /// Whether the known flows are in the connection tables.
    known: bool,
    next_flow: u64,
    programming: Duration,
}

impl Stand {
    /// Programs N services and reads them back.
    ///
    /// # Errors
    /// [`StandError`].
    pub fn new(hook: Hook, services: u32) -> Result<Self, StandError> {
        let (layout, protocol, addresses) = (VipLayout::Sequential, Protocol::Udp, AddressPlan::default());
        let spec = WorkloadSpec { services, endpoints: ENDPOINTS, layout, protocol, seed: SEED, addresses };
        let workload = Workload::generate(&spec)?;
        let topology = Topology::create(&addresses).map_err(BackendError::from)?;
        let inside = topology.node.enter().map_err(BackendError::from)?;
        let start = Instant::now();
        let again = Again::new(hook, &workload, services)?;
        let programming = start.elapsed();
        again.verify(&workload)?;
        drop(inside);
        let (aimed_at, flows, next_flow) = (Vec::new(), Flows::default(), KNOWN_FLOWS.into());
        Ok(Self { hook, again, topology, workload, aimed_at, flows, known: false, next_flow, programming })
    }

    /// What loading the programs and filling the maps took.
    #[must_use]
    pub fn programming(&self) -> Duration {
        self.programming
    }

    /// Sends `packets` packets of a kind, [`LEAST_PACKETS`] to [`MOST_PACKETS`], to what is behind the wrapper: the mean time of one,
    /// in whole nanoseconds, as the kernel gives it.
    ///
    /// # Errors
    /// What became of the packets is not what becomes of their kind: a hit that was none, a flow that was not new. Else [`StandError`].
    pub fn run(&mut self, kind: Packets, behind: Behind, packets: u32) -> Result<Duration, StandError> {
        let packets = packets.clamp(LEAST_PACKETS, MOST_PACKETS);
        let _inside = self.topology.node.enter().map_err(BackendError::from)?;
        if behind == Behind::Balancer {
            self.prepare(kind, packets)?;
        }
        let order = self.order(kind, packets);
        let expected = if behind == Behind::Balancer { kind.expected() } else { Expected::Untouched };
        Ok(self.pass(kind, expected, order, packets)?)
    }

    /// Brings the tables into the state that a kind of packets is about.
    fn prepare(&mut self, kind: Packets, packets: u32) -> Result<(), BackendError> {
        let written = self.flows.connections.len() as u32;
        match kind {
            Packets::Existing if !self.known => {
                self.forget()?;
                self.open(kind, Expected::Opened, KNOWN_FLOWS)?;
                self.known = true;
            }
            Packets::New if written + packets + SLACK > FLOWS => self.forget()?,
            Packets::NewWhenFull if written + SLACK < FLOWS => {
                self.open(kind, Expected::Opened, FLOWS - SLACK - written)?;
                self.open(kind, Expected::Replaced, 2 * SLACK)?;
                self.known = false;
            }
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, kind: Packets, expected: Expected, flows: u32) -> Result<(), BackendError> {
        let order = self.order(kind, flows);
        self.pass(kind, expected, order, flows).map(drop)
    }

    fn forget(&mut self) -> Result<(), BackendError> {
        self.again.forget()?;
        (self.flows, self.known) = (Flows::default(), false);
        Ok(())
    }

    /// The next packets of a kind.
    fn order(&mut self, kind: Packets, packets: u32) -> Order {
        let (first_flow, flows) = match kind {
            Packets::Existing => (0, KNOWN_FLOWS),
            Packets::New | Packets::NewWhenFull | Packets::Miss => (self.next_flow, packets),
        };
        self.next_flow = self.next_flow.max(first_flow + u64::from(flows));
        let client_base = u32::from(self.workload.addresses.client_range.network()) + 1;
        let targets = self.workload.services.len() as u32;
        Order { seed: SEED, first_flow, flows: flows.into(), cursor: 0, targets, client_base }
    }

    /// Sends packets and holds what became of them to what was expected.
    fn pass(
        &mut self,
        kind: Packets,
        expected: Expected,
        order: Order,
        packets: u32,
    ) -> Result<Duration, BackendError> {
        let aims = self.aims(kind);
        if aims != self.aimed_at {
            self.again.aim(&aims)?;
            self.aimed_at = aims;
        }
        let behind = if expected == Expected::Untouched { Behind::Nothing } else { Behind::Balancer };
        let last = self.again.run(behind, order, packets)?;
        // What does nothing touches no table, and reading one takes longer than filling it.
        let after = if behind == Behind::Nothing { self.flows.clone() } else { self.again.flows()? };
        let passage = Passage {
            hook: self.hook,
            expected,
            order,
            packets,
            aims: &self.aimed_at,
            services: &self.workload.services,
            before: &self.flows,
            after: &after,
            last: &last,
        };
        BackendError::unless_equal(self.hook.kind(), passage.differences())?;
        self.flows = after;
        Ok(last.duration)
    }

    /// A target a service: its VIP, or a pod of it.
    fn aims(&self, kind: Packets) -> Vec<Endpoint<V4>> {
        let services = self.workload.services.iter();
        match kind {
            Packets::Miss => services.filter_map(|service| endpoints(service).first().copied()).collect(),
            _ => services.map(|service| Endpoint::new(vip(service), service.port.to_be())).collect(),
        }
    }
}
