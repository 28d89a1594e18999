//! Child processes that end with their parent, however the parent ends.
#![expect(unsafe_code, reason = "code between fork and exec can only be installed through an unsafe hook")]

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::io::Errno;
use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

/// Makes the kernel send `SIGKILL` to the child of `command` when its parent ends, by `SIGKILL` too.
///
/// The kernel watches the *thread* that spawns: call `spawn` from a thread that lives as long as the child is wanted
/// (prctl(2), `PR_SET_PDEATHSIG`). A parent that is gone before the request takes effect is seen by its pid, and the
/// child then fails to start with `ESRCH`.
pub fn die_with_parent(command: &mut Command) -> &mut Command {
    let parent = getpid();
    let request = move || -> io::Result<()> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        if getppid() == Some(parent) { Ok(()) } else { Err(Errno::SRCH.into()) }
    };
    // SAFETY: the hook makes two system calls, allocates nothing and takes no lock, so it may run after fork.
    unsafe { command.pre_exec(request) }
}
