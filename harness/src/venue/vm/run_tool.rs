//! Runs a small tool to its end and keeps what it said.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use crate::sys::process::die_with_parent;

/// Why a tool gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It could not be started.
    #[error("cannot run {tool}")]
    Start {
        /// Name of the tool.
        tool: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// It ended with a failure.
    #[error("{tool} failed ({status}): {said}")]
    Failed {
        /// Name and arguments.
        tool: String,
        /// How it ended.
        status: ExitStatus,
        /// Its last lines.
        said: String,
    },
}

impl ToolError {
    /// What a tool that ended with a failure said, in the C locale.
    pub fn said(&self) -> Option<&str> {
        match self {
            Self::Start { .. } => None,
            Self::Failed { said, .. } => Some(said),
        }
    }

    /// The code that the tool ended with.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Start { .. } => None,
            Self::Failed { status, .. } => status.code(),
        }
    }

    /// Whether the tool is not installed.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Start { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Standard output of `tool args` run in `dir`, in the C locale; the tool ends when this process does.
pub(crate) fn output<S: AsRef<OsStr>>(tool: &str, args: &[S], dir: &Path) -> Result<String, ToolError> {
    output_with(tool, args, dir, &[])
}

/// As [`output`], with variables in the tool's environment.
pub(crate) fn output_with<S: AsRef<OsStr>>(
    tool: &str,
    args: &[S],
    dir: &Path,
    variables: &[(&str, &OsStr)],
) -> Result<String, ToolError> {
    let mut command = Command::new(tool);
    command.args(args).current_dir(dir).env("LC_ALL", "C").stdin(Stdio::null());
    command.envs(variables.iter().copied());
    let output =
        die_with_parent(&mut command).output().map_err(|source| ToolError::Start { tool: tool.to_owned(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stderr, output.stdout].concat();
    Err(ToolError::Failed {
        tool: command_line(tool, args),
        status: output.status,
        said: last_lines(&String::from_utf8_lossy(&said), 3),
    })
}

fn command_line<S: AsRef<OsStr>>(tool: &str, args: &[S]) -> String {
    args.iter().fold(tool.to_owned(), |line, arg| format!("{line} {}", arg.as_ref().to_string_lossy()))
}

/// The last `count` lines of `text` that are not blank, joined by `; `.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tool_said_is_kept() {
        let error = output("sh", &["-c", "echo a; echo b >&2; exit 3"], Path::new("/")).unwrap_err();
        assert!(!error.is_missing());
        assert!(error.to_string().ends_with("b; a"), "{error}");
    }

    #[test]
    fn a_missing_tool_is_told_apart() {
        assert!(output("lbcurve-no-such-tool", &["x"], Path::new("/")).unwrap_err().is_missing());
    }
}
