//! One exchange, as the client makes it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::AsFd;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use super::Asked;
use super::wire::{ANSWER_LEN, Answer, Request};
use crate::result::FailureKind;
use crate::sys::socket::choose_port_late;
use crate::workload::Protocol;

/// A way to the servers: a connection, or a socket that datagrams come and go through.
#[derive(Debug)]
pub(super) enum Way {
    Tcp(TcpStream),
    Udp(UdpSocket),
}

impl Way {
    /// Opens a way from an address; the kernel chooses the port.
    pub(super) async fn open(protocol: Protocol, from: Ipv4Addr, to: SocketAddrV4) -> Result<Self, FailureKind> {
        match protocol {
            Protocol::Tcp => tcp(from, to).await.map(Self::Tcp),
            Protocol::Udp => udp(from, to).await.map(Self::Udp),
        }
        .map_err(|error| kind(&error))
    }

    /// Whether opening it took an answer of the other side.
    pub(super) fn is_connection(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    /// Asks once, and waits for the whole answer, and where it was the last request for the end of the connection. Returns the index of the endpoint that
    /// answered.
    pub(super) async fn ask(&mut self, asked: &Asked, request: Request) -> Result<usize, FailureKind> {
        let answered = match self {
            Self::Tcp(stream) => exchange(stream, request).await,
            Self::Udp(socket) => datagrams(socket, request).await,
        };
        let answer = answered.map_err(|error| kind(&error))?.ok_or(FailureKind::WrongAnswer)?;
        let endpoint = asked.endpoints.get(&answer.endpoint).filter(|_| answer.number == request.number);
        endpoint.copied().ok_or(FailureKind::WrongAnswer)
    }
}

async fn tcp(from: Ipv4Addr, to: SocketAddrV4) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    choose_port_late(socket.as_fd())?;
    socket.bind(SocketAddr::from((from, 0)))?;
    socket.connect(to.into()).await
}

async fn udp(from: Ipv4Addr, to: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((from, 0)).await?;
    socket.connect(to).await?;
    Ok(socket)
}

/// `None` where the connection goes on after its last answer.
async fn exchange(stream: &mut TcpStream, request: Request) -> io::Result<Option<Answer>> {
    stream.write_all(&request.bytes()).await?;
    let mut bytes = [0; ANSWER_LEN];
    stream.read_exact(&mut bytes).await?;
    let is_over = !request.last || stream.read(&mut [0]).await? == 0;
    Ok(is_over.then(|| Answer::read(&bytes)))
}

/// `None` for an answer of another length.
async fn datagrams(socket: &UdpSocket, request: Request) -> io::Result<Option<Answer>> {
    socket.send(&request.bytes()).await?;
    let mut bytes = [0; ANSWER_LEN + 1];
    let length = socket.recv(&mut bytes).await?;
    Ok(bytes[..length].try_into().ok().map(Answer::read))
}

/// What an error of a socket says.
fn kind(error: &io::Error) -> FailureKind {
    use io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => FailureKind::Refused,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => FailureKind::Reset,
        ErrorKind::TimedOut => FailureKind::TimedOut,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => FailureKind::Unreachable,
        ErrorKind::AddrNotAvailable | ErrorKind::AddrInUse => FailureKind::NoAddress,
        ErrorKind::UnexpectedEof => FailureKind::ClosedEarly,
        _ if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => FailureKind::NoDescriptor,
        _ => FailureKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_their_kind() {
        let of = |code| kind(&io::Error::from_raw_os_error(code));
        let expected = [
            (libc::ECONNREFUSED, FailureKind::Refused),
            (libc::ECONNRESET, FailureKind::Reset),
            (libc::EPIPE, FailureKind::Reset),
            (libc::ETIMEDOUT, FailureKind::TimedOut),
            (libc::EHOSTUNREACH, FailureKind::Unreachable),
            (libc::ENETUNREACH, FailureKind::Unreachable),
            (libc::EADDRNOTAVAIL, FailureKind::NoAddress),
            (libc::EADDRINUSE, FailureKind::NoAddress),
            (libc::EMFILE, FailureKind::NoDescriptor),
            (libc::ENOBUFS, FailureKind::Other),
        ];
        for (code, kind) in expected {
            assert_eq!(of(code), kind, "{code}");
        }
        assert_eq!(kind(&io::ErrorKind::UnexpectedEof.into()), FailureKind::ClosedEarly);
    }
}
