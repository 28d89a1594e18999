//! A client that is none of ours: a program of the distribution, run once a trial.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::{Command, Output};

use lbcurve::net::NetNs;

use super::BenchError;

/// What it is to do.
pub(crate) struct Order<'a> {
    /// Where it runs.
    pub(crate) client: &'a NetNs,
    /// Its address: of its own for every trial, so that no port of the one before comes again.
    pub(crate) from: Ipv4Addr,
    pub(crate) to: SocketAddrV4,
    pub(crate) connections: u32,
}

/// What the program writes, where it succeeds.
///
/// # Errors
/// [`BenchError`]: it cannot be started, or it failed.
pub(crate) fn run(client: &'static str, mut command: Command, order: &Order<'_>) -> Result<String, BenchError> {
    let _inside = order.client.enter()?;
    Ok(String::from_utf8_lossy(&output(client, &mut command)?.stdout).into_owned())
}

/// All that it says, where it succeeds, wherever the calling thread is.
///
/// # Errors
/// As [`run`].
pub(crate) fn output(client: &'static str, command: &mut Command) -> Result<Output, BenchError> {
    let output = command.output().map_err(|source| BenchError::NoClient { client, source })?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(BenchError::Ended { client, status: output.status, said })
}
