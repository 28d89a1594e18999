//! One side of the gate: an lbcurve executable that is asked to make visits.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::job::{Hello, PROTOCOL, VisitJob};
use crate::run::record::Record;
use crate::sys::process::die_with_parent;

/// Whom a record was measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// What is compared with.
    Baseline,
    /// What is gated.
    Candidate,
}

impl Side {
    /// Both, the baseline first.
    pub const BOTH: [Self; 2] = [Self::Baseline, Self::Candidate];

    /// Name, as in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Candidate => "candidate",
        }
    }
}

/// Why an executable cannot be a side, or stopped being one.
#[derive(Debug, thiserror::Error)]
pub enum SideError {
    /// It cannot be opened or started.
    #[error("cannot {action}")]
    Io {
        /// Verb.
        action: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It says something else than an lbcurve that can be gated.
    #[error("it does not answer as an lbcurve that can be gated{}", told(.said))]
    NotLbcurve {
        /// The last line that it wrote.
        said: String,
    },
    /// It says nothing at all, for too long.
    #[error("it does not answer as an lbcurve that can be gated: no answer within {} s", PATIENCE.as_secs())]
    Silent,
    /// It is an lbcurve of another protocol.
    #[error(
        "it is lbcurve {version} with protocol {found}, this one speaks {PROTOCOL}: build both sides from closer commits"
    )]
    Protocol {
        /// Its version.
        version: String,
        /// Its protocol.
        found: u32,
    },
    /// A visit failed.
    #[error("a visit failed ({status}){}", told(.said))]
    Visit {
        /// How the process ended.
        status: ExitStatus,
        /// The last line that it wrote.
        said: String,
    },
    /// What came back cannot be read.
    #[error("line {line} of its answer cannot be read")]
    Answer {
        /// Number of the line, from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

fn told(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

/// How long a hello may take: it needs neither root nor the kernel.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most that is read of a hello.
const HELLO_BYTES: u64 = 1 << 16;

/// An executable, held open: a build that replaces the file does not change the side in mid-run.
#[derive(Debug)]
pub struct Executable {
    path: PathBuf,
    file: File,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// What it says of itself.
    pub hello: Hello,
}

impl Executable {
    /// Opens an executable and asks it for its hello.
    ///
    /// # Errors
    /// [`SideError`].
    pub fn open(path: &Path) -> Result<Self, SideError> {
        let failed = |action| move |source| SideError::Io { action, source };
        let mut file = File::open(path).map_err(failed("open it"))?;
        let mut hash = Sha256::new();
        io::copy(&mut file, &mut HashWriter(&mut hash)).map_err(failed("read it"))?;
        let sha256 = HEXLOWER.encode(&hash.finalize());
        let hello = hello(&mut command(&file))?;
        if hello.lbcurve_visit != PROTOCOL {
            return Err(SideError::Protocol { version: hello.version, found: hello.lbcurve_visit });
        }
        Ok(Self { path: path.to_owned(), file, sha256, hello })
    }

    /// Path that it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the job's visits; the process is gone when this returns.
    ///
    /// # Errors
    /// [`SideError`].
    pub fn visit(&self, job: &VisitJob) -> Result<Vec<Record>, SideError> {
        let failed = |action| move |source| SideError::Io { action, source };
        let text = serde_json::to_vec(job).map_err(|error| failed("encode its job")(error.into()))?;
        let mut child = command(&self.file).spawn().map_err(failed("start it"))?;
        if let Some(mut input) = child.stdin.take() {
            // A child that ends without reading says why on its own standard error.
            input.write_all(&text).or_else(broken_pipe).map_err(failed("give it its job"))?;
        }
        let output = child.wait_with_output().map_err(failed("read its answer"))?;
        if !output.status.success() {
            return Err(SideError::Visit { status: output.status, said: last_line(&output.stderr) });
        }
        records(&String::from_utf8_lossy(&output.stdout))
    }
}

/// `lbcurve visit` of an open executable, ending with this process.
fn command(file: &File) -> Command {
    let mut command = Command::new(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()));
    command.arg("visit").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    die_with_parent(&mut command);
    command
}

fn broken_pipe(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

fn hello(command: &mut Command) -> Result<Hello, SideError> {
    let mut child = command.spawn().map_err(|source| SideError::Io { action: "start it", source })?;
    drop(child.stdin.take());
    let output = child.stdout.take().map(|pipe| thread::spawn(move || read_some(pipe)));
    let error = child.stderr.take().map(|pipe| thread::spawn(move || read_some(pipe)));
    let ended = wait(&mut child)?;
    let text =
        |reader: Option<thread::JoinHandle<Vec<u8>>>| reader.and_then(|reader| reader.join().ok()).unwrap_or_default();
    let (output, error) = (text(output), text(error));
    if !ended {
        return Err(SideError::Silent);
    }
    let first = String::from_utf8_lossy(&output).lines().next().unwrap_or_default().to_owned();
    serde_json::from_str(&first).map_err(|_| {
        let said = if error.is_empty() { first } else { first_line(&error) };
        SideError::NotLbcurve { said }
    })
}

fn read_some(pipe: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What cannot be read was not said.
    drop(pipe.take(HELLO_BYTES).read_to_end(&mut bytes));
    bytes
}

/// Whether the child ended by itself; if not, it has been killed.
fn wait(child: &mut Child) -> Result<bool, SideError> {
    let failed = |source| SideError::Io { action: "wait for it", source };
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().map_err(failed)?.is_none() {
        if Instant::now() > deadline {
            child.kill().map_err(failed)?;
            child.wait().map_err(failed)?;
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(true)
}

fn records(text: &str) -> Result<Vec<Record>, SideError> {
    let lines = text.lines().enumerate().skip(1);
    lines
        .map(|(index, line)| serde_json::from_str(line).map_err(|source| SideError::Answer { line: index + 1, source }))
        .collect()
}

fn first_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().trim().chars().take(200).collect()
}

fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    line.trim().trim_start_matches("lbcurve: ").chars().take(500).collect()
}

struct HashWriter<'a>(&'a mut Sha256);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn script(text: &str) -> Result<Executable, SideError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("side");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Executable::open(&path)
    }

    fn says(hello: &Hello) -> String {
        format!("echo '{}'", serde_json::to_string(hello).unwrap())
    }

    #[test]
    fn only_an_lbcurve_of_this_protocol_is_a_side() {
        assert_eq!(script(&says(&Hello::own())).unwrap().hello, Hello::own());
        let other = Hello { lbcurve_visit: PROTOCOL + 1, version: "9.9".into(), ..Hello::own() };
        let error = script(&says(&other)).unwrap_err().to_string();
        assert!(error.contains("9.9") && error.contains("protocol 2"), "{error}");
        assert!(matches!(script("true"), Err(SideError::NotLbcurve { .. })));
        let error = script("echo \"error: unrecognized subcommand 'visit'\" >&2; exit 2").unwrap_err().to_string();
        assert!(error.contains("unrecognized subcommand"), "{error}");
        assert!(matches!(Executable::open(Path::new("/nowhere/lbcurve")), Err(SideError::Io { .. })));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(Executable::open(file.path()), Err(SideError::Io { action: "start it", .. })));
    }

    #[test]
    fn what_a_visit_says_before_it_fails_is_told() {
        let job: VisitJob = {
            use crate::run::{plan::Batch, scenario::Wishes};
            let batch =
                Batch { id: 0, venue: crate::result::VenueKind::Host, kernel: String::new(), visits: Vec::new() };
            VisitJob { scenario: Wishes::default().resolve().unwrap(), batch }
        };
        let hello = says(&Hello::own());
        let fails =
            script(&format!("{hello}; if [ -n \"$(cat)\" ]; then echo 'lbcurve: no room' >&2; exit 9; fi")).unwrap();
        let error = fails.visit(&job).unwrap_err();
        assert!(
            matches!(&error, SideError::Visit { status, said } if status.code() == Some(9) && said == "no room"),
            "{error}"
        );
        let babbles = script(&format!("{hello}; echo '{{'")).unwrap();
        assert!(matches!(babbles.visit(&job), Err(SideError::Answer { line: 2, .. })));
        assert_eq!(script(&hello).unwrap().visit(&job).unwrap(), []);
    }
}
