//! The lbcurve command; as PID 1 of a guest, the guest's side of the vm venue.

use std::io::Write;
use std::process::ExitCode;

use lbcurve::venue::vm::guest::{guest_main, is_guest};
use lbcurve::venue::vm::job;

fn main() -> ExitCode {
    if is_guest() {
        guest_main(|bytes: &[u8], out: &mut dyn Write| job::run(bytes, out));
    }
    lbcurve::cli::main()
}
