//! The three namespaces of a cell: client - veth - node - veth - backend.
//!
//! The backend namespace owns every pod address by one local route, the client namespace every client address. Neighbours
//! are static, IPv6 and the reverse-path filter are off, MAC addresses are fixed: what a packet meets on its way is the
//! datapath under test and nothing that varies.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::rtnl::VethEnd;
use super::{Link, NetError, NetNs, Rtnl, write_sysctl};
use crate::sys::ethtool::{self, Offload};
use crate::workload::AddressPlan;

/// The node's client-side device, in every topology.
pub const NODE_CLIENT_DEVICE: &str = "eth0";
/// The node's backend-side device.
pub const NODE_BACKEND_DEVICE: &str = "pods0";

const CLIENT: VethEnd<'static> = VethEnd { name: "client0", mac: [0x02, 0, 0, 0, 0, 0x01] };
const NODE_CLIENT: VethEnd<'static> = VethEnd { name: NODE_CLIENT_DEVICE, mac: [0x02, 0, 0, 0, 0, 0x02] };
const NODE_BACKEND: VethEnd<'static> = VethEnd { name: NODE_BACKEND_DEVICE, mac: [0x02, 0, 0, 0, 0, 0x03] };
const BACKEND: VethEnd<'static> = VethEnd { name: "backend0", mac: [0x02, 0, 0, 0, 0, 0x04] };

/// Link between node and backend namespace; apart from every range of an [`AddressPlan`].
const POD_LINK_NODE: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
const POD_LINK_BACKEND: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 2);
pub(super) const LINK_PREFIX: u8 = 24;

/// A cell's namespaces and the links between them; all gone when dropped.
#[derive(Debug)]
pub struct Topology {
    /// Clients.
    pub client: NetNs,
    /// The node: the backend under test lives here.
    pub node: NetNs,
    /// Pods.
    pub backend: NetNs,
    /// The client's end of the client veth, in `client`.
    pub client_link: Link,
    /// The node's client-side device, in `node`: traversal begins at its entry.
    pub node_client_link: Link,
    /// The node's backend-side device, in `node`: traversal ends at its exit.
    pub node_backend_link: Link,
    /// The backend's end of the backend veth, in `backend`.
    pub backend_link: Link,
}

impl Topology {
    /// Creates the namespaces, links, routes, neighbours and sysctls, and waits until packets pass.
    ///
    /// # Errors
    /// [`NetError`], a permission error without root.
    pub fn create(addresses: &AddressPlan) -> Result<Self, NetError> {
        let (client, node, backend) = (NetNs::new()?, NetNs::new()?, NetNs::new()?);
        for namespace in [&client, &node, &backend] {
            prepare(namespace)?;
        }
        let (node_client_link, node_backend_link) = {
            let _inside = node.enter()?;
            let mut rtnl = Rtnl::open()?;
            rtnl.add_veth(NODE_CLIENT, CLIENT, &client)?;
            rtnl.add_veth(NODE_BACKEND, BACKEND, &backend)?;
            (rtnl.link(NODE_CLIENT.name)?, rtnl.link(NODE_BACKEND.name)?)
        };
        let client_addr = neighbour_of(addresses.node_addr);
        let client_link =
            configure_edge(&client, CLIENT, client_addr, addresses.client_range, addresses.node_addr, NODE_CLIENT.mac)?;
        let backend_link = configure_edge(
            &backend,
            BACKEND,
            POD_LINK_BACKEND,
            addresses.cluster_cidr,
            POD_LINK_NODE,
            NODE_BACKEND.mac,
        )?;
        except_clients(&backend, addresses.client_range, backend_link.index)?;
        configure_node(&node, addresses, client_addr, &node_client_link, &node_backend_link)?;
        for (namespace, names) in [
            (&client, &[CLIENT.name][..]),
            (&node, &[NODE_CLIENT.name, NODE_BACKEND.name]),
            (&backend, &[BACKEND.name]),
        ] {
            wait_until_operational(namespace, names)?;
        }
        Ok(Self { client, node, backend, client_link, node_client_link, node_backend_link, backend_link })
    }
}

impl Topology {
    /// Sends what is left for a service address towards the backends, as a node's default route would send it somewhere: without
    /// it, routing refuses such packets before any rule of the filter table can. Not part of [`create`](Self::create), so that what a
    /// trial's packets look up stays the same.
    ///
    /// # Errors
    /// [`NetError`].
    pub fn route_services(&self, addresses: &AddressPlan) -> Result<(), NetError> {
        let _inside = self.node.enter()?;
        Rtnl::open()?.add_route(addresses.service_cidr, POD_LINK_BACKEND, self.node_backend_link.index)
    }
}

/// The address beside the node's on the client link.
fn neighbour_of(node: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(node) ^ 3)
}

pub(super) fn wait_until_operational(namespace: &NetNs, names: &[&str]) -> Result<(), NetError> {
    let _inside = namespace.enter()?;
    let mut rtnl = Rtnl::open()?;
    names.iter().try_for_each(|name| rtnl.wait_until_operational(name))
}

/// Loopback up, IPv6 and reverse-path filter off, before any device can inherit other defaults.
pub(super) fn prepare(namespace: &NetNs) -> Result<(), NetError> {
    let _inside = namespace.enter()?;
    for scope in ["all", "default"] {
        write_sysctl(&format!("net.ipv4.conf.{scope}.rp_filter"), "0")?;
        let ipv6 = format!("net.ipv6.conf.{scope}.disable_ipv6");
        // A kernel without IPv6 has nothing to turn off.
        if std::path::Path::new("/proc/sys/net/ipv6").exists() {
            write_sysctl(&ipv6, "1")?;
        }
    }
    let mut rtnl = Rtnl::open()?;
    let loopback = rtnl.link("lo")?;
    rtnl.set_up(loopback.index)
}

/// Client or backend side: owns `owned`, everything else goes through the node.
pub(super) fn configure_edge(
    namespace: &NetNs,
    end: VethEnd<'_>,
    addr: Ipv4Addr,
    owned: Ipv4Net,
    node_addr: Ipv4Addr,
    node_mac: [u8; 6],
) -> Result<Link, NetError> {
    let _inside = namespace.enter()?;
    let mut rtnl = Rtnl::open()?;
    let link = rtnl.link(end.name)?;
    let loopback = rtnl.link("lo")?;
    set_offloads(&link)?;
    rtnl.set_up(link.index)?;
    rtnl.add_address(link.index, addr, LINK_PREFIX)?;
    rtnl.add_local_route(owned, loopback.index)?;
    rtnl.add_route(Ipv4Net::default(), node_addr, link.index)?;
    rtnl.add_neighbour(link.index, node_addr, node_mac)?;
    Ok(link)
}

/// Outer ends send packets whose checksums are whole, for a frame that XDP redirects has no place to note that one is missing, and
/// poll, for only then does a veth take such frames. Both for every backend alike.
fn set_offloads(link: &Link) -> Result<(), NetError> {
    for (offload, on) in [(Offload::TransmitChecksum, false), (Offload::GenericReceive, true)] {
        ethtool::set(&link.name, offload, on).map_err(|source| NetError::Request {
            request: format!("turn {offload:?} {} on {}", if on { "on" } else { "off" }, link.name),
            source,
        })?;
    }
    Ok(())
}

/// Clients live inside the cluster CIDR, which the backend namespace owns whole: without this it would take their packets
/// for its own and drop them as martians.
fn except_clients(backend: &NetNs, clients: Ipv4Net, index: u32) -> Result<(), NetError> {
    let _inside = backend.enter()?;
    Rtnl::open()?.add_local_exception(clients, POD_LINK_NODE, index)
}

fn configure_node(
    node: &NetNs,
    addresses: &AddressPlan,
    client_addr: Ipv4Addr,
    client_side: &Link,
    backend_side: &Link,
) -> Result<(), NetError> {
    let _inside = node.enter()?;
    write_sysctl("net.ipv4.ip_forward", "1")?;
    let mut rtnl = Rtnl::open()?;
    rtnl.set_up(client_side.index)?;
    rtnl.set_up(backend_side.index)?;
    rtnl.add_address(client_side.index, addresses.node_addr, LINK_PREFIX)?;
    rtnl.add_address(backend_side.index, POD_LINK_NODE, LINK_PREFIX)?;
    rtnl.add_neighbour(client_side.index, client_addr, CLIENT.mac)?;
    rtnl.add_neighbour(backend_side.index, POD_LINK_BACKEND, BACKEND.mac)?;
    rtnl.add_route(addresses.client_range, client_addr, client_side.index)?;
    rtnl.add_route(addresses.cluster_cidr, POD_LINK_BACKEND, backend_side.index)
}
