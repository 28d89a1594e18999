//! Packets for tests, built and read by etherparse: none of this project's own code says what is right.

use std::net::Ipv4Addr;

use etherparse::{Icmpv4Header, NetSlice, TransportSlice};
use etherparse::{Icmpv4Type, IpFragOffset, IpNumber, Ipv4Header, Ipv4Options, SlicedPacket, TcpHeader, UdpHeader};

/// What an IPv4 packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inner {
    Tcp,
    Udp,
    /// ICMP echo request.
    Echo,
    /// ICMP destination unreachable.
    IcmpError,
}

/// A packet to be built.
#[derive(Debug, Clone)]
pub(crate) struct Datagram {
    pub(crate) source: (Ipv4Addr, u16),
    pub(crate) destination: (Ipv4Addr, u16),
    pub(crate) inner: Inner,
    pub(crate) payload: Vec<u8>,
    /// Bytes of IPv4 options, a multiple of four.
    pub(crate) options: Vec<u8>,
    pub(crate) ttl: u8,
    /// Offset in units of eight bytes, and whether more follow.
    pub(crate) fragment: (u16, bool),
    pub(crate) no_checksum: bool,
}

impl Datagram {
    pub(crate) fn new(source: (Ipv4Addr, u16), destination: (Ipv4Addr, u16), inner: Inner) -> Self {
        let payload = b"thirteen byte".to_vec();
        Self {
            source,
            destination,
            inner,
            payload,
            options: Vec::new(),
            ttl: 64,
            fragment: (0, false),
            no_checksum: false,
        }
    }

    /// The Ethernet frame, checksums included.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let number = match self.inner {
            Inner::Tcp => IpNumber::TCP,
            Inner::Udp => IpNumber::UDP,
            Inner::Echo | Inner::IcmpError => IpNumber::ICMP,
        };
        let (source, destination) = (self.source.0.octets(), self.destination.0.octets());
        let mut ip = Ipv4Header::new(0, self.ttl, number, source, destination).unwrap();
        ip.options = Ipv4Options::try_from(&self.options[..]).unwrap();
        ip.fragment_offset = IpFragOffset::try_new(self.fragment.0).unwrap();
        ip.more_fragments = self.fragment.1;
        ip.identification = 0x1234;
        let transport = self.transport(&ip);
        ip.set_payload_len(transport.len()).unwrap();
        ip.header_checksum = ip.calc_header_checksum();
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
        frame.extend(ip.to_bytes());
        frame.extend(transport);
        frame
    }

    fn transport(&self, ip: &Ipv4Header) -> Vec<u8> {
        let mut bytes = match self.inner {
            Inner::Tcp => {
                let mut tcp = TcpHeader::new(self.source.1, self.destination.1, 1000, 65_535);
                tcp.syn = true;
                tcp.checksum = tcp.calc_checksum_ipv4(ip, &self.payload).unwrap();
                tcp.to_bytes().to_vec()
            }
            Inner::Udp => {
                let length = self.payload.len();
                let mut udp = UdpHeader::without_ipv4_checksum(self.source.1, self.destination.1, length).unwrap();
                if !self.no_checksum {
                    udp.checksum = udp.calc_checksum_ipv4(ip, &self.payload).unwrap();
                }
                udp.to_bytes().to_vec()
            }
            Inner::Echo => icmp(8, 0, &self.payload),
            Inner::IcmpError => icmp(3, 3, &self.payload),
        };
        bytes.extend(&self.payload);
        bytes
    }
}

fn icmp(kind: u8, code: u8, payload: &[u8]) -> Vec<u8> {
    let kind = Icmpv4Type::Unknown { type_u8: kind, code_u8: code, bytes5to8: [0, 1, 0, 1] };
    Icmpv4Header::with_checksum(kind, payload).to_bytes().to_vec()
}

/// The transport part of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Everything behind the ports, but the checksum.
    Ports(Vec<u8>),
    Unreachable {
        code: u8,
        original: Vec<u8>,
    },
}

/// A packet that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// To, from.
    pub(crate) macs: ([u8; 6], [u8; 6]),
    pub(crate) source: (Ipv4Addr, u16),
    pub(crate) destination: (Ipv4Addr, u16),
    pub(crate) ttl: u8,
    pub(crate) options: Vec<u8>,
    /// Identification, offset and whether more fragments follow.
    pub(crate) fragment: (u16, u16, bool),
    pub(crate) transport: Transport,
}

/// Reads a frame; the transport header of a first fragment is read too.
pub(crate) fn parse(frame: &[u8]) -> Parsed {
    let ip = ip_of(frame);
    let payload = &frame[14 + ip.header_len()..14 + ip.total_len as usize];
    let port = |at: usize| u16::from_be_bytes([payload[at], payload[at + 1]]);
    let (ports, transport) = match ip.protocol {
        IpNumber::TCP => ((port(0), port(2)), [&payload[4..16], &payload[18..]].concat()),
        IpNumber::UDP => ((port(0), port(2)), [&payload[4..6], &payload[8..]].concat()),
        _ => ((0, 0), payload.to_vec()),
    };
    let is_error = ip.protocol == IpNumber::ICMP && payload[0] == 3;
    let transport = match is_error {
        true => Transport::Unreachable { code: payload[1], original: payload[8..].to_vec() },
        false => Transport::Ports(transport),
    };
    Parsed {
        macs: (frame[..6].try_into().unwrap(), frame[6..12].try_into().unwrap()),
        source: (ip.source.into(), ports.0),
        destination: (ip.destination.into(), ports.1),
        ttl: ip.time_to_live,
        options: ip.options.as_slice().to_vec(),
        fragment: (ip.identification, ip.fragment_offset.value(), ip.more_fragments),
        transport,
    }
}

fn ip_of(frame: &[u8]) -> Ipv4Header {
    Ipv4Header::from_slice(&frame[14..]).unwrap().0
}

/// Whether the checksums of the IPv4 header and of what it carries are right.
pub(crate) fn valid(frame: &[u8]) -> bool {
    let ip = ip_of(frame);
    let payload = &frame[14 + ip.header_len()..14 + ip.total_len as usize];
    let transport = match ip.protocol {
        IpNumber::TCP => {
            let (tcp, rest) = TcpHeader::from_slice(payload).unwrap();
            tcp.checksum == tcp.calc_checksum_ipv4(&ip, rest).unwrap()
        }
        IpNumber::UDP => {
            let (udp, rest) = UdpHeader::from_slice(payload).unwrap();
            udp.checksum == udp.calc_checksum_ipv4(&ip, rest).unwrap()
        }
        _ => {
            let (icmp, rest) = Icmpv4Header::from_slice(payload).unwrap();
            icmp.checksum == icmp.icmp_type.calc_checksum(rest)
        }
    };
    ip.header_checksum == ip.calc_header_checksum() && transport && whole(frame)
}

/// Whether etherparse reads the frame to its end.
fn whole(frame: &[u8]) -> bool {
    let sliced = SlicedPacket::from_ethernet(frame).unwrap();
    let fragmented = matches!(&sliced.net, Some(NetSlice::Ipv4(ip)) if ip.is_payload_fragmented());
    fragmented
        || matches!(sliced.transport, Some(TransportSlice::Tcp(_) | TransportSlice::Udp(_) | TransportSlice::Icmpv4(_)))
}

/// The sum of two words of a checksum.
pub(crate) fn ones_complement_sum(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    sum + u16::from(carry)
}
