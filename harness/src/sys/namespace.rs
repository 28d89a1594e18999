//! Leaving a namespace for a fresh one: `unshare(2)`.
#![expect(unsafe_code, reason = "unshare is unsafe because it can pull files or memory apart between threads")]

use std::io;

use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Moves the calling thread into a new, empty network namespace.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN`, `ENOSPC` beyond the limit of namespaces.
pub fn unshare_net() -> io::Result<()> {
    // SAFETY: CLONE_NEWNET detaches neither memory nor the file table; it only changes what this thread's sockets see.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.map_err(Into::into)
}

/// Moves the calling thread into a copy of its mount namespace.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN`; `EINVAL` does not arise, the kernel unshares the thread's filesystem attributes with it.
pub fn unshare_mount() -> io::Result<()> {
    // SAFETY: CLONE_NEWNS implies CLONE_FS: only this thread's root and working directory are detached, no memory and no
    // file descriptors.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.map_err(Into::into)
}
