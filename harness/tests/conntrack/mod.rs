//! Fills the connection tracking table of a namespace, by ctnetlink, with entries that do not make room for others.

use std::io;
use std::net::Ipv4Addr;

use netlink_sys::constants::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};

/// Message type: subsystem ctnetlink, `IPCTNL_MSG_CT_NEW` (include/uapi/linux/netfilter/nfnetlink_conntrack.h).
const NEW: u16 = 1 << 8;
/// `NLM_F_REQUEST | NLM_F_EXCL | NLM_F_CREATE`.
const CREATE: u16 = 0x1 | 0x200 | 0x400;
/// `struct nfgenmsg` of IPv4.
const FAMILY: [u8; 4] = [2, 0, 0, 0];
const NESTED: u16 = 0x8000;
/// `IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED`.
const STATUS: u32 = 2 | 4 | 8;
const UDP: u8 = 17;
const SECONDS: u32 = 120;
/// Entries of one send.
const BATCH: u32 = 200;

/// Inserts `entries` distinct entries in the calling thread's namespace. Those beyond the table's size are refused by the kernel, silently.
pub(crate) fn fill(entries: u32) -> io::Result<()> {
    let socket = Socket::new(NETLINK_NETFILTER)?;
    let kernel = SocketAddr::new(0, 0);
    for first in (0..entries).step_by(BATCH as usize) {
        let messages: Vec<u8> = (first..entries.min(first + BATCH)).flat_map(message).collect();
        socket.send_to(&messages, &kernel, 0)?;
        // Refusals are answered; unread answers would fill the socket's buffer.
        let mut answers = Vec::with_capacity(1 << 16);
        while socket.recv_from(&mut answers, libc::MSG_DONTWAIT).is_ok() {
            answers.clear();
        }
    }
    Ok(())
}

fn message(entry: u32) -> Vec<u8> {
    let [a, b] = [Ipv4Addr::new(172, 30, (entry >> 24) as u8, (entry >> 16) as u8), Ipv4Addr::new(172, 31, 0, 1)];
    let ports = [entry as u16, 9];
    let mut body = FAMILY.to_vec();
    body.extend(attribute(1 | NESTED, &tuple([a, b], ports)));
    body.extend(attribute(2 | NESTED, &tuple([b, a], [ports[1], ports[0]])));
    body.extend(attribute(3, &STATUS.to_be_bytes()));
    body.extend(attribute(7, &SECONDS.to_be_bytes()));
    framed(NEW, CREATE, &body)
}

/// A netlink message: length, type, flags, no sequence number, no port.
fn framed(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut message = (16 + body.len() as u32).to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    message
}

fn tuple(addresses: [Ipv4Addr; 2], ports: [u16; 2]) -> Vec<u8> {
    let mut ip = attribute(1, &addresses[0].octets());
    ip.extend(attribute(2, &addresses[1].octets()));
    let mut transport = attribute(1, &[UDP]);
    transport.extend(attribute(2, &ports[0].to_be_bytes()));
    transport.extend(attribute(3, &ports[1].to_be_bytes()));
    let mut tuple = attribute(1 | NESTED, &ip);
    tuple.extend(attribute(2 | NESTED, &transport));
    tuple
}

fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut attribute = (4 + payload.len() as u16).to_ne_bytes().to_vec();
    attribute.extend(kind.to_ne_bytes());
    attribute.extend(payload);
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    attribute
}
