//! A client that does nothing but connect, ask, read and close, one connection after the other, and touches memory between two of them.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddrV4, TcpStream};
use std::os::fd::AsFd as _;

use lbcurve::sys::socket::choose_port_late;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use super::{BenchError, PATIENCE};

/// Bytes that a cache loads at a time on the machines that this runs on.
const LINE: usize = 64;
const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

/// What it does.
pub(crate) struct Errand {
    /// The client's address; the kernel chooses the ports.
    pub(crate) from: SocketAddrV4,
    pub(crate) to: SocketAddrV4,
    pub(crate) connections: u32,
    /// Bytes that are read and written before each connection: what of the kernel's code and data a cache of this size held is there no more.
    pub(crate) touched: usize,
}

impl Errand {
    /// Runs it in the calling thread's network namespace.
    ///
    /// # Errors
    /// [`BenchError::Plain`]: a connection failed or was not answered.
    pub(crate) fn run(&self) -> Result<(), BenchError> {
        let mut memory = vec![0_u8; self.touched];
        for _ in 0..self.connections {
            for byte in memory.iter_mut().step_by(LINE) {
                *byte = std::hint::black_box(byte.wrapping_add(1));
            }
            self.exchange()?;
        }
        Ok(())
    }

    fn exchange(&self) -> Result<(), BenchError> {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)
            .map_err(|errno| failed("open a socket")(errno.into()))?;
        // As ours and curl do: the kernel looks for a port after SYN_SENT, so that it is in all times or in none.
        choose_port_late(socket.as_fd()).map_err(failed("put off the choice of a port"))?;
        bind(&socket, &self.from).map_err(|errno| failed("bind")(errno.into()))?;
        connect(&socket, &self.to).map_err(|errno| failed("connect")(errno.into()))?;
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed("set how long it waits"))?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(failed("set how long it waits"))?;
        stream.write_all(REQUEST).map_err(failed("ask"))?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(failed("read the answer"))?;
        if answer.starts_with(b"HTTP/1.0 200") {
            return Ok(());
        }
        let said = format!("it was answered {:?}", String::from_utf8_lossy(&answer));
        Err(failed("use the answer")(io::Error::other(said)))
    }
}

fn failed(action: &'static str) -> impl Fn(io::Error) -> BenchError {
    move |source| BenchError::Plain { action, source }
}
