//! The network outside a cluster: where a node's default route leads, and where a load balancer has its address.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::rtnl::VethEnd;
use super::topology::{LINK_PREFIX, Topology, configure_edge, prepare, wait_until_operational};
use super::{NetError, NetNs, Rtnl};

const NODE: VethEnd<'static> = VethEnd { name: "uplink0", mac: [0x02, 0, 0, 0, 0, 0x05] };
const OUTSIDE: VethEnd<'static> = VethEnd { name: "outside0", mac: [0x02, 0, 0, 0, 0, 0x06] };

/// Link between node and outside; apart from every range of an address plan and from the pods' link.
const LINK_NODE: Ipv4Addr = Ipv4Addr::new(169, 254, 2, 1);
const LINK_OUTSIDE: Ipv4Addr = Ipv4Addr::new(169, 254, 2, 2);

/// The load balancer's address, of a range for documentation (RFC 5737): no cluster has it.
pub const LOAD_BALANCER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 80);

/// A namespace beside a topology's. It forwards nothing: what is not for its own addresses ends there without an answer, as packets to a
/// ClusterIP do that a router of a data centre gets.
#[derive(Debug)]
pub struct Outside {
    /// The namespace, which has [`LOAD_BALANCER`].
    pub namespace: NetNs,
}

impl Outside {
    /// Creates the namespace, links it with the topology's node, makes it the node's default route and waits until packets pass.
    ///
    /// # Errors
    /// [`NetError`].
    pub fn beside(topology: &Topology) -> Result<Self, NetError> {
        let namespace = NetNs::new()?;
        prepare(&namespace)?;
        {
            let _inside = topology.node.enter()?;
            Rtnl::open()?.add_veth(NODE, OUTSIDE, &namespace)?;
        }
        configure_edge(&namespace, OUTSIDE, LINK_OUTSIDE, Ipv4Net::from(LOAD_BALANCER), LINK_NODE, NODE.mac)?;
        configure_node(&topology.node)?;
        wait_until_operational(&topology.node, &[NODE.name])?;
        wait_until_operational(&namespace, &[OUTSIDE.name])?;
        Ok(Self { namespace })
    }
}

fn configure_node(node: &NetNs) -> Result<(), NetError> {
    let _inside = node.enter()?;
    let mut rtnl = Rtnl::open()?;
    let link = rtnl.link(NODE.name)?;
    rtnl.set_up(link.index)?;
    rtnl.add_address(link.index, LINK_NODE, LINK_PREFIX)?;
    rtnl.add_neighbour(link.index, LINK_OUTSIDE, OUTSIDE.mac)?;
    rtnl.add_route(Ipv4Net::default(), LINK_OUTSIDE, link.index)
}
