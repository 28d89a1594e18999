//! Waiting for a child together with what it cost: `wait4(2)`.
#![expect(unsafe_code, reason = "wait4 has no safe wrapper that also reports resource usage")]

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// How a child ended and the CPU time that it and its reaped children used.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Exit status.
    pub status: ExitStatus,
    /// CPU time outside the kernel.
    pub user: Duration,
    /// CPU time inside the kernel.
    pub kernel: Duration,
    /// The most memory that it held at once, in bytes; not less than what this process held when it started the child, whose memory
    /// a child shares until it is another program.
    pub peak_memory: u64,
}

/// Reaps the child `pid`. Nothing else may wait for it.
///
/// # Errors
/// `ECHILD` where `pid` is no child of this process or was reaped before.
pub fn wait4(pid: u32) -> io::Result<Ended> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    loop {
        let mut status = 0;
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: both pointers are valid for writes for the whole call, and wait4 keeps neither.
        let reaped = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
        if reaped == pid {
            // SAFETY: rusage is plain integers: zeroed memory is a valid value, and the kernel has filled it in.
            let usage = unsafe { usage.assume_init() };
            let status = ExitStatus::from_raw(status);
            let (user, kernel) = (duration(usage.ru_utime), duration(usage.ru_stime));
            let peak_memory = u64::try_from(usage.ru_maxrss).unwrap_or(0).saturating_mul(1024);
            return Ok(Ended { status, user, kernel, peak_memory });
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn duration(time: libc::timeval) -> Duration {
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_usec).unwrap_or(0).saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    #[expect(clippy::zombie_processes, reason = "wait4 is what is tested")]
    fn a_childs_status_comes_back_once() {
        let child = Command::new("/bin/sh").args(["-c", "exit 3"]).spawn().expect("sh starts");
        let pid = child.id();
        assert_eq!(wait4(pid).expect("a child").status.code(), Some(3));
        assert_eq!(wait4(pid).expect_err("reaped").raw_os_error(), Some(libc::ECHILD));
    }
}
