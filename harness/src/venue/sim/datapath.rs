//! A workload as the models take it, and the model of a backend.

use std::net::SocketAddrV4;

use datapath_sim::{
    Addresses, Datapath, Direct, DirectConntrack, Ebpf, Endpoint, Iptables, Ipvs, Nftables, NoTable, Protocol, Range,
    Service, Table,
};

use super::Model;
use crate::result::BackendKind;
use crate::workload::{self, AddressPlan, Workload};

/// A workload's services and address ranges.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) workload: Workload,
    pub(crate) services: Vec<Service>,
    pub(crate) addresses: Addresses,
}

impl Site {
    pub(crate) fn of(workload: Workload) -> Self {
        let of_model = |one: &workload::Service| service(one, workload.scheduling);
        let services = workload.services.iter().map(of_model).collect();
        Self { services, addresses: addresses(&workload.addresses), workload }
    }

    /// A node with these services. `seed` rules what a kernel would draw.
    pub(super) fn node(&self, model: Model, backend: BackendKind, seed: u64) -> Result<Box<dyn Datapath>, NoTable> {
        let (addresses, services) = (self.addresses, &self.services[..]);
        Ok(match backend {
            BackendKind::Direct => Box::new(Direct),
            BackendKind::DirectConntrack => Box::new(DirectConntrack::default()),
            BackendKind::IptablesLegacy | BackendKind::IptablesNft => Box::new(self.iptables(seed)),
            BackendKind::Ipvs => Box::new(self.ipvs(model.table(seed), seed)),
            BackendKind::Nftables => Box::new(Nftables::new(addresses, services, seed)),
            BackendKind::EbpfTc | BackendKind::EbpfXdp => {
                Box::new(Ebpf::new(services, self.workload.endpoint_choice, seed)?)
            }
        })
    }

    pub(crate) fn ipvs(&self, table: Table, seed: u64) -> Ipvs {
        Ipvs::new(self.addresses, &self.services, self.workload.scheduling.scheduler, table, seed)
    }

    pub(crate) fn iptables(&self, seed: u64) -> Iptables {
        Iptables::with_ballast(self.addresses, &self.services, self.workload.ballast, seed)
    }
}

/// The protocol as the models call it.
pub(super) fn protocol(protocol: workload::Protocol) -> Protocol {
    match protocol {
        workload::Protocol::Tcp => Protocol::Tcp,
        workload::Protocol::Udp => Protocol::Udp,
    }
}

fn service(service: &workload::Service, scheduling: workload::Scheduling) -> Service {
    let endpoint = |endpoint: &workload::Endpoint| Endpoint {
        address: SocketAddrV4::new(endpoint.addr, endpoint.port),
        weight: scheduling.weight(endpoint),
    };
    Service {
        address: SocketAddrV4::new(service.vip, service.port),
        protocol: protocol(service.protocol),
        endpoints: service.endpoints.iter().map(endpoint).collect(),
    }
}

fn addresses(plan: &AddressPlan) -> Addresses {
    let range = |net: ipnet::Ipv4Net| Range::new(net.network(), net.prefix_len());
    Addresses { cluster: range(plan.cluster_cidr), services: range(plan.service_cidr), node: plan.node_addr }
}
