//! Echo requests from a namespace, and what came back.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, ipproto, recv, sendto, socket_with,
};

use super::ReachError;
use super::icmp::{Answer, read, request};
use crate::connections::failure_kind;
use crate::net::NetNs;
use crate::result::{FailureKind, IcmpError};

/// How long an answer is waited for after the last request.
const PATIENCE: Duration = Duration::from_secs(1);

/// What became of echo requests; each is counted once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pinged {
    /// Requests.
    pub sent: u64,
    /// Those that were answered.
    pub answered: u64,
    /// Those that only a message of ICMP came back for.
    pub icmp: Vec<IcmpError>,
    /// Those that the sender's kernel refused to send, and nothing came back for.
    pub failures: BTreeMap<FailureKind, u64>,
}

/// What is known of one request; the greater the surer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Silence,
    Refused(FailureKind),
    Error { icmp_type: u8, code: u8 },
    Answered,
}

/// Sends `count` echo requests from an address of a namespace. Returns when each has its answer, or a second after the last. `id` tells
/// them from those of other calls.
///
/// # Errors
/// [`ReachError`]: the namespace or the socket. That a request cannot be sent is part of the result.
pub fn ping(namespace: &NetNs, from: Ipv4Addr, to: Ipv4Addr, id: u16, count: u16) -> Result<Pinged, ReachError> {
    let _inside = namespace.enter()?;
    let socket = open(from).map_err(|source| ReachError::Io { action: "open a socket for ICMP", source })?;
    let send = |seq| match sendto(&socket, &request(id, seq), SendFlags::empty(), &SocketAddrV4::new(to, 0)) {
        Ok(_) => Fate::Silence,
        Err(errno) => Fate::Refused(failure_kind(&errno.into())),
    };
    let mut fates: Vec<_> = (0..count).map(send).collect();
    collect(&socket, id, &mut fates).map_err(|source| ReachError::Io { action: "receive messages of ICMP", source })?;
    Ok(Pinged::of(&fates))
}

fn open(from: Ipv4Addr) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::RAW, flags, Some(ipproto::ICMP))?;
    bind(&socket, &SocketAddrV4::new(from, 0))?;
    Ok(socket)
}

/// Reads until every request has more than silence or a refusal, or the patience is over.
fn collect(socket: &OwnedFd, id: u16, fates: &mut [Fate]) -> io::Result<()> {
    let begin = Instant::now();
    let is_open = |fate: &Fate| matches!(fate, Fate::Silence | Fate::Refused(_));
    let mut bytes = [0; 1500];
    while fates.iter().any(is_open) {
        let Some(left) = PATIENCE.checked_sub(begin.elapsed()).filter(|left| !left.is_zero()) else { break };
        if !readable(socket, left)? {
            continue;
        }
        let length = match recv(socket, &mut bytes[..], RecvFlags::empty()) {
            Ok((length, _)) => length,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => continue,
            Err(errno) => return Err(errno.into()),
        };
        let Some((seq, answer)) = read(&bytes[..length], id) else { continue };
        if let Some(fate) = fates.get_mut(usize::from(seq)) {
            *fate = (*fate).max(Fate::of(answer));
        }
    }
    Ok(())
}

fn readable(socket: &OwnedFd, within: Duration) -> io::Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN)];
    let timeout = Timespec::try_from(within).map_err(io::Error::other)?;
    match poll(&mut fds, Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

impl Fate {
    fn of(answer: Answer) -> Self {
        match answer {
            Answer::Reply => Self::Answered,
            Answer::Error { icmp_type, code } => Self::Error { icmp_type, code },
        }
    }
}

impl Pinged {
    fn of(fates: &[Fate]) -> Self {
        let mut pinged = Self { sent: fates.len() as u64, ..Self::default() };
        let mut errors = BTreeMap::new();
        for fate in fates {
            match *fate {
                Fate::Answered => pinged.answered += 1,
                Fate::Error { icmp_type, code } => *errors.entry((icmp_type, code)).or_default() += 1,
                Fate::Refused(kind) => *pinged.failures.entry(kind).or_default() += 1,
                Fate::Silence => {}
            }
        }
        pinged.icmp =
            errors.into_iter().map(|((icmp_type, code), count)| IcmpError { icmp_type, code, count }).collect();
        pinged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_once_by_what_is_surest() {
        let refused = Fate::Refused(FailureKind::Other);
        let error = Fate::Error { icmp_type: 3, code: 3 };
        assert_eq!(refused.max(error), error);
        assert_eq!(error.max(Fate::Answered), Fate::Answered);
        let pinged = Pinged::of(&[Fate::Silence, refused, error, error, Fate::Answered]);
        assert_eq!((pinged.sent, pinged.answered), (5, 1));
        assert_eq!(pinged.icmp, [IcmpError { icmp_type: 3, code: 3, count: 2 }]);
        assert_eq!(pinged.failures, BTreeMap::from([(FailureKind::Other, 1)]));
    }
}
