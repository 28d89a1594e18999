//! The guest's end: this binary as PID 1.

pub mod exit;
mod output;
mod selftest;
mod setup;

use std::any::Any;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{env, fmt, fs, io};

use self::output::SerialPort;
pub use self::selftest::self_test;
pub(super) use self::setup::prepare_connections;
use super::frame::{Finished, Kind};
use super::image::JOB;

/// Environment variable that only the kernel's command line of [`boot`](super::boot()) sets.
pub(crate) const MARKER: &str = "LBCURVE_GUEST";

/// Whether this process is the init of a guest that [`boot`](super::boot()) started.
pub fn is_guest() -> bool {
    rustix::process::getpid().is_init() && env::var_os(MARKER).is_some()
}

/// Sets the guest up, gives the job's bytes to `run` with a writer whose lines reach the host, and ends the guest.
///
/// What `run` returns or how it panics is reported to the host before the end. Lines written while a trial runs would
/// disturb it: write between trials.
pub fn guest_main<E: fmt::Display>(run: impl FnOnce(&[u8], &mut dyn Write) -> Result<(), E>) -> ! {
    let ended = match SerialPort::open() {
        Ok(mut port) => work(&mut port, run),
        Err(error) => {
            eprintln!("lbcurve: no serial port: {error}");
            false
        }
    };
    exit::power_off(if ended { exit::DONE } else { exit::FAILED })
}

/// Whether the job and its report to the host went well.
fn work<E: fmt::Display>(port: &mut SerialPort, run: impl FnOnce(&[u8], &mut dyn Write) -> Result<(), E>) -> bool {
    let outcome = catch_unwind(AssertUnwindSafe(|| prepare_and_run(port, run)));
    let message = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(message)) => Some(message),
        Err(panic) => Some(format!("panic: {}", panic_message(&*panic))),
    };
    let reported = match &message {
        None => port.flush().and_then(|()| port.send_json(Kind::Done, &Finished { end_ns: setup::uptime_ns() })),
        Some(message) => port.send(Kind::Failed, message),
    };
    message.is_none() && reported.is_ok()
}

fn prepare_and_run<E: fmt::Display>(
    port: &mut SerialPort,
    run: impl FnOnce(&[u8], &mut dyn Write) -> Result<(), E>,
) -> Result<(), String> {
    let started = setup::prepare().map_err(|error| error.to_string())?;
    let job = fs::read(JOB).map_err(|error| format!("no job: {error}"))?;
    port.send_json(Kind::Started, &started).map_err(|error: io::Error| error.to_string())?;
    run(&job, port).map_err(|error| error.to_string())
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
