//! Keys and values of the load balancer's maps.

use core::hash::Hash;

use super::choose::mix;

/// An address of one family, as its bytes stand in a packet.
pub trait Address: Copy + Eq + Ord + Hash + core::fmt::Debug {
    /// Mixes the address into a hash, alike on machines of either byte order.
    #[must_use]
    fn fold(self, hash: u32) -> u32;
}

/// An IPv4 address: its bytes as they stand in a packet, loaded in native order.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct V4(pub u32);

impl V4 {
    /// The address of four bytes in the order in which they are written.
    #[inline(always)]
    #[must_use]
    pub const fn new(bytes: [u8; 4]) -> Self {
        Self(u32::from_ne_bytes(bytes))
    }

    /// Its bytes in the order in which they are written.
    #[inline(always)]
    #[must_use]
    pub const fn octets(self) -> [u8; 4] {
        self.0.to_ne_bytes()
    }

    /// Its two words as they stand in a packet.
    #[inline(always)]
    #[must_use]
    pub const fn words(self) -> [u16; 2] {
        let [a, b, c, d] = self.octets();
        [u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d])]
    }
}

impl Address for V4 {
    #[inline(always)]
    fn fold(self, hash: u32) -> u32 {
        mix(hash, self.0.to_le())
    }
}

/// An IPv6 address: its words as they stand in a packet, loaded in native order. No program uses it yet.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct V6(pub [u32; 4]);

impl Address for V6 {
    #[inline(always)]
    fn fold(self, hash: u32) -> u32 {
        let [a, b, c, d] = self.0;
        mix(mix(mix(mix(hash, a.to_le()), b.to_le()), c.to_le()), d.to_le())
    }
}

/// Key of the map `SERVICES`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey<A> {
    /// VIP.
    pub addr: A,
    /// Port; 0 in the wildcard entry.
    pub port_be: u16,
    /// IP protocol number; 0 in the wildcard entry.
    pub protocol: u8,
    /// Explicit padding.
    pub reserved: u8,
}

impl<A: Address> ServiceKey<A> {
    /// The service of a VIP, port and protocol.
    #[inline(always)]
    #[must_use]
    pub fn new(addr: A, port_be: u16, protocol: u8) -> Self {
        Self { addr, port_be, protocol, reserved: 0 }
    }

    /// The entry that every VIP has, by which a packet for it is known whatever it asks for.
    #[inline(always)]
    #[must_use]
    pub fn wildcard(addr: A) -> Self {
        Self::new(addr, 0, 0)
    }
}

/// Value of the map `SERVICES`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Service {
    /// Index of its first endpoint in the map `ENDPOINTS`.
    pub first: u32,
    /// How many endpoints follow each other there; none are rejected.
    pub count: u32,
    /// Index of the first slot of its Maglev table among all slots, a multiple of [`super::maglev::SLOTS_AN_ELEMENT`].
    pub table: u32,
    /// Slots of its Maglev table; 0 draws endpoints at random.
    pub slots: u32,
}

/// An address and a port: an endpoint in the maps `ENDPOINTS` and `CONNECTIONS`, a VIP in the map `REPLIES`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Endpoint<A> {
    /// Address.
    pub addr: A,
    /// Port.
    pub port_be: u16,
    /// Explicit padding.
    pub reserved: u16,
}

impl<A: Address> Endpoint<A> {
    /// An address and a port.
    #[inline(always)]
    #[must_use]
    pub fn new(addr: A, port_be: u16) -> Self {
        Self { addr, port_be, reserved: 0 }
    }
}

/// The 5-tuple of a packet, as it stands in it: key of the maps `CONNECTIONS` (from client to VIP) and `REPLIES` (from endpoint to
/// client).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionKey<A> {
    /// Source address.
    pub src: A,
    /// Destination address.
    pub dst: A,
    /// Source port.
    pub src_port_be: u16,
    /// Destination port.
    pub dst_port_be: u16,
    /// IP protocol number.
    pub protocol: u32,
}

impl<A: Address> ConnectionKey<A> {
    /// The service that the packet asks for.
    #[inline(always)]
    #[must_use]
    pub fn service(&self) -> ServiceKey<A> {
        ServiceKey::new(self.dst, self.dst_port_be, self.protocol as u8)
    }

    /// Where the packet is sent to.
    #[inline(always)]
    #[must_use]
    pub fn destination(&self) -> Endpoint<A> {
        Endpoint::new(self.dst, self.dst_port_be)
    }

    /// The 5-tuple of `endpoint`'s replies.
    #[inline(always)]
    #[must_use]
    pub fn reply_from(&self, endpoint: &Endpoint<A>) -> Self {
        Self {
            src: endpoint.addr,
            dst: self.src,
            src_port_be: endpoint.port_be,
            dst_port_be: self.src_port_be,
            protocol: self.protocol,
        }
    }
}

/// The one entry of the map `CONFIG`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Config {
    /// The node's address, where rejections come from.
    pub node: V4,
}

const _: () = assert!(size_of::<ServiceKey<V4>>() == 8 && size_of::<ServiceKey<V6>>() == 20);
const _: () = assert!(size_of::<ConnectionKey<V4>>() == 16 && size_of::<ConnectionKey<V6>>() == 40);
const _: () = assert!(size_of::<Endpoint<V4>>() == 8 && size_of::<Endpoint<V6>>() == 20);
const _: () = assert!(size_of::<Service>() == 16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_comes_from_the_endpoint_to_the_client() {
        let flow = ConnectionKey {
            src: V4::new([10, 0, 0, 1]),
            dst: V4::new([10, 96, 0, 1]),
            src_port_be: 1000_u16.to_be(),
            dst_port_be: 80_u16.to_be(),
            protocol: 6,
        };
        let endpoint = Endpoint::new(V4::new([10, 1, 0, 2]), 8080_u16.to_be());
        let reply = flow.reply_from(&endpoint);
        assert_eq!((reply.src, reply.src_port_be), (endpoint.addr, endpoint.port_be));
        assert_eq!((reply.dst, reply.dst_port_be), (flow.src, flow.src_port_be));
        assert_eq!(reply.protocol, flow.protocol);
    }

    #[test]
    fn an_address_keeps_its_bytes() {
        let address = V4::new([10, 96, 0, 1]);
        assert_eq!(address.octets(), [10, 96, 0, 1]);
        assert_eq!(address.words().map(u16::to_ne_bytes), [[10, 96], [0, 1]]);
    }
}
