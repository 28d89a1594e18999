//! Threaded NAPI: a veth's receive side on a CPU of its own.

use std::fs::{self, File};
use std::io;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::TrafficError;
use crate::net::{Link, NetNs};
use crate::sys::namespace::unshare_mount;
use crate::sys::schedule::real_time;
use crate::usage::{CpuTicks, Thread, kernel_threads, ksoftirqd, sum_ns};

/// Whether other processes may have the CPUs of sender and node meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// They may.
    Shared,
    /// They wait: both threads are of the real-time class, as far as the kernel lets them. For work in short pieces only: Linux takes the CPU
    /// from a real-time thread that has had it for 95% of a second (`sched_rt_runtime_us`).
    First,
}

/// Moves the receive side of `device` to a kernel thread on `cpu` until dropped.
#[derive(Debug)]
struct ThreadedNapi {
    thread: Pid,
    _switch: Switch,
}

impl ThreadedNapi {
    /// Must run on a thread that ends soon: it gets a mount namespace of its own, with a sysfs that shows `namespace`'s
    /// devices (sysfs shows the network namespace that it was mounted in).
    fn enable(namespace: &NetNs, device: &Link, cpu: usize) -> Result<Self, TrafficError> {
        mount_own_sysfs(namespace)?;
        let prefix = format!("napi/{}-", device.name);
        let threads = || kernel_threads(|name| name.starts_with(&prefix));
        let alone = switch_alone()?;
        let before = threads()?;
        let switch = Switch { path: format!("/sys/class/net/{}/threaded", device.name) };
        fs::write(&switch.path, "1").map_err(failed("switch threaded NAPI on"))?;
        let after = threads()?;
        drop(alone);
        let new: Vec<Pid> = after.into_iter().filter(|thread| !before.contains(thread)).collect();
        let [thread] = new[..] else { return Err(TrafficError::NapiThread { prefix, found: new.len() }) };
        pin(Some(thread), cpu)?;
        Ok(Self { thread, _switch: switch })
    }
}

/// Held by one at a time, of all processes that share this mount of `/proc`. Only what is new tells a device's thread: its name holds
/// the device's, which other nodes have too, and a number that older kernels do not tell.
///
/// The lock is on `/proc` itself: nothing needs to be made, and it ends with its holder.
fn switch_alone() -> Result<File, TrafficError> {
    let proc = File::open("/proc").map_err(failed("open /proc"))?;
    let begin = Instant::now();
    loop {
        match flock(&proc, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(proc),
            // Whoever may read /proc may hold it, and for ever.
            Err(Errno::WOULDBLOCK | Errno::INTR) if begin.elapsed() < PATIENCE => std::thread::sleep(BREATH),
            Err(errno) => return Err(failed("lock /proc, which another process holds")(errno.into())),
        }
    }
}

/// How long to wait for others' switches, each of which takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
const BREATH: Duration = Duration::from_millis(1);

/// Turns off what it turned on.
#[derive(Debug)]
struct Switch {
    path: String,
}

impl Drop for Switch {
    fn drop(&mut self) {
        if let Err(error) = fs::write(&self.path, "0") {
            tracing::warn!(%error, "threaded NAPI stays on until the namespace ends");
        }
    }
}

/// The CPU that does the node's work.
#[derive(Debug)]
pub(super) struct NodeThreads {
    receive: Thread,
    /// Goes on where soft interrupts took too long: the pods' device is polled by one, in the receive thread's time.
    ksoftirqd: Vec<Thread>,
    cpu: usize,
}

/// CPU time of both threads since they began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct NodeTime {
    pub(super) receive_ns: u64,
    pub(super) ksoftirqd_ns: u64,
}

impl NodeThreads {
    fn of(receive: Pid, cpu: usize) -> Result<Self, TrafficError> {
        Ok(Self { receive: Thread::of_process(receive), ksoftirqd: ksoftirqd(Some(cpu))?, cpu })
    }

    /// Exact once the node has nothing left to do.
    pub(super) fn time(&self) -> Result<NodeTime, TrafficError> {
        Ok(NodeTime { receive_ns: self.receive.cpu_ns()?, ksoftirqd_ns: sum_ns(&self.ksoftirqd)? })
    }

    /// Ticks of their CPU since boot.
    pub(super) fn ticks(&self) -> Result<CpuTicks, TrafficError> {
        Ok(CpuTicks::read(Some(self.cpu))?)
    }
}

/// Runs `work` on a thread of its own, bound to the first CPU that the calling one may use, while the receive side of `device` is
/// bound to the second; `work` is told the threads there. CPU, mount namespace and receive thread end with it.
///
/// # Errors
/// [`TrafficError::OneCpu`] where the two would share a CPU; what `work` says.
pub(super) fn on_two_cpus<T: Send>(
    namespace: &NetNs,
    device: &Link,
    urgency: Urgency,
    work: impl FnOnce(NodeThreads) -> Result<T, TrafficError> + Send,
) -> Result<T, TrafficError> {
    let [sender, node] = two_cpus()?;
    let bound = || {
        pin(None, sender)?;
        let napi = ThreadedNapi::enable(namespace, device, node)?;
        if urgency == Urgency::First {
            [None, Some(napi.thread)].into_iter().for_each(hurry);
        }
        work(NodeThreads::of(napi.thread, node)?)
    };
    std::thread::scope(|scope| scope.spawn(bound).join()).unwrap_or(Err(TrafficError::Thread))
}

fn hurry(thread: Option<Pid>) {
    if let Err(error) = real_time(thread) {
        tracing::warn!(%error, "other processes may hold up packets: no real-time scheduling");
    }
}

/// Binds a thread (the calling one if `None`) to a CPU.
fn pin(thread: Option<Pid>, cpu: usize) -> Result<(), TrafficError> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(thread, &set).map_err(|errno| failed("bind a thread to a CPU")(errno.into()))
}

/// The first two CPUs that the calling thread may use: the sender's and the node's.
fn two_cpus() -> Result<[usize; 2], TrafficError> {
    let allowed = sched_getaffinity(None).map_err(|errno| failed("read the CPUs of this thread")(errno.into()))?;
    let mut cpus = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu));
    match (cpus.next(), cpus.next()) {
        (Some(sender), Some(node)) => Ok([sender, node]),
        _ => Err(TrafficError::OneCpu { available: allowed.count() as usize }),
    }
}

fn mount_own_sysfs(namespace: &NetNs) -> Result<(), TrafficError> {
    unshare_mount().map_err(failed("unshare the mount namespace"))?;
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .map_err(|errno| failed("keep mounts private")(errno.into()))?;
    let _inside = namespace.enter()?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("sysfs", "/sys", "sysfs", flags, None).map_err(|errno| failed("mount sysfs")(errno.into()))
}

fn failed(action: &'static str) -> impl Fn(io::Error) -> TrafficError {
    move |source| TrafficError::Napi { action, source }
}
