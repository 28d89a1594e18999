//! The programs under `BPF_PROG_TEST_RUN`: a packet in, a verdict and a packet out.

use std::time::Duration;

use aya::TestRun;
use aya::programs::{ProgramError, TestRunOptions, TestRunResult};

use super::loaded::Loaded;
use super::{Balancer, Hook};
use crate::backend::BackendError;
use crate::probe::{ProbeError, classifier, xdp};

/// Bytes for what comes out: a rejection is longer than what it rejects.
const ROOM: usize = 4096;

/// What a program made of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// `TC_ACT_*` or `XDP_*`.
    pub verdict: u32,
    /// The packet afterwards.
    pub frame: Vec<u8>,
    /// Mean time of a repetition, as the kernel measures it.
    pub duration: Duration,
}

impl Balancer {
    /// Runs one of its programs `repeat` times on `frame`, as if it came in by the device with this index in the calling thread's
    /// namespace. Repetitions after the first meet what the one before has left.
    ///
    /// # Errors
    /// [`BackendError::NotApplied`], or what bpf(2) says.
    pub fn test_run(&self, program: &'static str, frame: &[u8], device: u32, repeat: u32) -> Result<Ran, BackendError> {
        self.with(|loaded| test_run(self.hook, loaded, program, frame, device, repeat))
    }
}

/// Runs a loaded program.
pub(super) fn test_run(
    hook: Hook,
    loaded: &mut Loaded,
    program: &'static str,
    frame: &[u8],
    device: u32,
    repeat: u32,
) -> Result<Ran, BackendError> {
    let mut out = vec![0; ROOM];
    let context = context(hook, frame, device);
    let options = TestRunOptions {
        data_in: Some(frame),
        data_out: Some(&mut out),
        ctx_in: Some(&context),
        repeat,
        ..TestRunOptions::default()
    };
    let result = match hook {
        Hook::Tc => classifier(loaded.ebpf(), program)?.test_run(options),
        Hook::Xdp => xdp(loaded.ebpf(), program)?.test_run(options),
    };
    ran(program, result, out)
}

fn ran(
    program: &'static str,
    result: Result<TestRunResult, ProgramError>,
    mut frame: Vec<u8>,
) -> Result<Ran, BackendError> {
    let result = result.map_err(|source| ProbeError::Program { action: "run", program, source: Box::new(source) })?;
    frame.truncate(result.data_size_out as usize);
    Ok(Ran { verdict: result.return_value, frame, duration: result.duration })
}

/// `struct xdp_md`, or the beginning of `struct __sk_buff` up to `ifindex` (include/uapi/linux/bpf.h).
fn context(hook: Hook, frame: &[u8], device: u32) -> Vec<u8> {
    let mut fields = match hook {
        Hook::Xdp => vec![0, frame.len() as u32, 0, 0, 0, 0],
        Hook::Tc => vec![0; 11],
    };
    let at = if hook == Hook::Xdp { 3 } else { 10 };
    fields[at] = device;
    fields.into_iter().flat_map(u32::to_ne_bytes).collect()
}
