//! One request at a time over `NETLINK_ROUTE`: links, addresses, routes and neighbours of the topology.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use ipnet::Ipv4Net;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressMessage, AddressScope};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, State,
};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rustix::io::Errno;

use super::{NetError, NetNs};

/// Routing table `local` (include/uapi/linux/rtnetlink.h).
const RT_TABLE_LOCAL: u8 = 255;
/// Routing table `main`.
const RT_TABLE_MAIN: u8 = 254;

/// How often a device is asked whether it is in operation, a millisecond apart.
const MOST_ASKED: u32 = 10_000;

/// A network device in the namespace that it was looked up in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Interface index.
    pub index: u32,
    /// Interface name.
    pub name: String,
    /// MAC address.
    pub mac: [u8; 6],
}

/// Packets of a device since it was made, as `ip -s link` shows them.
///
/// A veth counts what it hands to its peer when the peer takes it from its ring (drivers/net/veth.c, `veth_get_stats64`): `sent` is what the
/// peer took, and `refused` what found the peer's ring full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkCounters {
    /// Received.
    pub received: u64,
    /// Sent.
    pub sent: u64,
    /// Dropped in sending.
    pub refused: u64,
}

/// One end of a veth pair to be.
#[derive(Debug, Clone, Copy)]
pub struct VethEnd<'a> {
    /// Interface name.
    pub name: &'a str,
    /// MAC address: chosen, not drawn by the kernel, so that runs repeat.
    pub mac: [u8; 6],
}

/// A routing netlink socket of the namespace that the thread was in when it was opened.
#[derive(Debug)]
pub struct Rtnl {
    socket: Socket,
    sequence: u32,
}

impl Rtnl {
    /// Opens a socket in the calling thread's namespace.
    ///
    /// # Errors
    /// [`NetError::Request`].
    pub fn open() -> Result<Self, NetError> {
        let open = || -> io::Result<Socket> {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            Ok(socket)
        };
        let socket = open().map_err(|source| NetError::Request { request: "open a netlink socket".into(), source })?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Creates a veth pair: `here` in this namespace, `there` in `other`.
    ///
    /// # Errors
    /// [`NetError::Request`].
    pub fn add_veth(&mut self, here: VethEnd<'_>, there: VethEnd<'_>, other: &NetNs) -> Result<(), NetError> {
        let mut peer = link_message(there);
        peer.attributes.push(LinkAttribute::NetNsFd(other.as_fd().as_raw_fd()));
        let mut message = link_message(here);
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]));
        let what = format!("create the veth pair {} - {}", here.name, there.name);
        self.request(&what, RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Sets a device up.
    ///
    /// # Errors
    /// [`NetError::Request`].
    pub fn set_up(&mut self, index: u32) -> Result<(), NetError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        self.request(&format!("set link {index} up"), RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Waits until a device that was set up is in operation (`IF_OPER_UP`).
    ///
    /// A veth gets its carrier with its peer, but sends only after a worker has heard of that (net/core/link_watch.c,
    /// `linkwatch_do_dev`): until then its queue is the one that drops all.
    ///
    /// # Errors
    /// [`NetError::Request`] (`ETIMEDOUT` after ten seconds), [`NetError::Decode`].
    pub fn wait_until_operational(&mut self, name: &str) -> Result<(), NetError> {
        let up = LinkAttribute::OperState(State::Up);
        for _ in 0..MOST_ASKED {
            if self.ask_for_link(name)?.attributes.contains(&up) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(NetError::Request { request: format!("wait until link {name} is up"), source: Errno::TIMEDOUT.into() })
    }

    /// Adds an address with its prefix to a device.
    ///
    /// # Errors
    /// [`NetError::Request`].
    pub fn add_address(&mut self, index: u32, addr: Ipv4Addr, prefix_len: u8) -> Result<(), NetError> {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.prefix_len = prefix_len;
        message.header.scope = AddressScope::Universe;
        message.header.index = index;
        message.attributes.push(AddressAttribute::Local(addr.into()));
        message.attributes.push(AddressAttribute::Address(addr.into()));
        // iproute2 sends the broadcast address only on request; kernels derive none for rtnetlink callers.
        let what = format!("add address {addr}/{prefix_len} to link {index}");
        self.request(&what, RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Routes `destination` through `gateway` on a device.
    ///
    /// # Errors
    /// [`NetError::Request`].
    pub fn add_route(&mut self, destination: Ipv4Net, gateway: Ipv4Addr, index: u32) -> Result<(), NetError> {
        let mut message = route_message(destination, RT_TABLE_MAIN, RouteType::Unicast, RouteScope::Universe, index);
        message.attributes.push(RouteAttribute::Gateway(RouteAddress::Inet(gateway)));
        let what = format!("route {destination} through {gateway}");
        self.request(&what, RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Takes `destination` out of a wider local route: a route through `gateway` in table `local`, which is asked first.
    ///
    /// # Errors
    /// [`NetError::Request`].
    pub fn add_local_exception(&mut self, destination: Ipv4Net, gateway: Ipv4Addr, index: u32) -> Result<(), NetError> {
        let mut message = route_message(destination, RT_TABLE_LOCAL, RouteType::Unicast, RouteScope::Universe, index);
        message.attributes.push(RouteAttribute::Gateway(RouteAddress::Inet(gateway)));
        let what = format!("take {destination} out of the local route");
        self.request(&what, RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Makes every address of `destination` the namespace's own.
    ///
    /// # Errors
    /// [`NetError::Request`].
    pub fn add_local_route(&mut self, destination: Ipv4Net, index: u32) -> Result<(), NetError> {
        let message = route_message(destination, RT_TABLE_LOCAL, RouteType::Local, RouteScope::Host, index);
        let what = format!("add the local route {destination}");
        self.request(&what, RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Pins a neighbour, so that no ARP disturbs a measurement.
    ///
    /// # Errors
    /// [`NetError::Request`].
    pub fn add_neighbour(&mut self, index: u32, addr: Ipv4Addr, mac: [u8; 6]) -> Result<(), NetError> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.ifindex = index;
        message.header.state = NeighbourState::Permanent;
        message.header.kind = RouteType::Unicast;
        message.attributes.push(NeighbourAttribute::Destination(NeighbourAddress::Inet(addr)));
        message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.to_vec()));
        let what = format!("pin neighbour {addr}");
        self.request(&what, RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Looks a device up by name.
    ///
    /// # Errors
    /// [`NetError::Request`] (`ENODEV` where there is none), [`NetError::Decode`].
    pub fn link(&mut self, name: &str) -> Result<Link, NetError> {
        Ok(read_link(name, &self.ask_for_link(name)?))
    }

    /// What a device has counted.
    ///
    /// # Errors
    /// [`NetError::Request`] (`ENODEV` where there is none), [`NetError::Decode`].
    pub fn counters(&mut self, name: &str) -> Result<LinkCounters, NetError> {
        let message = self.ask_for_link(name)?;
        let counters = message.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::Stats64(stats) => {
                Some(LinkCounters { received: stats.rx_packets, sent: stats.tx_packets, refused: stats.tx_dropped })
            }
            _ => None,
        });
        let request = format!("look up link {name}");
        counters.ok_or_else(|| NetError::Decode { request, reason: "the answer holds no IFLA_STATS64".into() })
    }

    fn ask_for_link(&mut self, name: &str) -> Result<LinkMessage, NetError> {
        let what = format!("look up link {name}");
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        self.send(&what, RouteNetlinkMessage::GetLink(message), 0)?;
        match self.receive(&what)? {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(found)) => Ok(found),
            NetlinkPayload::Error(error) => Err(NetError::Request { request: what, source: error.to_io() }),
            other => Err(NetError::Decode { request: what, reason: format!("unexpected answer {other:?}") }),
        }
    }

    fn request(&mut self, what: &str, message: RouteNetlinkMessage, flags: u16) -> Result<(), NetError> {
        self.send(what, message, flags | NLM_F_ACK)?;
        match self.receive(what)? {
            NetlinkPayload::Error(error) if error.code.is_none() => Ok(()),
            NetlinkPayload::Error(error) => Err(NetError::Request { request: what.into(), source: error.to_io() }),
            other => Err(NetError::Decode { request: what.into(), reason: format!("unexpected answer {other:?}") }),
        }
    }

    fn send(&mut self, what: &str, message: RouteNetlinkMessage, flags: u16) -> Result<(), NetError> {
        self.sequence += 1;
        let mut packet = NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::from(message));
        packet.header.flags = NLM_F_REQUEST | flags;
        packet.header.sequence_number = self.sequence;
        packet.finalize();
        let mut buffer = vec![0; packet.buffer_len()];
        packet.serialize(&mut buffer);
        self.socket.send(&buffer, 0).map_err(|source| NetError::Request { request: what.into(), source })?;
        Ok(())
    }

    fn receive(&self, what: &str) -> Result<NetlinkPayload<RouteNetlinkMessage>, NetError> {
        let (bytes, _) =
            self.socket.recv_from_full().map_err(|source| NetError::Request { request: what.into(), source })?;
        NetlinkMessage::<RouteNetlinkMessage>::deserialize(&bytes)
            .map(|message| message.payload)
            .map_err(|error| NetError::Decode { request: what.into(), reason: error.to_string() })
    }
}

fn link_message(end: VethEnd<'_>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(end.name.to_owned()));
    message.attributes.push(LinkAttribute::Address(end.mac.to_vec()));
    message
}

fn route_message(destination: Ipv4Net, table: u8, kind: RouteType, scope: RouteScope, index: u32) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.destination_prefix_length = destination.prefix_len();
    message.header.table = table;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = scope;
    message.header.kind = kind;
    message.attributes.push(RouteAttribute::Destination(RouteAddress::Inet(destination.network())));
    message.attributes.push(RouteAttribute::Oif(index));
    message
}

fn read_link(name: &str, message: &LinkMessage) -> Link {
    let mac = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Address(bytes) => <[u8; 6]>::try_from(bytes.as_slice()).ok(),
        _ => None,
    });
    Link { index: message.header.index, name: name.to_owned(), mac: mac.unwrap_or_default() }
}
