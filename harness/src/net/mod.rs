//! Namespaces, links, routes and netlink.
//!
//! Everything is held by file descriptor: a namespace has no name and no mount, so it is gone when the process is, however
//! the process ends.

pub mod addr;
pub mod conntrack;
pub mod ipvs;
mod netns;
mod outside;
mod rtnl;
pub mod socket;
mod topology;

pub use netns::{NetNs, NetNsGuard};
pub use outside::{LOAD_BALANCER, Outside};
pub use rtnl::{Link, LinkCounters, Rtnl};
pub use topology::{NODE_BACKEND_DEVICE, NODE_CLIENT_DEVICE, Topology};

use std::io;

/// What can go wrong with namespaces, links and sysctls.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// A namespace call failed.
    #[error("{call} failed: {source}")]
    Namespace {
        /// The call.
        call: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The kernel refused a netlink request.
    #[error("the kernel refused to {request}: {source}")]
    Request {
        /// What was asked for, in words.
        request: String,
        /// Why.
        source: io::Error,
    },
    /// A netlink answer could not be read.
    #[error("netlink answer to \"{request}\" could not be decoded: {reason}")]
    Decode {
        /// What was asked for, in words.
        request: String,
        /// Why.
        reason: String,
    },
    /// A sysctl could not be read.
    #[error("cannot read sysctl {path}: {source}")]
    SysctlRead {
        /// File below `/proc/sys`.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A sysctl could not be written.
    #[error("cannot write {value:?} to sysctl {path}: {source}")]
    Sysctl {
        /// File below `/proc/sys`.
        path: String,
        /// Value.
        value: String,
        /// Why.
        source: io::Error,
    },
}

impl NetError {
    /// Whether the cause is a missing privilege (`EPERM`, `EACCES`).
    pub fn is_permission(&self) -> bool {
        match self {
            Self::Namespace { source, .. }
            | Self::Request { source, .. }
            | Self::SysctlRead { source, .. }
            | Self::Sysctl { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
            Self::Decode { .. } => false,
        }
    }
}

/// Value of a sysctl of the calling thread's network namespace, without the line's end. `name` is dotted or slashed (`net.ipv4.ip_forward`).
///
/// # Errors
/// [`NetError::SysctlRead`] where the file does not exist or may only be written.
pub fn read_sysctl(name: &str) -> Result<String, NetError> {
    let path = sysctl_path(name);
    let text = std::fs::read_to_string(&path).map_err(|source| NetError::SysctlRead { path, source })?;
    Ok(text.trim_end().to_owned())
}

/// Writes a sysctl of the calling thread's network namespace. `name` is dotted or slashed (`net.ipv4.ip_forward`).
///
/// # Errors
/// [`NetError::Sysctl`] where the file does not exist or refuses the value.
pub fn write_sysctl(name: &str, value: &str) -> Result<(), NetError> {
    let path = sysctl_path(name);
    std::fs::write(&path, value).map_err(|source| NetError::Sysctl { path, value: value.to_owned(), source })
}

fn sysctl_path(name: &str) -> String {
    format!("/proc/sys/{}", name.replace('.', "/"))
}
