//! Offloads of a device: `ioctl(2)` with `SIOCETHTOOL`.
#![expect(unsafe_code, reason = "the ioctl takes a pointer within a structure")]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::net::{AddressFamily, SocketType, socket};

/// An offload, by the command that sets it (include/uapi/linux/ethtool.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Offload {
    /// `ETHTOOL_STXCSUM`: the device completes checksums of what it sends.
    TransmitChecksum = 0x17,
    /// `ETHTOOL_SGRO`: received segments are joined. A veth polls (NAPI) while this is on or an XDP program is attached, and only a
    /// veth that polls takes frames that XDP redirects to it (drivers/net/veth.c, `veth_xdp_xmit`).
    GenericReceive = 0x2c,
}

const SIOCETHTOOL: libc::Ioctl = 0x8946;

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// `struct ifreq` with a pointer in its union.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    value: *mut Value,
    rest: [u8; 16],
}

/// Turns an offload of a device in the calling thread's namespace on or off.
///
/// # Errors
/// `ENODEV` where there is no such device, `EOPNOTSUPP` where it cannot change the offload, `EINVAL` for a name that is too long.
pub fn set(device: &str, offload: Offload, on: bool) -> io::Result<()> {
    let mut name = [0; libc::IFNAMSIZ];
    if device.len() >= name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    name[..device.len()].copy_from_slice(device.as_bytes());
    let socket: OwnedFd = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    let mut value = Value { command: offload as u32, data: u32::from(on) };
    let mut request = Request { name, value: &raw mut value, rest: [0; 16] };
    // SAFETY: the request and the value that it points to live until the call returns, and are as large as the kernel's.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
