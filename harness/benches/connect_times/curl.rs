//! curl, which takes any number of connections at a time and writes down the microseconds that each took to be made.

use std::num::NonZeroU32;
use std::process::Command;

use super::BenchError;
use super::other::{Order, output, run};

/// What curl says of each transfer: whether it was answered, on how many new connections, and seconds since it was begun until the address was known
/// and until the connection was there.
const WRITE_OUT: &str = "%{http_code} %{num_connects} %{time_namelookup} %{time_connect}\n";

/// Microseconds to connect of each connection, from when curl knew the address, as ours does from the beginning.
///
/// # Errors
/// [`BenchError`]: no curl, it failed, or it said something else.
pub(crate) fn times(order: &Order<'_>, at_a_time: NonZeroU32) -> Result<Vec<f64>, BenchError> {
    let mut command = Command::new("curl");
    // Neither a file nor a proxy of the user's.
    command.env_clear().args(["-q", "--noproxy", "*", "--silent", "--show-error", "--no-progress-meter"]);
    if at_a_time.get() > 1 {
        command.args(["--parallel", "--parallel-immediate", "--parallel-max", &at_a_time.to_string()]);
    }
    command.args(["--interface", &format!("host!{}", order.from), "--output", "/dev/null"]);
    command.args(["--max-time", &super::PATIENCE.as_secs().to_string(), "--write-out", WRITE_OUT]);
    command.arg(format!("http://{}/?[1-{}]", order.to, order.connections));
    run("curl", command, order)?.lines().map(microseconds).collect()
}

/// E.g. `curl 7.88.1`.
///
/// # Errors
/// [`BenchError`]: no curl.
pub(crate) fn version() -> Result<String, BenchError> {
    let output = output("curl", Command::new("curl").env_clear().arg("--version"))?;
    Ok(String::from_utf8_lossy(&output.stdout).split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

fn microseconds(line: &str) -> Result<f64, BenchError> {
    let other = || BenchError::Said { client: "curl", said: line.to_owned() };
    let ["200", "1", looked_up, connected] = line.split(' ').collect::<Vec<_>>()[..] else { return Err(other()) };
    let seconds = |text: &str| text.parse::<f64>().map_err(|_| other());
    Ok((seconds(connected)? - seconds(looked_up)?) * 1e6)
}
