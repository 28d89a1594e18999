//! IPVS over generic netlink: services and real servers, many a send (include/uapi/linux/ip_vs.h).

use std::net::Ipv4Addr;
use std::time::Duration;

use netlink_sys::protocols::NETLINK_GENERIC;

use super::NetError;
use super::socket::{Attributes, Batch, CREATE, EXCL, HEADER, NetlinkSocket, SEND_LIMIT};
use crate::workload::{Endpoint, Protocol, Scheduling, Service};

/// `GENL_ID_CTRL`: the family that names the others.
const CONTROL: u16 = 0x10;
/// `CTRL_CMD_GETFAMILY`.
const GET_FAMILY: u8 = 3;
/// `CTRL_ATTR_FAMILY_ID`.
const FAMILY_ID: u16 = 1;
/// `CTRL_ATTR_FAMILY_NAME`.
const FAMILY_NAME: u16 = 2;
/// Bytes of a generic netlink header.
const GENERIC_HEADER: usize = 4;

/// `IPVS_GENL_VERSION`.
const VERSION: u8 = 1;
/// `AF_INET`.
const INET: u16 = 2;
/// `IP_VS_CONN_F_MASQ`.
const MASQUERADE: u32 = 0;

/// `IPVS_CMD_*`.
mod command {
    pub(super) const NEW_SERVICE: u8 = 1;
    pub(super) const NEW_DESTINATION: u8 = 5;
    pub(super) const DELETE_DESTINATION: u8 = 7;
    pub(super) const GET_INFO: u8 = 15;
    pub(super) const FLUSH: u8 = 17;
}

/// `IPVS_CMD_ATTR_*`.
mod attribute {
    pub(super) const SERVICE: u16 = 1;
    pub(super) const DESTINATION: u16 = 2;
}

/// `IPVS_SVC_ATTR_*`.
mod service_attribute {
    pub(super) const FAMILY: u16 = 1;
    pub(super) const PROTOCOL: u16 = 2;
    pub(super) const ADDRESS: u16 = 3;
    pub(super) const PORT: u16 = 4;
    pub(super) const SCHEDULER: u16 = 6;
    pub(super) const FLAGS: u16 = 7;
    pub(super) const TIMEOUT: u16 = 8;
    pub(super) const NETMASK: u16 = 9;
}

/// `IPVS_DEST_ATTR_*`.
mod destination_attribute {
    pub(super) const ADDRESS: u16 = 1;
    pub(super) const PORT: u16 = 2;
    pub(super) const METHOD: u16 = 3;
    pub(super) const WEIGHT: u16 = 4;
    pub(super) const UPPER_THRESHOLD: u16 = 5;
    pub(super) const LOWER_THRESHOLD: u16 = 6;
    pub(super) const FAMILY: u16 = 11;
}

/// The table of the calling thread's namespace as text: a line a service and an endpoint, with its connections.
pub const TABLE: &str = "/proc/thread-self/net/ip_vs";

/// A connection to the IPVS of a namespace.
#[derive(Debug)]
pub struct Ipvs {
    socket: NetlinkSocket,
    family: u16,
}

impl Ipvs {
    /// Opens a socket in the calling thread's namespace and finds the family, which loads the module where it can be loaded.
    ///
    /// # Errors
    /// [`NetError::Request`], `ENOENT` on a kernel without IPVS.
    pub fn open() -> Result<Self, NetError> {
        let mut socket = NetlinkSocket::open(NETLINK_GENERIC)?;
        let family = family(&mut socket)?;
        Ok(Self { socket, family })
    }

    /// Time spent in system calls so far.
    #[must_use]
    pub fn kernel_time(&self) -> Duration {
        self.socket.kernel_time()
    }

    /// Adds services with their endpoints, in order; endpoints are masqueraded, as kube-proxy does.
    ///
    /// # Errors
    /// [`NetError::Request`] with the first service or endpoint that the kernel refused.
    pub fn add_services(&mut self, services: &[Service], scheduling: Scheduling) -> Result<(), NetError> {
        let templates = Templates::new(self.family, scheduling.name());
        let mut batch = Batch::with_capacity(SEND_LIMIT);
        for service in services {
            self.make_room(&mut batch, &templates, service)?;
            templates.service(&mut batch, service);
            for endpoint in &service.endpoints {
                self.make_room(&mut batch, &templates, service)?;
                templates.destination(&mut batch, service, *endpoint, scheduling.programmed(service, endpoint));
            }
        }
        self.socket.send(&mut batch, |_| "add the last of the IPVS services".into())
    }

    fn make_room(&mut self, batch: &mut Batch, templates: &Templates, next: &Service) -> Result<(), NetError> {
        if batch.len() + templates.largest() <= SEND_LIMIT {
            return Ok(());
        }
        self.socket.send(batch, |_| format!("add the IPVS services before {}:{}", next.vip, next.port))
    }

    /// Adds and removes endpoints of a service, the new ones first.
    ///
    /// # Errors
    /// [`NetError::Request`].
    pub fn change_endpoints(
        &mut self,
        service: &Service,
        new: &[Endpoint],
        old: &[Endpoint],
        scheduling: Scheduling,
    ) -> Result<(), NetError> {
        let templates = Templates::new(self.family, scheduling.name());
        let mut batch = Batch::with_capacity(SEND_LIMIT);
        for endpoint in new {
            templates.destination(&mut batch, service, *endpoint, scheduling.programmed(service, endpoint));
        }
        for endpoint in old {
            removal(&mut batch, self.family, service, *endpoint);
        }
        self.socket.send(&mut batch, |_| format!("change the endpoints of {}:{}", service.vip, service.port))
    }

    /// Removes every service.
    ///
    /// # Errors
    /// [`NetError::Request`].
    pub fn flush(&mut self) -> Result<(), NetError> {
        let mut batch = Batch::with_capacity(64);
        let message = begin(&mut batch, self.family, command::FLUSH, 0);
        batch.end(message);
        self.socket.send(&mut batch, |_| "remove all IPVS services".into())
    }

    /// Size of the connection table, from `IPVS_CMD_GET_INFO`.
    ///
    /// # Errors
    /// [`NetError`] where the kernel refuses or does not say.
    pub fn connection_table_size(&mut self) -> Result<u32, NetError> {
        const SIZE: u16 = 2;
        let what = "ask for IPVS's connection table size";
        let mut batch = Batch::with_capacity(64);
        let message = begin(&mut batch, self.family, command::GET_INFO, 0);
        batch.end(message);
        let answer = self.socket.query(&mut batch, what)?;
        let size = find(&answer, SIZE).and_then(|value| value.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes)));
        size.ok_or_else(|| NetError::Decode { request: what.into(), reason: "no size in the answer".into() })
    }
}

fn family(socket: &mut NetlinkSocket) -> Result<u16, NetError> {
    let what = "find IPVS's generic netlink family";
    let mut batch = Batch::with_capacity(64);
    let message = begin(&mut batch, CONTROL, GET_FAMILY, 0);
    batch.attribute(FAMILY_NAME, b"IPVS\0");
    batch.end(message);
    let answer = socket.query(&mut batch, what)?;
    let id = find(&answer, FAMILY_ID).and_then(|value| value.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes)));
    id.ok_or_else(|| NetError::Decode { request: what.into(), reason: "no family number in the answer".into() })
}

fn find(answer: &[u8], wanted: u16) -> Option<&[u8]> {
    Attributes(answer.get(GENERIC_HEADER..)?).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

fn begin(batch: &mut Batch, family: u16, command: u8, flags: u16) -> usize {
    let message = batch.begin(family, flags);
    batch.bytes(&[command, VERSION, 0, 0]);
    message
}

/// Encoded messages with the addresses and ports left open: a copy and a few stores make a message.
struct Templates {
    service: Vec<u8>,
    destination: Vec<u8>,
}

/// Where a template's fields are. Every message starts with the service's nested attribute, whose first four fields are fixed.
mod offset {
    use super::{GENERIC_HEADER, HEADER};
    const SERVICE: usize = HEADER + GENERIC_HEADER + 4;
    /// Value of `IPVS_SVC_ATTR_PROTOCOL`, behind the family (8 bytes) and its own header.
    pub(super) const PROTOCOL: usize = SERVICE + 8 + 4;
    /// Value of `IPVS_SVC_ATTR_ADDR`.
    pub(super) const ADDRESS: usize = SERVICE + 16 + 4;
    /// Value of `IPVS_SVC_ATTR_PORT`, behind an address of 16 bytes.
    pub(super) const PORT: usize = SERVICE + 36 + 4;
    /// Start of the destination's nested attribute, in messages that have one.
    const DESTINATION: usize = SERVICE + 44;
    /// Value of `IPVS_DEST_ATTR_ADDR`.
    pub(super) const DESTINATION_ADDRESS: usize = DESTINATION + 4 + 4;
    /// Value of `IPVS_DEST_ATTR_PORT`.
    pub(super) const DESTINATION_PORT: usize = DESTINATION + 4 + 20 + 4;
    /// Value of `IPVS_DEST_ATTR_WEIGHT`, behind the port and the method (8 bytes each).
    pub(super) const DESTINATION_WEIGHT: usize = DESTINATION_PORT + 4 + 8 + 4;
}

impl Templates {
    fn new(family: u16, scheduler: &str) -> Self {
        let mut batch = Batch::with_capacity(256);
        let message = begin(&mut batch, family, command::NEW_SERVICE, CREATE | EXCL);
        let nested = begin_service(&mut batch);
        service_options(&mut batch, scheduler);
        batch.end_nested(nested);
        batch.end(message);
        let service = batch.as_bytes().to_vec();
        batch.clear();
        let message = begin(&mut batch, family, command::NEW_DESTINATION, CREATE | EXCL);
        let nested = begin_service(&mut batch);
        batch.end_nested(nested);
        destination(&mut batch);
        batch.end(message);
        Self { service, destination: batch.as_bytes().to_vec() }
    }

    fn largest(&self) -> usize {
        self.service.len().max(self.destination.len())
    }

    fn service(&self, batch: &mut Batch, service: &Service) {
        batch.copy(&self.service, |message| patch_service(message, service));
    }

    fn destination(&self, batch: &mut Batch, service: &Service, endpoint: Endpoint, weight: u32) {
        batch.copy(&self.destination, |message| {
            patch_service(message, service);
            put(message, offset::DESTINATION_ADDRESS, &endpoint.addr.octets());
            put(message, offset::DESTINATION_PORT, &endpoint.port.to_be_bytes());
            put(message, offset::DESTINATION_WEIGHT, &weight.to_ne_bytes());
        });
    }
}

/// What identifies a service, with open values. A u16 is padded to four bytes, so the offsets above hold.
fn begin_service(batch: &mut Batch) -> usize {
    let nested = batch.begin_nested(attribute::SERVICE);
    batch.attribute(service_attribute::FAMILY, &INET.to_ne_bytes());
    batch.attribute(service_attribute::PROTOCOL, &[0; 2]);
    batch.attribute(service_attribute::ADDRESS, &padded(Ipv4Addr::UNSPECIFIED));
    batch.attribute(service_attribute::PORT, &[0; 2]);
    nested
}

/// `struct ip_vs_flags`: no flags, all of them meant.
fn service_options(batch: &mut Batch, scheduler: &str) {
    let mut flags = [0; 8];
    flags[4..].copy_from_slice(&u32::MAX.to_ne_bytes());
    // A string of netlink ends with a zero.
    batch.attribute(service_attribute::SCHEDULER, &[scheduler.as_bytes(), &[0]].concat());
    batch.attribute(service_attribute::FLAGS, &flags);
    batch.attribute(service_attribute::TIMEOUT, &0u32.to_ne_bytes());
    batch.attribute(service_attribute::NETMASK, &u32::MAX.to_ne_bytes());
}

fn destination(batch: &mut Batch) {
    let nested = batch.begin_nested(attribute::DESTINATION);
    batch.attribute(destination_attribute::ADDRESS, &padded(Ipv4Addr::UNSPECIFIED));
    batch.attribute(destination_attribute::PORT, &[0; 2]);
    batch.attribute(destination_attribute::METHOD, &MASQUERADE.to_ne_bytes());
    batch.attribute(destination_attribute::WEIGHT, &0u32.to_ne_bytes());
    batch.attribute(destination_attribute::UPPER_THRESHOLD, &0u32.to_ne_bytes());
    batch.attribute(destination_attribute::LOWER_THRESHOLD, &0u32.to_ne_bytes());
    batch.attribute(destination_attribute::FAMILY, &INET.to_ne_bytes());
    batch.end_nested(nested);
}

fn removal(batch: &mut Batch, family: u16, service: &Service, endpoint: Endpoint) {
    let mut one = Batch::with_capacity(160);
    let message = begin(&mut one, family, command::DELETE_DESTINATION, 0);
    let nested = begin_service(&mut one);
    one.end_nested(nested);
    let nested = one.begin_nested(attribute::DESTINATION);
    one.attribute(destination_attribute::ADDRESS, &padded(endpoint.addr));
    one.attribute(destination_attribute::PORT, &endpoint.port.to_be_bytes());
    one.attribute(destination_attribute::FAMILY, &INET.to_ne_bytes());
    one.end_nested(nested);
    one.end(message);
    batch.copy(one.as_bytes(), |message| patch_service(message, service));
}

fn patch_service(message: &mut [u8], service: &Service) {
    let protocol: u16 = match service.protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
    };
    put(message, offset::PROTOCOL, &protocol.to_ne_bytes());
    put(message, offset::ADDRESS, &service.vip.octets());
    put(message, offset::PORT, &service.port.to_be_bytes());
}

fn put(message: &mut [u8], at: usize, value: &[u8]) {
    message[at..at + value.len()].copy_from_slice(value);
}

/// `union nf_inet_addr`.
fn padded(addr: Ipv4Addr) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&addr.octets());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> Service {
        Service {
            namespace: "default".into(),
            name: "svc-0".into(),
            port_name: String::new(),
            vip: Ipv4Addr::new(10, 96, 0, 10),
            port: 80,
            protocol: Protocol::Tcp,
            endpoints: vec![Endpoint { addr: Ipv4Addr::new(10, 244, 0, 2), port: 8080 }],
        }
    }

    /// One attribute as the kernel reads it: length, type, value, padding.
    fn nla(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len() + 4).expect("short");
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(family: u16, command: u8, flags: u16, attributes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(20 + attributes.len()).expect("short");
        let header = [&length.to_ne_bytes()[..], &family.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 8]].concat();
        [&header[..], &[command, 1, 0, 0], attributes].concat()
    }

    /// The nested service attribute's first four fields, written down from the header file.
    fn identity() -> Vec<u8> {
        let vip = [10, 96, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        [nla(1, &2u16.to_ne_bytes()), nla(2, &6u16.to_ne_bytes()), nla(3, &vip), nla(4, &[0, 80])].concat()
    }

    #[test]
    fn a_service_is_encoded_as_the_header_file_says() {
        let mut batch = Batch::with_capacity(0);
        Templates::new(0x1b, "rr").service(&mut batch, &service());
        let rest =
            [nla(6, b"rr\0"), nla(7, &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]), nla(8, &[0; 4]), nla(9, &[0xff; 4])]
                .concat();
        let nested = nla(0x8001, &[identity(), rest].concat());
        // NLM_F_REQUEST | NLM_F_EXCL | NLM_F_CREATE
        assert_eq!(batch.as_bytes(), message(0x1b, 1, 0x601, &nested));
    }

    #[test]
    fn an_endpoint_is_encoded_as_the_header_file_says() {
        let mut batch = Batch::with_capacity(0);
        let service = service();
        Templates::new(0x1b, "mh").destination(&mut batch, &service, service.endpoints[0], 7);
        let pod = [10, 244, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let weight = 7u32.to_ne_bytes();
        let fields = [
            nla(1, &pod),
            nla(2, &8080u16.to_be_bytes()),
            nla(3, &[0; 4]),
            nla(4, &weight),
            nla(5, &[0; 4]),
            nla(6, &[0; 4]),
            nla(11, &2u16.to_ne_bytes()),
        ]
        .concat();
        let attributes = [nla(0x8001, &identity()), nla(0x8002, &fields)].concat();
        assert_eq!(batch.as_bytes(), message(0x1b, 5, 0x601, &attributes));
    }

    #[test]
    fn a_removal_names_service_and_endpoint() {
        let mut batch = Batch::with_capacity(0);
        let service = service();
        removal(&mut batch, 0x1b, &service, service.endpoints[0]);
        let pod = [10, 244, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let fields = [nla(1, &pod), nla(2, &8080u16.to_be_bytes()), nla(11, &2u16.to_ne_bytes())].concat();
        let attributes = [nla(0x8001, &identity()), nla(0x8002, &fields)].concat();
        assert_eq!(batch.as_bytes(), message(0x1b, 7, 0x1, &attributes));
    }
}
