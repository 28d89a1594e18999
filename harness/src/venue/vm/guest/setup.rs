//! What init does before the job: file systems, limits, modules.

use std::fs::{self, File};
use std::io;

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::system::{finit_module, uname};
use rustix::time::{ClockId, clock_gettime};

use super::super::frame::Started;
use super::super::image::{MODULE_DIR, MODULE_ORDER};

/// File systems besides `/dev`: type and place.
const MOUNTS: &[(&str, &str)] =
    &[("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/tmp"), ("tmpfs", "/run"), ("bpf", "/sys/fs/bpf")];

/// Parameters of modules. A guest of 1 GiB would get a connection tracker far smaller than a node's: this is the size
/// that the kernel picks from 4 GiB on (`nf_conntrack_init_start`). `dummy` makes a link when it is loaded unless told not to.
const PARAMETERS: &[(&str, &str)] = &[("nf_conntrack", "hashsize=262144"), ("dummy", "numdummies=0")];

/// Connections that a node's tracker holds (`nf_conntrack_max`).
const TRACKED: &str = "262144";
/// Descriptors that a process may have: the kernel's own limit (`fs.nr_open`).
const OPEN_FILES: u64 = 1 << 20;

/// Why the guest cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum SetupError {
    #[error("cannot mount {0} in the guest: {1}")]
    Mount(&'static str, io::Error),
    #[error("cannot read {0} in the guest: {1}")]
    Read(&'static str, io::Error),
    #[error("cannot write {0} in the guest: {1}")]
    Write(&'static str, io::Error),
    #[error("cannot raise a limit in the guest: {0}")]
    Limit(Errno),
}

/// Mounts, raises limits and loads modules.
pub(super) fn prepare() -> Result<Started, SetupError> {
    let init_ns = uptime_ns();
    for &(kind, place) in MOUNTS {
        mount_at(kind, place).map_err(|error| SetupError::Mount(place, error))?;
    }
    // There is no modprobe here; without a name the kernel does not even try to start one.
    let modprobe = "/proc/sys/kernel/modprobe";
    fs::write(modprobe, "\n").map_err(|error| SetupError::Write(modprobe, error))?;
    let unlimited = Rlimit { current: None, maximum: None };
    setrlimit(Resource::Memlock, unlimited).map_err(SetupError::Limit)?;
    let refused_modules = load_modules()?;
    let release = uname().release().to_string_lossy().into_owned();
    Ok(Started { release, init_ns, ready_ns: uptime_ns(), refused_modules })
}

/// What servers and clients of real connections need: sockets, and a connection tracker that is as full at a percentage as a node's. With a
/// size of its own the tracker takes eight connections a bucket (`nf_conntrack_init_start`), a node's as many as it has buckets.
///
/// # Errors
/// The kernel refuses.
pub(in crate::venue::vm) fn prepare_connections() -> io::Result<()> {
    let files = Rlimit { current: Some(OPEN_FILES), maximum: Some(OPEN_FILES) };
    setrlimit(Resource::Nofile, files)?;
    fs::write("/proc/sys/net/netfilter/nf_conntrack_max", TRACKED)
}

/// Mounts `/dev` unless the kernel has.
pub(super) fn mount_dev() -> io::Result<()> {
    mount_at("devtmpfs", "/dev")
}

/// `CLOCK_BOOTTIME`, nanoseconds.
pub(super) fn uptime_ns() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn mount_at(kind: &str, place: &str) -> io::Result<()> {
    // sysfs makes its own directories; the others' are ours to make.
    if !place.starts_with("/sys/") {
        fs::create_dir_all(place)?;
    }
    match mount(kind, place, kind, MountFlags::empty(), None) {
        Ok(()) | Err(Errno::BUSY) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Loads the image's modules in order; returns those that the kernel refused.
fn load_modules() -> Result<Vec<(String, String)>, SetupError> {
    let order = fs::read_to_string(MODULE_ORDER).map_err(|error| SetupError::Read(MODULE_ORDER, error))?;
    let refused = |name: &str| load_module(name).err().map(|error| (name.to_owned(), error.to_string()));
    Ok(order.lines().filter_map(refused).collect())
}

fn load_module(name: &str) -> io::Result<()> {
    let file = File::open(format!("{MODULE_DIR}/{name}.ko"))?;
    let parameters = PARAMETERS.iter().find(|(module, _)| *module == name).map_or("", |(_, text)| text);
    let parameters = std::ffi::CString::new(parameters)?;
    match finit_module(&file, &parameters, 0) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
