//! httping, which makes one connection after the other with few calls, and writes down how long each took.

use std::process::Command;

use serde::Deserialize;

use super::BenchError;
use super::other::{Order, output, run};

/// What httping says of a connection: numbers as texts.
#[derive(Deserialize)]
struct Ping {
    http_code: String,
    /// Milliseconds from when the address was known to when the connection was there.
    connect_ms: String,
}

/// Microseconds to connect of each connection.
///
/// # Errors
/// [`BenchError`]: no httping, it failed, or it said something else.
pub(crate) fn times(order: &Order<'_>) -> Result<Vec<f64>, BenchError> {
    let mut command = Command::new("httping");
    // One right after the other, in JSON; its times are written as in C.
    command.env_clear().args(["-f", "-G", "-M", "-c", &order.connections.to_string()]);
    command.args(["-t", &super::PATIENCE.as_secs().to_string(), "-y", &order.from.to_string()]);
    command.arg(format!("http://{}/", order.to));
    let text = run("httping", command, order)?;
    let other = |said: &str| BenchError::Said { client: "httping", said: said.to_owned() };
    let pings: Vec<Ping> = serde_json::from_str(&text).map_err(|error| other(&error.to_string()))?;
    let microseconds = |ping: &Ping| match ping.connect_ms.parse::<f64>() {
        Ok(milliseconds) if ping.http_code == "200" && milliseconds > 0.0 => Ok(milliseconds * 1e3),
        _ => Err(other(&format!("{} ms, {}", ping.connect_ms, ping.http_code))),
    };
    pings.iter().map(microseconds).collect()
}

/// E.g. `HTTPing v2.5`.
///
/// # Errors
/// [`BenchError`]: no httping.
pub(crate) fn version() -> Result<String, BenchError> {
    // It says so where others complain.
    let output = output("httping", Command::new("httping").env_clear().arg("-V"))?;
    let words = [output.stdout, output.stderr].concat();
    let words = String::from_utf8_lossy(&words).split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    Ok(words.trim_end_matches(',').to_owned())
}
