//! Scheduling classes: `sched_setscheduler(2)`.
#![expect(unsafe_code, reason = "the call takes a pointer to its parameters")]

use std::io;

use rustix::process::Pid;

/// Puts a thread (the calling one if `None`) before every thread of the normal class: `SCHED_FIFO`, lowest priority.
///
/// # Errors
/// `EPERM` without `CAP_SYS_NICE`, or in a control group without real-time budget; `ESRCH` where there is no such thread.
pub fn real_time(thread: Option<Pid>) -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: 1 };
    let thread = thread.map_or(0, |thread| thread.as_raw_nonzero().get());
    // SAFETY: the parameters outlive the call, which only reads them.
    let result = unsafe { libc::sched_setscheduler(thread, libc::SCHED_FIFO, &raw const parameters) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_does_not_exist_is_told() {
        // Beyond the largest process number that a kernel hands out (4,194,304).
        let nobody = Pid::from_raw(i32::MAX);
        let error = real_time(nobody).expect_err("no such thread").raw_os_error();
        assert!(matches!(error, Some(libc::ESRCH | libc::EPERM)), "{error:?}");
    }
}
