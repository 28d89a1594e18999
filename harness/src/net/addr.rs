//! Thousands of addresses on a dummy device, many a send over `NETLINK_ROUTE`.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use netlink_sys::protocols::NETLINK_ROUTE;

use super::NetError;
use super::socket::{Attributes, Batch, CREATE, EXCL, HEADER, NetlinkSocket, SEND_LIMIT};

/// `RTM_*` (include/uapi/linux/rtnetlink.h).
mod kind {
    pub(super) const NEW_LINK: u16 = 16;
    pub(super) const DELETE_LINK: u16 = 17;
    pub(super) const GET_LINK: u16 = 18;
    pub(super) const NEW_ADDRESS: u16 = 20;
    pub(super) const GET_ADDRESS: u16 = 22;
}

/// `AF_INET`.
const INET: u8 = 2;
/// `IFLA_IFNAME`.
const LINK_NAME: u16 = 3;
/// `IFLA_TXQLEN`.
const QUEUE_LENGTH: u16 = 13;
/// `IFLA_LINKINFO`.
const LINK_INFO: u16 = 18;
/// `IFLA_INFO_KIND`.
const INFO_KIND: u16 = 1;
/// `IFA_ADDRESS`.
const ADDRESS: u16 = 1;
/// `IFA_LOCAL`.
const LOCAL: u16 = 2;
/// Bytes of `struct ifinfomsg`.
const LINK_HEADER: usize = 16;
/// Bytes of `struct ifaddrmsg`.
const ADDRESS_HEADER: usize = 8;
/// Where the two addresses of a message are.
const ADDRESS_VALUES: [usize; 2] = [HEADER + ADDRESS_HEADER + 4, HEADER + ADDRESS_HEADER + 8 + 4];

/// A routing netlink socket for batches of addresses.
#[derive(Debug)]
pub struct Addresses {
    socket: NetlinkSocket,
}

impl Addresses {
    /// Opens a socket in the calling thread's namespace.
    ///
    /// # Errors
    /// [`NetError::Request`].
    pub fn open() -> Result<Self, NetError> {
        Ok(Self { socket: NetlinkSocket::open(NETLINK_ROUTE)? })
    }

    /// Time spent in system calls so far.
    #[must_use]
    pub fn kernel_time(&self) -> Duration {
        self.socket.kernel_time()
    }

    /// Creates a dummy device (it comes down, without ARP and without a transmit queue), with the interface index `index` unless that is 0.
    ///
    /// # Errors
    /// [`NetError::Request`], `EOPNOTSUPP` on a kernel without dummy devices, `EEXIST` where the name or the index is taken.
    pub fn create_dummy(&mut self, name: &str, index: u32) -> Result<(), NetError> {
        let mut batch = Batch::with_capacity(128);
        let message = batch.begin(kind::NEW_LINK, CREATE | EXCL);
        batch.bytes(&link_header(index));
        batch.attribute(LINK_NAME, &terminated(name));
        // kube-proxy's netlink library asks for 0, the kernel's default would be 1000.
        batch.attribute(QUEUE_LENGTH, &0u32.to_ne_bytes());
        let info = batch.begin_nested(LINK_INFO);
        batch.attribute(INFO_KIND, b"dummy\0");
        batch.end_nested(info);
        batch.end(message);
        self.socket.send(&mut batch, |_| format!("create the dummy device {name}"))
    }

    /// Removes a device.
    ///
    /// # Errors
    /// [`NetError::Request`], `ENODEV` where there is none.
    pub fn delete_link(&mut self, name: &str) -> Result<(), NetError> {
        let mut batch = Batch::with_capacity(128);
        let message = batch.begin(kind::DELETE_LINK, 0);
        batch.bytes(&link_header(0));
        batch.attribute(LINK_NAME, &terminated(name));
        batch.end(message);
        self.socket.send(&mut batch, |_| format!("remove the device {name}"))
    }

    /// Interface index of a device.
    ///
    /// # Errors
    /// [`NetError::Request`], `ENODEV` where there is none.
    pub fn index_of(&mut self, name: &str) -> Result<u32, NetError> {
        let what = format!("look the device {name} up");
        let mut batch = Batch::with_capacity(128);
        let message = batch.begin(kind::GET_LINK, 0);
        batch.bytes(&link_header(0));
        batch.attribute(LINK_NAME, &terminated(name));
        batch.end(message);
        let answer = self.socket.query(&mut batch, &what)?;
        let index = answer.get(4..8).and_then(|bytes| bytes.first_chunk()).map(|bytes| u32::from_ne_bytes(*bytes));
        index.ok_or_else(|| NetError::Decode { request: what, reason: "the answer is cut".into() })
    }

    /// Adds addresses with a /32 prefix and global scope, in order.
    ///
    /// # Errors
    /// [`NetError::Request`] with the first range that holds an address which the kernel refused.
    pub fn add(&mut self, index: u32, addresses: impl Iterator<Item = Ipv4Addr>) -> Result<(), NetError> {
        let template = template(index);
        let mut batch = Batch::with_capacity(SEND_LIMIT);
        let mut last = Ipv4Addr::UNSPECIFIED;
        for address in addresses {
            last = address;
            batch.copy(&template, |message| put(message, address));
            if batch.len() > SEND_LIMIT - template.len() {
                self.socket.send(&mut batch, |_| format!("add the addresses up to {last} to link {index}"))?;
            }
        }
        self.socket.send(&mut batch, |_| format!("add the addresses up to {last} to link {index}"))
    }

    /// The IPv4 addresses of a device whose prefix is 32 and whose scope is global.
    ///
    /// # Errors
    /// [`NetError::Request`].
    pub fn list(&mut self, index: u32) -> Result<BTreeSet<Ipv4Addr>, NetError> {
        let mut batch = Batch::with_capacity(64);
        let message = batch.begin(kind::GET_ADDRESS, 0);
        batch.bytes(&[INET, 0, 0, 0, 0, 0, 0, 0]);
        batch.end(message);
        let mut found = BTreeSet::new();
        self.socket.dump(&mut batch, "list addresses", |payload| found.extend(global_address(payload, index)))?;
        Ok(found)
    }
}

fn link_header(index: u32) -> [u8; LINK_HEADER] {
    let mut header = [0; LINK_HEADER];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header
}

fn terminated(name: &str) -> Vec<u8> {
    [name.as_bytes(), &[0]].concat()
}

fn template(index: u32) -> Vec<u8> {
    let mut batch = Batch::with_capacity(64);
    let message = batch.begin(kind::NEW_ADDRESS, CREATE | EXCL);
    batch.bytes(&[INET, 32, 0, 0]);
    batch.bytes(&index.to_ne_bytes());
    batch.attribute(LOCAL, &[0; 4]);
    batch.attribute(ADDRESS, &[0; 4]);
    batch.end(message);
    batch.as_bytes().to_vec()
}

fn put(message: &mut [u8], address: Ipv4Addr) {
    for at in ADDRESS_VALUES {
        message[at..at + 4].copy_from_slice(&address.octets());
    }
}

fn global_address(payload: &[u8], index: u32) -> Option<Ipv4Addr> {
    let header: &[u8; ADDRESS_HEADER] = payload.first_chunk()?;
    let [family, prefix, _, scope, link @ ..] = *header;
    if (family, prefix, scope, u32::from_ne_bytes(link)) != (INET, 32, 0, index) {
        return None;
    }
    let (_, value) = Attributes(&payload[ADDRESS_HEADER..]).find(|(kind, _)| *kind == LOCAL)?;
    Some(Ipv4Addr::from(*value.first_chunk::<4>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_encoded_as_the_header_file_says() {
        let mut message = template(4);
        put(&mut message, Ipv4Addr::new(10, 96, 0, 10));
        let expected = [
            &40u32.to_ne_bytes()[..],
            &20u16.to_ne_bytes(),
            &0x601u16.to_ne_bytes(),
            &[0; 8],
            &[2, 32, 0, 0],
            &4u32.to_ne_bytes(),
            &[8, 0, 2, 0, 10, 96, 0, 10],
            &[8, 0, 1, 0, 10, 96, 0, 10],
        ]
        .concat();
        assert_eq!(message, expected);
        assert_eq!(global_address(&message[HEADER..], 4), Some(Ipv4Addr::new(10, 96, 0, 10)));
        assert_eq!(global_address(&message[HEADER..], 5), None);
    }
}
