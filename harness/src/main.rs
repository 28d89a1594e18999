//! The lbcurve command.

use std::io::Write;

use lbcurve::venue::vm::guest::{guest_main, is_guest};
use lbcurve::venue::vm::job;

fn main() {
    if is_guest() {
        guest_main(|bytes: &[u8], out: &mut dyn Write| job::run(bytes, out));
    }
}
