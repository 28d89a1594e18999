//! The loaded programs and their maps.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use aya::maps::{Map, MapData};
use aya::programs::XdpMode;
use aya::programs::tc::TcAttachType;
use aya::programs::xdp::XdpLinkId;
use aya::{Ebpf, EbpfLoader, Pod};
use datapath_common::balancer::{Config, Endpoint, Service as Entry, ServiceKey, V4};

use super::Hook;
use super::layout::{FLOWS, Layout, Sizes, Slots, Writes};
use crate::backend::{BackendError, ProgrammingCost, XdpPrograms};
use crate::net::{Link, NODE_BACKEND_DEVICE, NODE_CLIENT_DEVICE, NetNs, Rtnl};
use crate::probe::{Filter, ProbeError, classifier, xdp};
use crate::result::MapMemory;
use crate::sys::bpf_batch::{Shape, read_all, take_all, update};
use crate::workload::{Service, Workload};

/// Built by `cargo xtask ebpf` from `datapath-ebpf/src/balancer`.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!("../../../../datapath-ebpf/balancer.bpf.o");

/// Behind the probe's.
const PRIORITY: u16 = 10;

/// Programs, maps, attachments.
pub(super) struct Loaded {
    // Before the programs that they belong to.
    filters: Vec<Filter>,
    client_side: Option<XdpLinkId>,
    hook: Hook,
    ebpf: Ebpf,
    layout: Layout,
}

/// What the maps hold.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) services: Vec<(ServiceKey<V4>, Entry)>,
    pub(super) endpoints: Vec<Endpoint<V4>>,
    pub(super) slots: Vec<Slots>,
}

impl Loaded {
    /// Creates maps with room for `workload`, and verifies the programs. What aya does in one go, reading the object and creating
    /// the maps, counts as outside the kernel, verification as inside. `aims`: targets of the bench's wrappers, at least 1.
    pub(super) fn load(hook: Hook, workload: &Workload, aims: u32) -> Result<(Self, ProgrammingCost), BackendError> {
        let sizes = Sizes::of(workload);
        let (ebpf, mut cost) = ProgrammingCost::of_user(|| create(sizes, aims));
        let mut ebpf = ebpf?;
        let (verified, verifying) = ProgrammingCost::of_kernel(|| verify(&mut ebpf, hook));
        verified?;
        cost += verifying;
        let layout = Layout::new(workload.endpoint_choice, sizes);
        let loaded = Self { filters: Vec::new(), client_side: None, hook, ebpf, layout };
        let config = Config { node: V4::new(workload.addresses.node_addr.octets()) };
        cost += loaded.write("CONFIG", &[(0_u32, config)])?;
        Ok((loaded, cost))
    }

    /// The programs.
    pub(super) fn ebpf(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }

    /// Hangs the programs on the node's devices.
    pub(super) fn attach(&mut self) -> Result<ProgrammingCost, BackendError> {
        let (attached, cost) = ProgrammingCost::of_kernel(|| self.attach_both());
        attached.map(|()| cost)
    }

    fn attach_both(&mut self) -> Result<(), BackendError> {
        let mut rtnl = Rtnl::open()?;
        let devices = [rtnl.link(NODE_CLIENT_DEVICE)?, rtnl.link(NODE_BACKEND_DEVICE)?];
        let namespace = NetNs::current()?;
        for (program, device) in self.hook.programs().into_iter().zip(&devices) {
            match self.hook {
                Hook::Tc => {
                    let ingress = TcAttachType::Ingress;
                    let filter = Filter::attach(&mut self.ebpf, program, &namespace, device, ingress, PRIORITY)?;
                    self.filters.push(filter);
                }
                Hook::Xdp => {
                    let link = attach_xdp(&mut self.ebpf, program, device)?;
                    self.client_side.get_or_insert(link);
                }
            }
        }
        Ok(())
    }

    /// Detaches the client-side XDP program and hands it on.
    pub(super) fn take_over_xdp(&mut self) -> Result<XdpPrograms, BackendError> {
        let [name, _] = self.hook.programs();
        let program = xdp(&mut self.ebpf, name)?;
        let refused = |action| move |source| ProbeError::Program { action, program: name, source: Box::new(source) };
        if let Some(link) = self.client_side.take() {
            program.detach(link).map_err(refused("detach"))?;
        }
        let client_side = program.fd().and_then(|fd| Ok(fd.try_clone()?)).map_err(refused("hand on"))?;
        Ok(XdpPrograms { client_side })
    }

    /// Adds services.
    pub(super) fn program(&mut self, services: &[Service]) -> Result<ProgrammingCost, BackendError> {
        let layout = &mut self.layout;
        let (writes, cost) = ProgrammingCost::of_user(|| {
            let mut writes = Writes::default();
            services.iter().try_for_each(|service| layout.add(service, &mut writes)).map(|()| writes)
        });
        Ok(cost + self.commit(writes?)?)
    }

    /// Turns a service into another.
    pub(super) fn change(&mut self, before: &Service, after: &Service) -> Result<ProgrammingCost, BackendError> {
        let layout = &mut self.layout;
        let (writes, cost) = ProgrammingCost::of_user(|| {
            let mut writes = Writes::default();
            layout.change(before, after, &mut writes).map(|()| writes)
        });
        Ok(cost + self.commit(writes?)?)
    }

    fn commit(&mut self, writes: Writes) -> Result<ProgrammingCost, BackendError> {
        let mut cost = self.write("ENDPOINTS", &writes.endpoints)?;
        cost += self.write("MAGLEV", &writes.slots)?;
        Ok(cost + self.write("SERVICES", &writes.services)?)
    }

    pub(super) fn write<K: Pod, V: Pod>(
        &self,
        name: &'static str,
        elements: &[(K, V)],
    ) -> Result<ProgrammingCost, BackendError> {
        let (map, shape) = self.map(name)?;
        let ((keys, values), sorting) =
            ProgrammingCost::of_user(|| elements.iter().copied().unzip::<_, _, Vec<K>, Vec<V>>());
        let (written, writing) = ProgrammingCost::of_kernel(|| update(map.fd().as_fd(), shape, &keys, &values));
        written.map_err(|source| refused(name, source))?;
        Ok(sorting + writing)
    }

    /// Reads the maps back.
    pub(super) fn contents(&self) -> Result<Contents, BackendError> {
        let values = |all: Vec<(u32, _)>| all.into_iter().map(|(_, value)| value).collect();
        Ok(Contents {
            services: self.read("SERVICES")?,
            endpoints: values(self.read("ENDPOINTS")?),
            slots: self.read::<u32, Slots>("MAGLEV")?.into_iter().map(|(_, value)| value).collect(),
        })
    }

    pub(super) fn read<K: Pod, V: Pod>(&self, name: &'static str) -> Result<Vec<(K, V)>, BackendError> {
        let (map, shape) = self.map(name)?;
        read_all(map.fd().as_fd(), shape).map_err(|source| refused(name, source))
    }

    /// Deletes every element of a hash map.
    pub(super) fn empty<K: Pod, V: Pod>(&self, name: &'static str) -> Result<(), BackendError> {
        let (map, shape) = self.map(name)?;
        take_all::<K, V>(map.fd().as_fd(), shape).map(drop).map_err(|source| refused(name, source))
    }

    /// What the kernel reckons for each map of the load balancer's own; those of the object that only benches use are left out.
    pub(super) fn memory(&self) -> Result<Vec<MapMemory>, BackendError> {
        let memory = |name: &'static str| {
            let (map, _) = self.map(name)?;
            let bytes = map_bytes(map.fd().as_fd()).map_err(|source| refused(name, source))?;
            Ok(MapMemory { name: name.to_owned(), bytes })
        };
        ["SERVICES", "ENDPOINTS", "MAGLEV", "CONNECTIONS", "REPLIES"].into_iter().map(memory).collect()
    }

    fn map(&self, name: &'static str) -> Result<(&MapData, Shape), BackendError> {
        let map = match self.ebpf.map(name) {
            Some(Map::HashMap(map) | Map::LruHashMap(map) | Map::Array(map)) => map,
            _ => return Err(ProbeError::Missing { kind: "map", name }.into()),
        };
        let info = map.info().map_err(|source| ProbeError::Map { map: name, source })?;
        Ok((map, Shape { key_size: info.key_size(), value_size: info.value_size() }))
    }
}

/// `memlock` of the descriptor's `/proc/self/fdinfo`.
fn map_bytes(map: BorrowedFd<'_>) -> io::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", map.as_raw_fd()))?;
    let bytes = text.lines().find_map(|line| line.strip_prefix("memlock:")?.trim().parse().ok());
    bytes.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "its fdinfo names no memlock"))
}

fn refused(map: &'static str, source: io::Error) -> BackendError {
    BackendError::Map { map, source }
}

fn create(sizes: Sizes, aims: u32) -> Result<Ebpf, ProbeError> {
    EbpfLoader::new()
        .btf(None)
        .map_max_entries("SERVICES", sizes.services)
        .map_max_entries("ENDPOINTS", sizes.endpoints)
        .map_max_entries("MAGLEV", sizes.slots)
        .map_max_entries("CONNECTIONS", FLOWS)
        .map_max_entries("REPLIES", FLOWS)
        .map_max_entries("AIMS", aims)
        .load(OBJECT)
        .map_err(|error| ProbeError::Load(Box::new(error)))
}

fn verify(ebpf: &mut Ebpf, hook: Hook) -> Result<(), ProbeError> {
    for name in hook.programs() {
        let verified = match hook {
            Hook::Tc => classifier(ebpf, name)?.load(),
            Hook::Xdp => xdp(ebpf, name)?.load(),
        };
        verified.map_err(|source| ProbeError::Program { action: "load", program: name, source: Box::new(source) })?;
    }
    Ok(())
}

fn attach_xdp(ebpf: &mut Ebpf, name: &'static str, device: &Link) -> Result<XdpLinkId, ProbeError> {
    let attached = xdp(ebpf, name)?.attach_to_if_index(device.index, XdpMode::Driver);
    attached.map_err(|source| ProbeError::Program { action: "attach", program: name, source: Box::new(source) })
}
