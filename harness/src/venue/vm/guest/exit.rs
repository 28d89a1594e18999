//! How the guest ends.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::{io, thread};

use rustix::system::{RebootCommand, reboot};

use super::super::qemu::EXIT_PORT;

/// Written to the exit port when the job went well. QEMU then ends with 33, which nothing else gives.
pub const DONE: u8 = 0x10;
/// Written when it did not: QEMU ends with 35.
pub const FAILED: u8 = 0x11;

/// Ends the machine with `value`; by a reboot, which QEMU takes as an end, where there is no exit port.
pub(super) fn power_off(value: u8) -> ! {
    // Each step ends the machine; the next is for machines where it does not.
    if let Err(error) = write_port(value) {
        eprintln!("lbcurve: exit port: {error}");
    }
    if let Err(error) = reboot(RebootCommand::Restart) {
        eprintln!("lbcurve: reboot: {error}");
    }
    loop {
        thread::park();
    }
}

fn write_port(value: u8) -> io::Result<()> {
    let ports = OpenOptions::new().write(true).open("/dev/port")?;
    ports.write_all_at(&[value], u64::from(EXIT_PORT))
}
