//! The loaded programs on a topology's devices.

use std::net::SocketAddrV4;

use aya::maps::{Array, MapData, PerCpuArray};
use aya::programs::tc::TcAttachType;
use aya::programs::{Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader, Pod};
use aya_log::EbpfLogger;
use datapath_common::probe::ProbeConfig;
use datapath_common::traffic::Replies;

use super::filter::{Filter, classifier};
use super::logs::ToTracing;
use super::{Destinations, ProbeError, Tally};
use crate::net::{Link, NetNs, Topology};

/// Built by `cargo xtask ebpf` from `datapath-ebpf`.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!("../../../datapath-ebpf/lbcurve.bpf.o");

const CLASSIFIERS: [&str; 5] = ["probe_entry", "probe_exit", "floor_exit", "responder", "sink"];
const ENTRY_PRIORITY: u16 = 1;
const FLOOR_PRIORITY: u16 = 2;

/// Probe, responder, sink and generator on the devices of one topology. Dropping it detaches them.
pub struct Instrument {
    // Before the programs that they belong to.
    filters: Vec<Filter>,
    pub(crate) ebpf: Ebpf,
    logger: EbpfLogger<ToTracing>,
    cpus: u32,
    expected: Destinations,
    /// What the table of targets holds.
    pub(crate) aimed: Vec<SocketAddrV4>,
    pub(crate) client: NetNs,
    pub(crate) node: NetNs,
    pub(crate) client_link: Link,
    pub(crate) node_client_link: Link,
}

impl std::fmt::Debug for Instrument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instrument").field("expected", &self.expected).field("cpus", &self.cpus).finish_non_exhaustive()
    }
}

impl Instrument {
    /// Loads the programs and attaches them. Packets that leave the node for anything but `expected` are counted as
    /// misdirected.
    ///
    /// # Errors
    /// [`ProbeError`], without root for lack of permission.
    pub fn attach(topology: &Topology, expected: Destinations) -> Result<Self, ProbeError> {
        let cpus = aya::util::nr_cpus().map_err(|(path, source)| ProbeError::Cpus { path, source })? as u32;
        let mut ebpf = load(cpus)?;
        let logger = EbpfLogger::init_with_logger(&mut ebpf, ToTracing)
            .map_err(|_| ProbeError::Missing { kind: "map", name: "AYA_LOGS" })?;
        attach_xdp(&mut ebpf, &topology.client, &topology.client_link)?;
        attach_xdp(&mut ebpf, &topology.node, &topology.node_client_link)?;
        let filters = attach_filters(&mut ebpf, topology)?;
        Ok(Self {
            filters,
            ebpf,
            logger,
            cpus,
            expected,
            aimed: Vec::new(),
            client: duplicate(&topology.client)?,
            node: duplicate(&topology.node)?,
            client_link: topology.client_link.clone(),
            node_client_link: topology.node_client_link.clone(),
        })
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

    /// Puts a second exit straight behind the entry until the result is dropped: what it measures is the probe's own time.
    pub(crate) fn attach_floor(&mut self) -> Result<impl Drop + use<>, ProbeError> {
        let (node, device) = (&self.node, &self.node_client_link);
        Filter::attach(&mut self.ebpf, "floor_exit", node, device, TcAttachType::Ingress, FLOOR_PRIORITY)
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
        self.filters.clear();
        self.logger.flush();
    }
}

fn duplicate(namespace: &NetNs) -> Result<NetNs, ProbeError> {
    let _inside = namespace.enter()?;
    Ok(NetNs::current()?)
}

/// Creates maps and verifies programs. The kernel's own type information is left alone: nothing is relocated against it.
fn load(cpus: u32) -> Result<Ebpf, ProbeError> {
    let mut ebpf = EbpfLoader::new()
        .btf(None)
        .map_max_entries("RECORDS", cpus)
        .load(OBJECT)
        .map_err(|error| ProbeError::Load(Box::new(error)))?;
    let refused = |program, source| ProbeError::Program { action: "load", program, source: Box::new(source) };
    for name in CLASSIFIERS {
        classifier(&mut ebpf, name)?.load().map_err(|source| refused(name, source))?;
    }
    for name in ["pass", "generator"] {
        xdp(&mut ebpf, name)?.load().map_err(|source| refused(name, source))?;
    }
    Ok(ebpf)
}

/// The XDP program of this name.
pub(crate) fn xdp<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Xdp, ProbeError> {
    let program = ebpf.program_mut(name).ok_or(ProbeError::Missing { kind: "program", name })?;
    program.try_into().map_err(|source| ProbeError::Program { action: "use", program: name, source: Box::new(source) })
}

/// A veth registers its receive queues, which live frames need, while a native XDP program is on it.
fn attach_xdp(ebpf: &mut Ebpf, namespace: &NetNs, device: &Link) -> Result<(), ProbeError> {
    let _inside = namespace.enter()?;
    let attached = xdp(ebpf, "pass")?.attach_to_if_index(device.index, XdpMode::Driver);
    attached.map(|_| ()).map_err(|source| ProbeError::Program {
        action: "attach",
        program: "pass",
        source: Box::new(source),
    })
}

fn attach_filters(ebpf: &mut Ebpf, topology: &Topology) -> Result<Vec<Filter>, ProbeError> {
    let Topology { client, node, backend, client_link, node_client_link, node_backend_link, backend_link } = topology;
    let (ingress, egress) = (TcAttachType::Ingress, TcAttachType::Egress);
    Ok(vec![
        Filter::attach(ebpf, "probe_entry", node, node_client_link, ingress, ENTRY_PRIORITY)?,
        Filter::attach(ebpf, "probe_exit", node, node_backend_link, egress, ENTRY_PRIORITY)?,
        Filter::attach(ebpf, "responder", backend, backend_link, ingress, ENTRY_PRIORITY)?,
        Filter::attach(ebpf, "sink", client, client_link, ingress, ENTRY_PRIORITY)?,
    ])
}
