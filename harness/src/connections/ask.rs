//! One exchange, as the client makes it.

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::AsFd;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use super::Asked;
use super::wire::{ANSWER_LEN, Answer, CHUNK, Request, Then};
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
    /// Opens a way from an address and port; the kernel chooses port 0.
    pub(super) async fn open(protocol: Protocol, from: SocketAddrV4, to: SocketAddrV4) -> Result<Self, FailureKind> {
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
        endpoint(asked, answered, request.number)
    }

    /// Sends bytes until `end`, and waits until all are said to have come. Returns the index of the endpoint that they came to, and how many.
    pub(super) async fn stream(self, asked: &Asked, number: u64, end: Instant) -> Result<(usize, u64), FailureKind> {
        let Self::Tcp(mut stream) = self else { return Err(FailureKind::Other) };
        let mut bytes = 0;
        let answered = send(&mut stream, number, end, &mut bytes).await;
        Ok((endpoint(asked, answered, bytes)?, bytes))
    }
}

/// The endpoint that gave an answer, which is the right one with this number.
fn endpoint(asked: &Asked, answered: io::Result<Option<Answer>>, number: u64) -> Result<usize, FailureKind> {
    let answer = answered.map_err(|error| kind(&error))?.ok_or(FailureKind::WrongAnswer)?;
    let endpoint = asked.endpoints.get(&answer.endpoint).filter(|_| answer.number == number);
    endpoint.copied().ok_or(FailureKind::WrongAnswer)
}

async fn tcp(from: SocketAddrV4, to: SocketAddrV4) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if from.port() == 0 {
        choose_port_late(socket.as_fd())?;
    } else {
        // Its last connection may not be quite over.
        socket.set_reuseaddr(true)?;
    }
    socket.bind(from.into())?;
    socket.connect(to.into()).await
}

async fn udp(from: SocketAddrV4, to: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(from).await?;
    socket.connect(to).await?;
    Ok(socket)
}

/// `None` where the connection goes on after its last answer.
async fn exchange(stream: &mut TcpStream, request: Request) -> io::Result<Option<Answer>> {
    stream.write_all(&request.bytes()).await?;
    answer(stream, request.then).await
}

async fn answer(stream: &mut TcpStream, then: Then) -> io::Result<Option<Answer>> {
    let mut bytes = [0; ANSWER_LEN];
    stream.read_exact(&mut bytes).await?;
    let is_over = then == Then::More || stream.read(&mut [0]).await? == 0;
    Ok(is_over.then(|| Answer::read(&bytes)))
}

/// Counts in `bytes` what it sends behind the request.
async fn send(stream: &mut TcpStream, number: u64, end: Instant, bytes: &mut u64) -> io::Result<Option<Answer>> {
    stream.write_all(&Request { number, then: Then::Stream }.bytes()).await?;
    let chunk = vec![0; CHUNK];
    while Instant::now() < end {
        *bytes += stream.write(&chunk).await? as u64;
    }
    stream.shutdown().await?;
    answer(stream, Then::Stream).await
}

/// `None` for an answer of another length.
async fn datagrams(socket: &UdpSocket, request: Request) -> io::Result<Option<Answer>> {
    socket.send(&request.bytes()).await?;
    let mut bytes = [0; ANSWER_LEN + 1];
    let length = socket.recv(&mut bytes).await?;
    Ok(bytes[..length].try_into().ok().map(Answer::read))
}

/// What an error of a socket says.
pub(crate) fn kind(error: &io::Error) -> FailureKind {
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
