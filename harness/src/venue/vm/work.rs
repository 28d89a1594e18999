//! The directory of a boot, its owner, and what a killed owner left behind.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{env, fmt, fs, io};

use rustix::process::{Pid, PidfdFlags, Signal, geteuid, getpid, pidfd_open, pidfd_send_signal};

/// Prefix of the directories, followed by their [`Owner`].
const PREFIX: &str = "lbcurve-vm-";

/// A process, told apart from later ones with its number by its start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pid: i32,
    start: u64,
}

/// What a killed run left: see [`stale_work`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StaleWork {
    /// A directory of files.
    Directory(PathBuf),
    /// A QEMU process that works in such a directory.
    Qemu {
        /// Its process number.
        pid: i32,
        /// The directory.
        directory: PathBuf,
    },
}

impl fmt::Display for StaleWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Qemu { pid, directory } => write!(f, "QEMU process {pid} of {}", directory.display()),
        }
    }
}

/// The directory of one boot, removed on drop.
#[derive(Debug)]
pub(crate) struct WorkDir(tempfile::TempDir);

impl Owner {
    /// This process.
    pub fn current() -> io::Result<Self> {
        let pid = getpid().as_raw_pid();
        start_time(pid).map(|start| Self { pid, start }).ok_or_else(|| io::Error::other("/proc is not mounted"))
    }

    /// Whether the process still runs.
    pub fn is_alive(&self) -> bool {
        start_time(self.pid) == Some(self.start)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.pid, self.start)
    }
}

impl FromStr for Owner {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (pid, start) = text.split_once('.').unwrap_or((text, ""));
        Ok(Self { pid: pid.parse()?, start: start.parse()? })
    }
}

impl WorkDir {
    pub(crate) fn new() -> io::Result<Self> {
        let prefix = format!("{PREFIX}{}-", Owner::current()?);
        tempfile::Builder::new().prefix(&prefix).tempdir().map(Self)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Directories and QEMU processes in the system's temporary directory whose owner is gone, processes first. Only the
/// caller's own, only with names that [`boot`](super::boot()) gives.
pub fn stale_work() -> Vec<StaleWork> {
    let directories = stale_directories(&env::temp_dir());
    let processes = qemu_processes(&directories);
    processes.into_iter().chain(directories.into_iter().map(StaleWork::Directory)).collect()
}

/// Ends the processes and removes the directories of [`stale_work`]; returns each with what came of it.
pub fn remove_stale() -> Vec<(StaleWork, io::Result<()>)> {
    stale_work()
        .into_iter()
        .map(|stale| {
            let outcome = stale.remove();
            (stale, outcome)
        })
        .collect()
}

impl StaleWork {
    fn remove(&self) -> io::Result<()> {
        match self {
            Self::Directory(path) => fs::remove_dir_all(path),
            Self::Qemu { pid, directory } => kill(*pid, directory),
        }
    }
}

fn stale_directories(temp: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(temp).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries.map(|entry| entry.path()).filter(|path| is_own(path) && is_stale(path)).collect();
    found.sort();
    found
}

fn is_own(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir() && meta.uid() == geteuid().as_raw())
}

fn is_stale(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(PREFIX));
    let owner = name.and_then(|rest| rest.split_once('-')).and_then(|(owner, _)| owner.parse().ok());
    owner.is_some_and(|owner: Owner| !owner.is_alive())
}

fn qemu_processes(directories: &[PathBuf]) -> Vec<StaleWork> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .flat_map(|pid| directories.iter().map(move |directory| (pid, directory)))
        .filter(|(pid, directory)| works_in(*pid, directory))
        .map(|(pid, directory)| StaleWork::Qemu { pid, directory: directory.clone() })
        .collect()
}

/// Whether process `pid` is a QEMU whose kernel image, initramfs or serial port lies in `directory`.
fn works_in(pid: i32, directory: &Path) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line);
    let program = line.split('\0').next().and_then(|program| program.rsplit('/').next()).unwrap_or_default();
    let marker = format!("{}/", directory.display());
    program.starts_with("qemu-system-") && line.contains(&marker)
}

/// Ends `pid` through a descriptor, so that the process that was looked at is the one that is ended.
fn kill(pid: i32, directory: &Path) -> io::Result<()> {
    let pid_ = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    let process = pidfd_open(pid_, PidfdFlags::empty())?;
    if works_in(pid, directory) { Ok(pidfd_send_signal(process, Signal::KILL)?) } else { Ok(()) }
}

/// Field 22 of `/proc/<pid>/stat` (proc(5)): ticks since boot at the process's start. `None` when it is gone or a zombie.
fn start_time(pid: i32) -> Option<u64> {
    let fields = stat_fields(pid)?;
    let state = fields.first()?;
    if state == "Z" || state == "X" { None } else { fields.get(19)?.parse().ok() }
}

/// Fields of `/proc/<pid>/stat` after the command's name: index 0 is the state, field 3 of proc(5).
pub(crate) fn stat_fields(pid: i32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_another_with_its_number_is_not() {
        let own = Owner::current().unwrap();
        assert!(own.is_alive());
        assert_eq!(own.to_string().parse(), Ok(own));
        assert!(!Owner { start: own.start + 1, ..own }.is_alive());
    }

    #[test]
    fn only_directories_of_gone_owners_are_stale() {
        let temp = tempfile::tempdir().unwrap();
        let own = Owner::current().unwrap();
        let make = |name: &str| {
            let path = temp.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        let dead = make(&format!("{PREFIX}{}.{}-aB3", own.pid, own.start + 1));
        make(&format!("{PREFIX}{own}-aB3"));
        make("lbcurve-vm-notes");
        make("another");
        assert_eq!(stale_directories(temp.path()), [dead]);
    }

    #[test]
    fn a_process_is_taken_for_qemu_only_by_program_and_directory() {
        use std::os::unix::process::CommandExt as _;
        let temp = tempfile::tempdir().unwrap();
        let argument = format!("{}/serial", temp.path().display());
        let mut found = Vec::new();
        for program in ["qemu-system-x86_64", "sh"] {
            let mut shell = std::process::Command::new("sh");
            shell.arg0(program).args(["-c", "read _; :", &argument]).stdin(std::process::Stdio::piped());
            let mut child = shell.spawn().unwrap();
            // A process has no arguments yet for a moment after it has started.
            while fs::read(format!("/proc/{}/cmdline", child.id())).unwrap().is_empty() {
                std::thread::yield_now();
            }
            found.push((works_in(child.id() as i32, temp.path()), works_in(child.id() as i32, Path::new("/nowhere"))));
            drop(child.stdin.take());
            child.wait().unwrap();
        }
        assert_eq!(found, [(true, false), (false, false)]);
    }
}
