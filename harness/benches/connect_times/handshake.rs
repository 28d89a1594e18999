//! The kernel's own view of a client's connections: how long a socket is on its way from `SYN_SENT` to `ESTABLISHED`, by the tracepoint
//! `sock:inet_sock_set_state` (include/trace/events/sock.h).
//!
//! Whoever connects is timed at the same two places of the kernel and by the same clock: nothing that a client does itself is in it.

use std::fs;
use std::io;
use std::net::SocketAddrV4;
use std::path::PathBuf;

use lbcurve::sys::namespace::unshare_mount;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
use tempfile::TempDir;

/// Of the instance in tracefs: one that a killed command left is removed by the next.
const INSTANCE: &str = "instances/lbcurve-connect-times";
const EVENT: &str = "events/sock/inet_sock_set_state";
/// A client's two steps: to `SYN_SENT` (2), and from there to `ESTABLISHED` (1).
const STEPS: &str = "newstate == 2 || (oldstate == 2 && newstate == 1)";
/// For the events of 10,000 connections.
const BUFFER_KIB: &str = "4096";

/// The kernel cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} tracefs")]
pub(crate) struct TraceError {
    action: &'static str,
    #[source]
    source: io::Error,
}

/// Records the steps of every connection of this machine, until it is dropped.
pub(crate) struct Handshakes {
    instance: PathBuf,
    mounted: TempDir,
}

impl Handshakes {
    /// Begins. Only this thread and those that it starts see the mount, which ends with them.
    ///
    /// # Errors
    /// [`TraceError`]: not root, or a kernel without tracefs or this tracepoint.
    pub(crate) fn open() -> Result<Self, TraceError> {
        unshare_mount().map_err(failed("keep to this command"))?;
        mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
            .map_err(|errno| failed("keep to this command")(errno.into()))?;
        let mounted = tempfile::tempdir().map_err(failed("make a directory for"))?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("tracefs", mounted.path(), "tracefs", flags, None).map_err(|errno| failed("mount")(errno.into()))?;
        let instance = mounted.path().join(INSTANCE);
        if instance.exists() {
            fs::remove_dir(&instance).map_err(failed("clean up"))?;
        }
        fs::create_dir(&instance).map_err(failed("make an instance of"))?;
        let handshakes = Self { instance, mounted };
        for (file, text) in [
            ("trace_clock", "mono"),
            ("buffer_size_kb", BUFFER_KIB),
            (&*format!("{EVENT}/filter"), STEPS),
            (&*format!("{EVENT}/enable"), "1"),
        ] {
            handshakes.write(file, text).map_err(failed("set up"))?;
        }
        Ok(handshakes)
    }

    /// Microseconds of each connection to `to` since the last call, in the order of time. They must have been made one after another: the
    /// kernel tells of the first step before the socket has a port.
    ///
    /// # Errors
    /// [`TraceError`].
    pub(crate) fn take(&self, to: SocketAddrV4) -> Result<Vec<f64>, TraceError> {
        let text = fs::read_to_string(self.instance.join("trace")).map_err(failed("read"))?;
        self.write("trace", "").map_err(failed("empty"))?;
        Ok(times(&text, to))
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        fs::write(self.instance.join(file), text)
    }
}

impl Drop for Handshakes {
    fn drop(&mut self) {
        let ended = self.write(&format!("{EVENT}/enable"), "0").and_then(|()| fs::remove_dir(&self.instance));
        if let Err(error) = ended {
            eprintln!("connect_times: the kernel goes on to record: {error}");
        }
        if let Err(errno) = unmount(self.mounted.path(), UnmountFlags::DETACH) {
            eprintln!("connect_times: tracefs stays mounted until the command ends: {errno}");
        }
    }
}

fn failed(action: &'static str) -> impl Fn(io::Error) -> TraceError {
    move |source| TraceError { action, source }
}

/// From each `SYN_SENT` to the `ESTABLISHED` after it.
fn times(text: &str, to: SocketAddrV4) -> Vec<f64> {
    let (port, address) = (format!(" dport={} ", to.port()), format!(" daddr={} ", to.ip()));
    let (mut begun, mut times) = (None, Vec::new());
    for line in text.lines().filter(|line| line.contains(&port) && line.contains(&address)) {
        let at = seconds(line);
        if line.trim_end().ends_with("newstate=TCP_SYN_SENT") {
            begun = at;
        } else {
            times.extend(begun.take().zip(at).map(|(begun, at): (f64, f64)| (at - begun) * 1e6));
        }
    }
    times
}

/// The time before the event's name, as in `curl-7 [001] ..s2. 12.000345: inet_sock_set_state: family=...`.
fn seconds(line: &str) -> Option<f64> {
    line.split_once(": inet_sock_set_state:")?.0.rsplit(' ').next()?.parse().ok()
}
