//! Lines to the host, over the first ISA serial port.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};

use rustix::termios::{OptionalActions, tcdrain, tcgetattr, tcsetattr};
use serde::Serialize;

use super::super::frame::{Encoder, Kind};

/// The port's device.
const DEVICE: &str = "/dev/ttyS0";

/// A writer whose complete lines are framed and sent; it returns when the port has taken the last byte, so that no
/// interrupt of it falls into what comes next.
#[derive(Debug)]
pub(super) struct SerialPort {
    device: File,
    encoder: Encoder,
    partial: Vec<u8>,
}

impl SerialPort {
    /// Opens the port. `/dev` is mounted first: nothing can be reported without it.
    pub(super) fn open() -> io::Result<Self> {
        super::setup::mount_dev()?;
        let device = OpenOptions::new().write(true).read(true).open(DEVICE)?;
        let mut mode = tcgetattr(&device)?;
        mode.make_raw();
        tcsetattr(&device, OptionalActions::Now, &mode)?;
        Ok(Self { device, encoder: Encoder::default(), partial: Vec::new() })
    }

    pub(super) fn send(&mut self, kind: Kind, payload: &str) -> io::Result<()> {
        self.device.write_all(self.encoder.encode(kind, payload).as_bytes())?;
        Ok(tcdrain(&self.device)?)
    }

    pub(super) fn send_json(&mut self, kind: Kind, payload: &impl Serialize) -> io::Result<()> {
        self.send(kind, &serde_json::to_string(payload)?)
    }

    fn send_partial(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.partial);
        self.send(Kind::Line, &String::from_utf8_lossy(&line))
    }
}

impl Write for SerialPort {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (line, ended) = piece.strip_suffix(b"\n").map_or((piece, false), |line| (line, true));
            self.partial.extend_from_slice(line);
            if ended {
                self.send_partial()?;
            }
        }
        Ok(bytes.len())
    }

    /// Sends what stands since the last line break as a line of its own.
    fn flush(&mut self) -> io::Result<()> {
        if self.partial.is_empty() { Ok(()) } else { self.send_partial() }
    }
}
