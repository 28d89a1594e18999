//! The loaded programs on a topology's devices.

use std::net::SocketAddrV4;

use aya::maps::{Array, MapData, MapError, PerCpuArray, ProgramArray};
use aya::programs::tc::TcAttachType;
use aya::programs::{ProgramError, ProgramFd, Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader, Pod};
use aya_log::EbpfLogger;
use datapath_common::probe::ProbeConfig;
use datapath_common::traffic::Replies;

use super::filter::{Filter, classifier};
use super::logs::ToTracing;
use super::{Destinations, ProbeError, Tally};
use crate::net::{Link, NetNs, Topology};
use crate::result::Bracket;

/// Built by `cargo xtask ebpf` from `datapath-ebpf`.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!("../../../datapath-ebpf/lbcurve.bpf.o");

const CLASSIFIERS: [&str; 6] = ["probe_entry", "probe_exit", "probe_exit_peer", "floor_exit", "responder", "sink"];
const XDP: [&str; 4] = ["pass", "generator", "probe_entry_xdp", "floor_exit_xdp"];
/// The map of what became of each flow.
pub(crate) const DECISIONS: &str = "DECISIONS";
const ENTRY_PRIORITY: u16 = 1;
/// Behind a program of the probe at the same hook.
const SECOND_PRIORITY: u16 = 2;

/// The second exit of a floor, while it is there.
#[must_use]
pub(crate) struct Floor {
    /// Of the tc bracket; the XDP bracket's is an element of a map.
    _filter: Option<Filter>,
}

/// Probe, responder, sink and generator on the devices of one topology. Dropping it detaches them.
pub struct Instrument {
    // Before the programs that they belong to.
    filters: Vec<Filter>,
    /// The exit.
    exit: Option<Filter>,
    pub(crate) ebpf: Ebpf,
    logger: EbpfLogger<ToTracing>,
    pub(crate) bracket: Bracket,
    /// What the entry of the XDP bracket hands packets on to.
    balancer: Option<ProgramFd>,
    pub(crate) cpus: u32,
    pub(crate) expected: Destinations,
    /// Flows whose decisions can be written down.
    pub(crate) decisions: u32,
    /// What the table of targets holds.
    pub(crate) aimed: Vec<SocketAddrV4>,
    pub(crate) client: NetNs,
    pub(crate) node: NetNs,
    pub(crate) pods: NetNs,
    pub(crate) client_link: Link,
    pub(crate) node_client_link: Link,
    pub(crate) node_backend_link: Link,
    pub(crate) pods_link: Link,
}

impl std::fmt::Debug for Instrument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instrument").field("expected", &self.expected).field("cpus", &self.cpus).finish_non_exhaustive()
    }
}

impl Instrument {
    /// Loads the programs and attaches them at the two hooks of `bracket`. Packets that leave the node for anything but `expected`
    /// are counted as misdirected. `balancer` runs behind the entry of the XDP bracket, at the same hook; the tc bracket begins
    /// behind that hook, so it takes none.
    ///
    /// # Errors
    /// [`ProbeError`], without root for lack of permission.
    pub fn attach(
        topology: &Topology,
        expected: Destinations,
        bracket: Bracket,
        balancer: Option<ProgramFd>,
    ) -> Result<Self, ProbeError> {
        Self::attach_for_decisions(topology, expected, bracket, balancer, 0)
    }

    /// As [`attach`](Self::attach), with room for the decisions of so many flows of an order.
    ///
    /// # Errors
    /// [`ProbeError`], without root for lack of permission.
    pub fn attach_for_decisions(
        topology: &Topology,
        expected: Destinations,
        bracket: Bracket,
        balancer: Option<ProgramFd>,
        decisions: u32,
    ) -> Result<Self, ProbeError> {
        let cpus = aya::util::nr_cpus().map_err(|(path, source)| ProbeError::Cpus { path, source })? as u32;
        let mut ebpf = load(cpus, decisions)?;
        let logger = EbpfLogger::init_with_logger(&mut ebpf, ToTracing)
            .map_err(|_| ProbeError::Missing { kind: "map", name: "AYA_LOGS" })?;
        attach_to_devices(&mut ebpf, topology, bracket, balancer.is_some())?;
        let filters = attach_filters(&mut ebpf, topology, bracket)?;
        let mut instrument = Self {
            filters,
            exit: None,
            ebpf,
            logger,
            bracket,
            balancer,
            cpus,
            expected,
            decisions,
            aimed: Vec::new(),
            client: topology.client.try_clone()?,
            node: topology.node.try_clone()?,
            pods: topology.backend.try_clone()?,
            client_link: topology.client_link.clone(),
            node_client_link: topology.node_client_link.clone(),
            node_backend_link: topology.node_backend_link.clone(),
            pods_link: topology.backend_link.clone(),
        };
        instrument.exit_of_bracket()?;
        instrument.restore_balancer()?;
        Ok(instrument)
    }

    /// Tells the exit what to do from now on, and empties its records.
    pub(crate) fn arm(&mut self, after: u16, count: u32, limit: u64) -> Result<(), ProbeError> {
        let Destinations { pods, port } = self.expected;
        let config = ProbeConfig {
            limit,
            pod_network_be: u32::from(pods.network()).to_be(),
            pod_mask_be: u32::from(pods.netmask()).to_be(),
            pod_port_be: port.to_be(),
            after,
            count,
        };
        self.set("PROBE", 0, config)?;
        Tally::reset(self.records()?, self.cpus)
    }

    /// What the exit has recorded since it was armed; what the programs logged goes to tracing.
    pub(crate) fn tally(&mut self) -> Result<Tally, ProbeError> {
        self.logger.flush();
        Tally::read(self.records()?, self.cpus)
    }

    /// What responder and sink have counted since the programs were loaded.
    pub(crate) fn replies(&self) -> Result<Replies, ProbeError> {
        let name = "REPLIES";
        let refused = |source| ProbeError::Map { map: name, source };
        let map = self.ebpf.map(name).ok_or(ProbeError::Missing { kind: "map", name })?;
        let map = PerCpuArray::<_, Replies>::try_from(map).map_err(refused)?;
        let values = map.get(&0, 0).map_err(refused)?;
        Ok(values.iter().fold(Replies::default(), |sum, cpu| Replies {
            answered: sum.answered + cpu.answered,
            swallowed: sum.swallowed + cpu.swallowed,
            matching: sum.matching + cpu.matching,
            foreign: sum.foreign + cpu.foreign,
        }))
    }

    /// Puts the exit where its bracket ends.
    pub(crate) fn exit_of_bracket(&mut self) -> Result<(), ProbeError> {
        match self.bracket {
            Bracket::Tc => {
                self.exit = None;
                let (node, device, egress) = (&self.node, &self.node_backend_link, TcAttachType::Egress);
                self.exit = Some(Filter::attach(&mut self.ebpf, "probe_exit", node, device, egress, ENTRY_PRIORITY)?);
                Ok(())
            }
            Bracket::Xdp => self.exit_of_pods(),
        }
    }

    /// Puts the exit into the pods' namespace, whatever the bracket: only what arrives there is counted. It stands before the responder.
    pub(crate) fn exit_of_pods(&mut self) -> Result<(), ProbeError> {
        self.exit = None;
        let (pods, device, ingress) = (&self.pods, &self.pods_link, TcAttachType::Ingress);
        self.exit = Some(Filter::attach(&mut self.ebpf, "probe_exit_peer", pods, device, ingress, ENTRY_PRIORITY)?);
        Ok(())
    }

    /// Takes the exit away, until it is put somewhere again.
    pub(crate) fn no_exit(&mut self) {
        self.exit = None;
    }

    /// Puts a second exit straight behind the entry, at the same hook, until [`Instrument::detach_floor`]: what it measures is
    /// the probe's own time.
    pub(crate) fn attach_floor(&mut self) -> Result<Floor, ProbeError> {
        let (node, device, ingress) = (&self.node, &self.node_client_link, TcAttachType::Ingress);
        if self.bracket == Bracket::Tc {
            let filter = Filter::attach(&mut self.ebpf, "floor_exit", node, device, ingress, SECOND_PRIORITY)?;
            return Ok(Floor { _filter: Some(filter) });
        }
        let name = "floor_exit_xdp";
        let used =
            |source: ProgramError| ProbeError::Program { action: "use", program: name, source: Box::new(source) };
        let floor = xdp(&mut self.ebpf, name)?.fd().and_then(|fd| Ok(fd.try_clone()?)).map_err(used)?;
        self.behind_entry(|programs| programs.set(0, &floor, 0))?;
        Ok(Floor { _filter: None })
    }

    /// Takes the second exit away again.
    pub(crate) fn detach_floor(&mut self, floor: Floor) -> Result<(), ProbeError> {
        drop(floor);
        if self.bracket == Bracket::Xdp && self.balancer.is_none() {
            self.behind_entry(|programs| programs.clear_index(&0))?;
        }
        self.restore_balancer()
    }

    fn restore_balancer(&mut self) -> Result<(), ProbeError> {
        let Some(balancer) = self.balancer.take() else { return Ok(()) };
        self.behind_entry(|programs| programs.set(0, &balancer, 0))?;
        self.balancer = Some(balancer);
        Ok(())
    }

    /// Changes what runs behind the entry of the XDP bracket.
    fn behind_entry(
        &mut self,
        change: impl FnOnce(&mut ProgramArray<&mut MapData>) -> Result<(), MapError>,
    ) -> Result<(), ProbeError> {
        let name = "BALANCER";
        let map = self.ebpf.map_mut(name).ok_or(ProbeError::Missing { kind: "map", name })?;
        ProgramArray::try_from(map)
            .and_then(|mut programs| change(&mut programs))
            .map_err(|source| ProbeError::Map { map: name, source })
    }

    /// Writes one element of an array map.
    pub(crate) fn set<V: Pod>(&mut self, name: &'static str, index: u32, value: V) -> Result<(), ProbeError> {
        let map = self.ebpf.map_mut(name).ok_or(ProbeError::Missing { kind: "map", name })?;
        Array::<_, V>::try_from(map)
            .and_then(|mut array| array.set(index, value, 0))
            .map_err(|source| ProbeError::Map { map: name, source })
    }

    /// Reads the first element of an array map.
    pub(crate) fn get<V: Pod>(&self, name: &'static str) -> Result<V, ProbeError> {
        let map = self.ebpf.map(name).ok_or(ProbeError::Missing { kind: "map", name })?;
        Array::<_, V>::try_from(map)
            .and_then(|array| array.get(&0, 0))
            .map_err(|source| ProbeError::Map { map: name, source })
    }

    fn records(&self) -> Result<&MapData, ProbeError> {
        match self.ebpf.map("RECORDS") {
            Some(aya::maps::Map::Array(map)) => Ok(map),
            _ => Err(ProbeError::Missing { kind: "map", name: "RECORDS" }),
        }
    }
}

impl Drop for Instrument {
    fn drop(&mut self) {
        self.exit = None;
        self.filters.clear();
        self.logger.flush();
    }
}

/// Creates maps and verifies programs. The kernel's own type information is left alone: nothing is relocated against it.
fn load(cpus: u32, decisions: u32) -> Result<Ebpf, ProbeError> {
    let mut ebpf = EbpfLoader::new()
        .btf(None)
        .map_max_entries("RECORDS", cpus)
        .map_max_entries(DECISIONS, decisions.max(1))
        .load(OBJECT)
        .map_err(|error| ProbeError::Load(Box::new(error)))?;
    let refused = |program, source| ProbeError::Program { action: "load", program, source: Box::new(source) };
    for name in CLASSIFIERS {
        classifier(&mut ebpf, name)?.load().map_err(|source| refused(name, source))?;
    }
    for name in XDP {
        xdp(&mut ebpf, name)?.load().map_err(|source| refused(name, source))?;
    }
    Ok(ebpf)
}

/// The XDP program of this name.
pub(crate) fn xdp<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Xdp, ProbeError> {
    let program = ebpf.program_mut(name).ok_or(ProbeError::Missing { kind: "program", name })?;
    program.try_into().map_err(|source| ProbeError::Program { action: "use", program: name, source: Box::new(source) })
}

/// XDP programs of every device. A veth registers its receive queues, which live frames need, while a native XDP program is on it,
/// and takes frames that its peer sends by XDP only then. In the XDP bracket all four have one whatever the backend, so that all
/// packets take the same way; `has_balancer`: the backend has put one on the backend-side device itself.
fn attach_to_devices(
    ebpf: &mut Ebpf,
    topology: &Topology,
    bracket: Bracket,
    has_balancer: bool,
) -> Result<(), ProbeError> {
    let Topology { client, node, backend, client_link, node_client_link, node_backend_link, backend_link } = topology;
    attach_xdp(ebpf, "pass", client, client_link)?;
    if bracket == Bracket::Tc {
        return attach_xdp(ebpf, "pass", node, node_client_link);
    }
    attach_xdp(ebpf, "probe_entry_xdp", node, node_client_link)?;
    attach_xdp(ebpf, "pass", backend, backend_link)?;
    if has_balancer { Ok(()) } else { attach_xdp(ebpf, "pass", node, node_backend_link) }
}

fn attach_xdp(ebpf: &mut Ebpf, program: &'static str, namespace: &NetNs, device: &Link) -> Result<(), ProbeError> {
    let _inside = namespace.enter()?;
    let attached = xdp(ebpf, program)?.attach_to_if_index(device.index, XdpMode::Driver);
    let refused = |source| ProbeError::Program { action: "attach", program, source: Box::new(source) };
    attached.map(|_| ()).map_err(refused)
}

/// All but the exit, which moves.
fn attach_filters(ebpf: &mut Ebpf, topology: &Topology, bracket: Bracket) -> Result<Vec<Filter>, ProbeError> {
    let Topology { client, node, backend, client_link, node_client_link, backend_link, .. } = topology;
    let ingress = TcAttachType::Ingress;
    let mut filters = vec![
        Filter::attach(ebpf, "sink", client, client_link, ingress, ENTRY_PRIORITY)?,
        Filter::attach(ebpf, "responder", backend, backend_link, ingress, SECOND_PRIORITY)?,
    ];
    if bracket == Bracket::Tc {
        filters.push(Filter::attach(ebpf, "probe_entry", node, node_client_link, ingress, ENTRY_PRIORITY)?);
    }
    Ok(filters)
}
