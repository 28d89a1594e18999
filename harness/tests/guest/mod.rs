//! A guest whose kernel has ip_vs, for tests that the machine's own kernel cannot run.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use lbcurve::venue::vm::{GuestJob, GuestReport, KernelSource, VmError, VmVenue};

/// The vm, emulated, with this build's program as its init.
pub(crate) fn open() -> VmVenue {
    let init = PathBuf::from(env!("CARGO_BIN_EXE_lbcurve"));
    VmVenue::open_with_init(&KernelSource::default(), Some(true), init, &mut |line| println!("{line}"))
        .expect("the vm venue opens")
}

/// Runs the ignored tests of this very program in a guest: what they print, and how the guest ends.
pub(crate) fn run_ignored_tests() -> (Vec<String>, Result<GuestReport, VmError>) {
    let vm = open()
        .with_program("iptables-legacy", PathBuf::from("/usr/sbin/iptables-legacy"))
        .with_program("guest-tests", std::env::current_exe().expect("this program has a file"));
    let words = ["guest-tests", "--ignored", "--test-threads=1", "--nocapture"].map(str::to_owned).to_vec();
    let mut lines = Vec::new();
    let job = GuestJob::Program { words };
    let outcome = vm.boot(&job, &mut |line| lines.push(line.to_owned()), &AtomicBool::new(false));
    (lines, outcome)
}
