//! Empties the connection tracking table of a namespace, as `conntrack -F` does, or fills it.

use std::net::Ipv4Addr;

use netlink_sys::protocols::NETLINK_NETFILTER;

use super::socket::{Batch, CREATE, EXCL, NetlinkSocket, SEND_LIMIT};
use super::{NetError, read_sysctl};

/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE` (include/uapi/linux/netfilter/nfnetlink_conntrack.h).
const DELETE: u16 = 0x0102;
/// `struct nfgenmsg`: any family, version 0, resource 0. Without attributes everything is deleted.
const ANY_FAMILY: [u8; 4] = [0; 4];
/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW`.
const NEW: u16 = 0x0100;
/// `struct nfgenmsg`: IPv4, version 0, resource 0.
const IPV4: [u8; 4] = [2, 0, 0, 0];
/// `CTA_TUPLE_ORIG`, `CTA_TUPLE_REPLY`, `CTA_STATUS`, `CTA_TIMEOUT`.
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const STATUS: u16 = 3;
const TIMEOUT: u16 = 7;

/// Forgets every connection of the calling thread's namespace. IPVS's own connections stay.
///
/// # Errors
/// [`NetError::Request`], `EOPNOTSUPP` or `EINVAL` on a kernel without `nf_conntrack_netlink`.
pub fn flush() -> Result<(), NetError> {
    let mut batch = Batch::with_capacity(32);
    batch_of_all(&mut batch);
    NetlinkSocket::open(NETLINK_NETFILTER)?.send(&mut batch, |_| "empty the connection tracking table".to_owned())
}

/// Entries of the calling thread's namespace; `None` without connection tracking.
#[must_use]
pub fn count() -> Option<u64> {
    sysctl("nf_conntrack_count")
}

/// Most entries that a table may have; `None` without connection tracking.
#[must_use]
pub fn most() -> Option<u64> {
    sysctl("nf_conntrack_max")
}

fn sysctl(name: &str) -> Option<u64> {
    read_sysctl(&format!("net.netfilter.{name}")).ok()?.parse().ok()
}

/// Inserts so many entries in the calling thread's namespace, of UDP flows from 172.30.0.0/16 to 172.31.0.1 that were answered: none of them makes
/// room for others, or ends within ten minutes. They must not be there yet.
///
/// # Errors
/// [`NetError::Request`]: `ENOMEM` where the table is full, `EEXIST` where an entry is there.
pub fn insert(entries: u32) -> Result<(), NetError> {
    let mut socket = NetlinkSocket::open(NETLINK_NETFILTER)?;
    let mut batch = Batch::with_capacity(SEND_LIMIT);
    let mut send = |batch: &mut Batch| socket.send(batch, |_| "insert an entry of connection tracking".to_owned());
    for entry in 0..entries {
        entry_of(&mut batch, entry);
        if batch.len() > SEND_LIMIT - ENTRY_LEN {
            send(&mut batch)?;
        }
    }
    send(&mut batch)
}

/// Bytes of an entry's message, at the most.
const ENTRY_LEN: usize = 256;
/// `IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED` (include/uapi/linux/netfilter/nf_conntrack_common.h).
const ANSWERED: u32 = 2 | 4 | 8;
const SECONDS: u32 = 600;
const UDP: u8 = 17;
/// A server's port: the discard protocol's.
const PORT: u16 = 9;

fn entry_of(batch: &mut Batch, entry: u32) {
    let [_, _, high, low] = (entry >> 8).to_be_bytes();
    let (client, server) = (Ipv4Addr::new(172, 30, high, low), Ipv4Addr::new(172, 31, 0, 1));
    let port = 1_024 + (entry & 0xff) as u16;
    let message = batch.begin(NEW, CREATE | EXCL);
    batch.bytes(&IPV4);
    tuple(batch, ORIGINAL, [(client, port), (server, PORT)]);
    tuple(batch, REPLY, [(server, PORT), (client, port)]);
    batch.attribute(STATUS, &ANSWERED.to_be_bytes());
    batch.attribute(TIMEOUT, &SECONDS.to_be_bytes());
    batch.end(message);
}

/// `CTA_TUPLE_IP` with both addresses, `CTA_TUPLE_PROTO` with protocol and both ports.
fn tuple(batch: &mut Batch, kind: u16, [(source, from), (destination, to)]: [(Ipv4Addr, u16); 2]) {
    let tuple = batch.begin_nested(kind);
    let addresses = batch.begin_nested(1);
    batch.attribute(1, &source.octets());
    batch.attribute(2, &destination.octets());
    batch.end_nested(addresses);
    let transport = batch.begin_nested(2);
    batch.attribute(1, &[UDP]);
    batch.attribute(2, &from.to_be_bytes());
    batch.attribute(3, &to.to_be_bytes());
    batch.end_nested(transport);
    batch.end_nested(tuple);
}

fn batch_of_all(batch: &mut Batch) {
    let message = batch.begin(DELETE, 0);
    batch.bytes(&ANY_FAMILY);
    batch.end(message);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_distinct_and_fit_their_room() {
        let message = |entry| {
            let mut batch = Batch::with_capacity(ENTRY_LEN);
            entry_of(&mut batch, entry);
            batch.as_bytes().to_vec()
        };
        let messages: std::collections::HashSet<_> = [0, 1, 255, 256, 65_535, 65_536, 262_143].map(message).into();
        assert_eq!(messages.len(), 7);
        assert!(messages.iter().all(|message| message.len() <= ENTRY_LEN && message.len() % 4 == 0));
    }

    #[test]
    fn the_request_is_a_header_and_no_attribute() {
        let mut batch = Batch::with_capacity(32);
        batch_of_all(&mut batch);
        let expected = [&20_u32.to_ne_bytes()[..], &0x0102_u16.to_ne_bytes(), &1_u16.to_ne_bytes(), &[0; 8], &[0; 4]];
        assert_eq!(batch.as_bytes(), expected.concat());
    }
}
