//! What client and server say to each other: a request that is numbered, and an answer that repeats the number and names the
//! endpoint. Pure.

use std::net::{Ipv4Addr, SocketAddrV4};

/// Bytes of a request.
pub(super) const REQUEST_LEN: usize = 9;
/// Bytes of an answer.
pub(super) const ANSWER_LEN: usize = 14;

const LAST: u8 = b'C';
const MORE: u8 = b'K';

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    /// Number of the exchange.
    pub(super) number: u64,
    /// Whether the server is to close the connection after its answer.
    pub(super) last: bool,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    /// Number of the request.
    pub(super) number: u64,
    /// The address that the server was reached under.
    pub(super) endpoint: SocketAddrV4,
}

impl Request {
    pub(super) fn bytes(self) -> [u8; REQUEST_LEN] {
        let mut bytes = [0; REQUEST_LEN];
        bytes[0] = if self.last { LAST } else { MORE };
        bytes[1..].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    /// `None` for what no client of ours sends.
    pub(super) fn read(bytes: &[u8; REQUEST_LEN]) -> Option<Self> {
        let [kind, number @ ..] = *bytes;
        let last = match kind {
            LAST => true,
            MORE => false,
            _ => return None,
        };
        Some(Self { number: u64::from_be_bytes(number), last })
    }
}

impl Answer {
    pub(super) fn bytes(self) -> [u8; ANSWER_LEN] {
        let mut bytes = [0; ANSWER_LEN];
        bytes[..8].copy_from_slice(&self.number.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.endpoint.ip().octets());
        bytes[12..].copy_from_slice(&self.endpoint.port().to_be_bytes());
        bytes
    }

    pub(super) fn read(bytes: &[u8; ANSWER_LEN]) -> Self {
        let [n0, n1, n2, n3, n4, n5, n6, n7, a, b, c, d, high, low] = *bytes;
        Self {
            number: u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7]),
            endpoint: SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_foreign_request_is_none() {
        assert_eq!(Request::read(b"GET / HTT"), None);
    }

    proptest! {
        #[test]
        fn what_is_said_is_understood(number: u64, last: bool, address: u32, port: u16) {
            let request = Request { number, last };
            prop_assert_eq!(Request::read(&request.bytes()), Some(request));
            let answer = Answer { number, endpoint: SocketAddrV4::new(address.into(), port) };
            prop_assert_eq!(Answer::read(&answer.bytes()), answer);
        }
    }
}
