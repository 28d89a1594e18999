//! What client and server say to each other: a request that is numbered, and an answer that repeats the number and names the
//! endpoint. A stream's answer has the bytes that came behind the request in place of the number. Pure.

use std::net::{Ipv4Addr, SocketAddrV4};

/// Bytes of a request.
pub(super) const REQUEST_LEN: usize = 9;
/// Bytes of a stream that one system call takes.
pub(super) const CHUNK: usize = 1 << 16;
/// Bytes of an answer.
pub(super) const ANSWER_LEN: usize = 14;

const LAST: u8 = b'C';
const MORE: u8 = b'K';
const STREAM: u8 = b'S';

/// How the request of another client begins, one that speaks HTTP.
const HTTP: &[u8] = b"GET /";
/// Where it ends.
pub(super) const HTTP_END: &[u8] = b"\r\n\r\n";
/// What it is answered.
pub(super) const HTTP_ANSWER: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n";

/// What is to follow on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// The server closes the connection after its answer.
    Close,
    /// Other requests may follow on the answer.
    More,
    /// Bytes follow until the client has no more; then the server answers and closes.
    Stream,
}

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    /// Number of the exchange.
    pub(super) number: u64,
    /// What is to follow.
    pub(super) then: Then,
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
        bytes[0] = match self.then {
            Then::Close => LAST,
            Then::More => MORE,
            Then::Stream => STREAM,
        };
        bytes[1..].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    /// `None` for what no client of ours sends.
    pub(super) fn read(bytes: &[u8; REQUEST_LEN]) -> Option<Self> {
        let [kind, number @ ..] = *bytes;
        let then = match kind {
            LAST => Then::Close,
            MORE => Then::More,
            STREAM => Then::Stream,
            _ => return None,
        };
        Some(Self { number: u64::from_be_bytes(number), then })
    }
}

/// Whether bytes where a request should be are the beginning of one in HTTP.
pub(super) fn is_http(bytes: &[u8]) -> bool {
    bytes.starts_with(HTTP)
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
        assert_eq!([b"GET /?1 H", b"GET / HTT", b"GOT / HTT"].map(|bytes| is_http(bytes)), [true, true, false]);
    }

    proptest! {
        #[test]
        fn what_is_said_is_understood(number: u64, kind in 0..3_usize, address: u32, port: u16) {
            let request = Request { number, then: [Then::Close, Then::More, Then::Stream][kind] };
            prop_assert_eq!(Request::read(&request.bytes()), Some(request));
            let answer = Answer { number, endpoint: SocketAddrV4::new(address.into(), port) };
            prop_assert_eq!(Answer::read(&answer.bytes()), answer);
        }
    }
}
