//! Runs the tools that program the kernel and measures them.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::fs::{MemfdFlags, memfd_create};

use super::{BackendError, ProgrammingCost};
use crate::programs::find;
use crate::sys::process::die_with_parent;
use crate::sys::wait::{Ended, wait4};

/// How much of a tool's complaint goes into an error.
const MESSAGE_LIMIT: usize = 2000;

/// What a tool printed and what it cost.
pub(crate) struct Output {
    /// Standard output.
    pub(crate) stdout: String,
    /// CPU times of the tool, and the wall time of the whole call.
    pub(crate) cost: ProgrammingCost,
}

/// Runs a tool to its end with `input` as its standard input.
///
/// Standard streams are anonymous memory files rather than pipes: the tool never waits for us, so its cost holds no scheduling.
pub(crate) fn run(tool: &str, arguments: &[&str], input: &str) -> Result<Output, BackendError> {
    let program = find(tool).ok_or_else(|| BackendError::ToolMissing { tool: tool.to_owned() })?;
    let failed = |source| BackendError::Run { tool: tool.to_owned(), source };
    let start = Instant::now();
    let mut streams = Streams::new(input).map_err(failed)?;
    let ended = streams.spawn_and_wait(&program, arguments).map_err(failed)?;
    let total = start.elapsed();
    if !ended.status.success() {
        return Err(refused(tool, arguments, &ended, streams.stderr));
    }
    let stdout = text(streams.stdout).map_err(failed)?;
    Ok(Output { stdout, cost: ProgrammingCost { total, user: ended.user, kernel: ended.kernel } })
}

/// Runs `nft -f -`, one transaction. nft reads `-` through `/dev/stdin`, a link that udev makes: without it (an initramfs) the
/// link's target is named.
pub(crate) fn run_nft(transaction: &str) -> Result<Output, BackendError> {
    let file = if Path::new("/dev/stdin").exists() { "-" } else { "/proc/self/fd/0" };
    run("nft", &["-f", file], transaction)
}

struct Streams {
    stdin: File,
    stdout: File,
    stderr: File,
}

impl Streams {
    fn new(input: &str) -> io::Result<Self> {
        let mut stdin = memory_file("stdin")?;
        stdin.write_all(input.as_bytes())?;
        stdin.rewind()?;
        Ok(Self { stdin, stdout: memory_file("stdout")?, stderr: memory_file("stderr")? })
    }

    fn spawn_and_wait(&mut self, program: &Path, arguments: &[&str]) -> io::Result<Ended> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::from(self.stdin.try_clone()?))
            .stdout(Stdio::from(self.stdout.try_clone()?))
            .stderr(Stdio::from(self.stderr.try_clone()?))
            // A terminal's interrupt is for the run, which ends after the tool; a kill of the run ends the tool too.
            .process_group(0);
        let child = die_with_parent(&mut command).spawn()?;
        wait4(child.id())
    }
}

fn memory_file(name: &str) -> io::Result<File> {
    Ok(memfd_create(name, MemfdFlags::CLOEXEC)?.into())
}

fn text(mut file: File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn refused(tool: &str, arguments: &[&str], ended: &Ended, stderr: File) -> BackendError {
    let mut message = text(stderr).unwrap_or_else(|error| format!("(its error output is unreadable: {error})"));
    let end = (0..=MESSAGE_LIMIT.min(message.len())).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
    message.truncate(end);
    let command = [&[tool], arguments].concat().join(" ");
    BackendError::Tool { command, status: ended.status, message: message.trim().replace('\n', " | ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_reaches_the_tool_and_its_output_comes_back() {
        let output = run("tr", &["a-z", "A-Z"], "one line\n").expect("tr runs");
        assert_eq!(output.stdout, "ONE LINE\n");
        assert!(output.cost.total > std::time::Duration::ZERO);
    }

    #[test]
    fn a_refusal_carries_command_status_and_complaint() {
        let error = run("sh", &["-c", "echo no such chain >&2; exit 4"], "").err().expect("fails");
        let message = error.to_string();
        assert!(message.contains("exit status: 4") && message.ends_with("no such chain"), "{message}");
    }

    #[test]
    fn a_missing_tool_is_named() {
        let error = run("no-such-tool-anywhere", &[], "").err().expect("missing");
        assert!(matches!(error, BackendError::ToolMissing { ref tool } if tool == "no-such-tool-anywhere"));
    }
}
