//! Anonymous network namespaces, held by file descriptor.

use std::fs::File;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::NetError;
use crate::sys::namespace::unshare_net;

/// The thread's own namespace; `/proc/self` would name the thread group leader's.
const THREAD_NETNS: &str = "/proc/thread-self/ns/net";

/// A network namespace that lives as long as this value, or a process or thread inside it.
#[derive(Debug)]
pub struct NetNs {
    file: File,
}

impl NetNs {
    /// Creates an empty namespace with its loopback down. The calling thread stays where it was.
    ///
    /// # Errors
    /// [`NetError::Namespace`], a permission error without `CAP_SYS_ADMIN`.
    pub fn new() -> Result<Self, NetError> {
        let outer = Self::current()?;
        unshare_net().map_err(|source| NetError::Namespace { call: "unshare(CLONE_NEWNET)", source })?;
        let inner = Self::current();
        outer.join()?;
        inner
    }

    /// The calling thread's namespace.
    ///
    /// # Errors
    /// [`NetError::Namespace`] where procfs is not mounted.
    pub fn current() -> Result<Self, NetError> {
        let file = File::open(THREAD_NETNS)
            .map_err(|source| NetError::Namespace { call: "open /proc/thread-self/ns/net", source })?;
        Ok(Self { file })
    }

    /// Another handle of the same namespace.
    ///
    /// # Errors
    /// [`NetError::Namespace`], beyond the limit of open files.
    pub fn try_clone(&self) -> Result<Self, NetError> {
        let file = self.file.try_clone();
        Ok(Self { file: file.map_err(|source| NetError::Namespace { call: "dup", source })? })
    }

    /// Moves the calling thread into this namespace until the guard is dropped.
    ///
    /// # Errors
    /// [`NetError::Namespace`].
    pub fn enter(&self) -> Result<NetNsGuard, NetError> {
        let previous = Self::current()?;
        self.join()?;
        Ok(NetNsGuard { previous, _not_send: PhantomData })
    }

    fn join(&self) -> Result<(), NetError> {
        move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|errno| NetError::Namespace { call: "setns(CLONE_NEWNET)", source: errno.into() })
    }
}

impl AsFd for NetNs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Brings the thread back to the namespace that it came from. Bound to the thread that entered.
#[derive(Debug)]
pub struct NetNsGuard {
    previous: NetNs,
    _not_send: PhantomData<*const ()>,
}

impl Drop for NetNsGuard {
    fn drop(&mut self) {
        if let Err(error) = self.previous.join() {
            // Going on in the wrong namespace would break the promise that the root namespace stays untouched.
            tracing::error!(%error, "cannot return to the previous network namespace");
            std::process::abort();
        }
    }
}
