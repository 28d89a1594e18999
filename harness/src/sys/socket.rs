//! Options of sockets that rustix does not know: `setsockopt(2)`.
#![expect(unsafe_code, reason = "the option's value is passed by pointer")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Puts the choice of a port off from `bind` to `connect`: it then need only be unique towards one destination, so an address has a port for
/// every one of them (ip(7), `IP_BIND_ADDRESS_NO_PORT`).
///
/// # Errors
/// `ENOPROTOOPT` for a socket that is not IPv4.
pub fn choose_port_late(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the value is a c_int as the option wants, lives until the call returns, and the length is its own.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            length,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4};
    use std::os::fd::AsFd;

    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

    use super::*;

    #[test]
    fn a_bound_socket_has_no_port_yet() {
        let bound = |late: bool| {
            let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
            if late {
                choose_port_late(socket.as_fd()).expect("IPv4");
            }
            bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("loopback");
            let address = getsockname(&socket).expect("bound");
            SocketAddrV4::try_from(address).expect("IPv4").port()
        };
        assert_ne!(bound(false), 0);
        assert_eq!(bound(true), 0);
    }
}
