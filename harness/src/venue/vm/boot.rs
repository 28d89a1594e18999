//! One boot: pack, start QEMU, read its lines, watch over it, clean up.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::cache::Cache;
use super::error::VmError;
use super::frame::{Decoder, Finished, FrameError, Kind, Started};
use super::image::{GuestTools, pack};
use super::job::GuestJob;
use super::kernel::KernelImage;
use super::qemu::accel::{Acceleration, Kvm};
use super::qemu::{self, EXIT_DONE, Files, Machine};
use super::work::{WorkDir, stat_fields};
use crate::sys::process::die_with_parent;

/// How often the serial port's file and the process are looked at.
const POLL: Duration = Duration::from_millis(20);
/// How long a kernel may take to start under KVM, where it takes about a second.
pub const KVM_STALL: Duration = Duration::from_secs(15);
/// Lines of the console that an error carries.
const TAIL: usize = 12;

/// What the console says first when the kernel gives up; `oops=panic` makes each of them the end.
const PANIC_SIGNS: &[&str] = &["Kernel panic", "Oops: ", "BUG: "];

/// What to boot.
#[derive(Debug, Clone)]
pub struct GuestSpec {
    /// The kernel.
    pub kernel: KernelImage,
    /// The program that runs as init: it must call [`guest_main`](super::guest::guest_main). This program, as a rule.
    pub init: PathBuf,
    /// Programs for the guest.
    pub tools: GuestTools,
    /// Bytes for the job; opaque here.
    pub job: Vec<u8>,
    /// How instructions are carried out.
    pub acceleration: Acceleration,
    /// Memory of the guest.
    pub memory_mib: u32,
    /// CPUs of the guest; one where instructions are counted.
    pub cpus: u32,
    /// Seed of the guest's random numbers.
    pub seed: u64,
    /// How long the guest may say nothing.
    pub stall: Duration,
}

/// What came of a boot.
#[derive(Debug, Clone, PartialEq)]
pub struct GuestReport {
    /// What the guest said when it was up.
    pub started: Started,
    /// What it said at the end.
    pub finished: Finished,
    /// Processor time of QEMU, user and system.
    pub cpu: Duration,
    /// From QEMU's start to its end.
    pub wall: Duration,
    /// Size of the initramfs.
    pub image_bytes: u64,
}

/// Boots `spec` and gives each line of the job to `on_line` as it comes. Ends early when `cancel` is set.
///
/// QEMU runs as long as this call at most: it is killed on every error, and by the kernel when this process is killed.
pub fn boot(spec: &GuestSpec, on_line: &mut dyn FnMut(&str), cancel: &AtomicBool) -> Result<GuestReport, VmError> {
    let image = pack(&spec.init, &spec.tools, &spec.kernel.modules, &spec.job)?;
    let work = WorkDir::new().map_err(|source| VmError::Work { path: std::env::temp_dir(), source })?;
    let files = Files::below(work.path());
    fs::write(&files.initramfs, &image).map_err(at(&files.initramfs))?;
    let mut running = Running::start(spec, files)?;
    let (started, finished) = running.follow(spec.stall, on_line, cancel)?;
    let (cpu, wall) = (running.cpu, running.since.elapsed());
    Ok(GuestReport { started, finished, cpu, wall, image_bytes: image.len() as u64 })
}

/// Whether KVM works here, by booting the kernel of `spec` under it with nothing to do: on some machines `/dev/kvm` is
/// there and a few instructions run, but a kernel hangs. Takes [`KVM_STALL`] and a few seconds at most, once a boot of
/// the host: the result is remembered in `cache`.
pub fn probe_kvm(cache: &Cache, spec: &GuestSpec) -> Kvm {
    Kvm::probe(cache, || {
        let job = GuestJob::Nothing.to_bytes().map_err(|error| error.to_string())?;
        let spec = GuestSpec { job, acceleration: Acceleration::Kvm, stall: KVM_STALL, ..spec.clone() };
        boot(&spec, &mut |_| {}, &AtomicBool::new(false)).map(drop).map_err(|error| error.to_string())
    })
}

/// A QEMU process, killed on drop.
struct Running {
    child: Child,
    files: Files,
    results: Results,
    since: Instant,
    cpu: Duration,
}

/// What has been read from the first serial port.
struct Results {
    file: File,
    unread: Vec<u8>,
    decoder: Decoder,
    started: Option<Started>,
    finished: Option<Finished>,
}

impl Running {
    fn start(spec: &GuestSpec, files: Files) -> Result<Self, VmError> {
        let machine = Machine {
            vmlinux: &spec.kernel.vmlinux,
            acceleration: spec.acceleration,
            memory_mib: spec.memory_mib,
            cpus: spec.cpus,
            seed: spec.seed,
        };
        let mut command = qemu::command(&machine, &files);
        // A group of its own: an interrupt from the terminal is ours to handle.
        command.process_group(0).stderr(File::create(&files.stderr).map_err(at(&files.stderr))?);
        File::create(&files.results).map_err(at(&files.results))?;
        let results = Results::open(&files.results)?;
        let child = die_with_parent(&mut command).spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => VmError::QemuMissing(error),
            _ => VmError::Start(error),
        })?;
        Ok(Self { child, files, results, since: Instant::now(), cpu: Duration::ZERO })
    }

    fn follow(
        &mut self,
        stall: Duration,
        on_line: &mut dyn FnMut(&str),
        cancel: &AtomicBool,
    ) -> Result<(Started, Finished), VmError> {
        let mut last = Instant::now();
        loop {
            if cancel.load(Ordering::Relaxed) {
                return Err(VmError::Cancelled);
            }
            // Looked at before reading: what an ended QEMU wrote is then all there.
            let ended = self.ended()?;
            if self.results.read(on_line)? {
                last = Instant::now();
            }
            if let Some(status) = ended {
                return self.outcome(status);
            }
            if last.elapsed() > stall {
                return Err(VmError::VmStalled { stall, console: self.console() });
            }
            thread::sleep(POLL);
        }
    }

    /// Reaps QEMU if it has ended, after noting its processor time.
    fn ended(&mut self) -> Result<Option<ExitStatus>, VmError> {
        let pid = self.child.id() as i32;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let exited = Pid::from_raw(pid).map(|pid| waitid(WaitId::Pid(pid), options));
        if let Some(Ok(None)) = exited {
            return Ok(None);
        }
        self.cpu = cpu_time(pid).unwrap_or_default();
        self.child.wait().map(Some).map_err(VmError::Start)
    }

    fn outcome(&mut self, status: ExitStatus) -> Result<(Started, Finished), VmError> {
        let ended = self.results.finished.take().filter(|_| matches!(status.code(), Some(EXIT_DONE | 0)));
        if let (Some(finished), Some(started)) = (ended, self.results.started.take()) {
            return Ok((started, finished));
        }
        if !self.results.unread.is_empty() {
            let cut = String::from_utf8_lossy(&self.results.unread).into_owned();
            return Err(FrameError::Damaged(cut).into());
        }
        let lines = self.console_lines();
        let first_sign = lines.iter().position(|line| PANIC_SIGNS.iter().any(|sign| line.contains(sign)));
        if let Some(at) = first_sign {
            return Err(VmError::Panicked { console: lines.into_iter().skip(at).take(TAIL).collect() });
        }
        Err(VmError::Ended { status, console: self.console() })
    }

    /// Last lines of the guest's console and of QEMU's own words.
    fn console(&self) -> Vec<String> {
        let lines = self.console_lines();
        lines[lines.len().saturating_sub(TAIL)..].to_vec()
    }

    fn console_lines(&self) -> Vec<String> {
        let read = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        let text = read(&self.files.console) + &read(&self.files.stderr);
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Results {
    fn open(path: &Path) -> Result<Self, VmError> {
        let file = File::open(path).map_err(at(path))?;
        Ok(Self { file, unread: Vec::new(), decoder: Decoder::default(), started: None, finished: None })
    }

    /// Takes every complete line that is there; tells whether there was one.
    fn read(&mut self, on_line: &mut dyn FnMut(&str)) -> Result<bool, VmError> {
        self.file.read_to_end(&mut self.unread).map_err(at(Path::new("serial port")))?;
        let Some(end) = self.unread.iter().rposition(|&byte| byte == b'\n') else { return Ok(false) };
        let rest = self.unread.split_off(end + 1);
        let lines = std::mem::replace(&mut self.unread, rest);
        for line in String::from_utf8_lossy(&lines).lines() {
            self.take(line, on_line)?;
        }
        Ok(true)
    }

    fn take(&mut self, line: &str, on_line: &mut dyn FnMut(&str)) -> Result<(), VmError> {
        let (kind, payload) = self.decoder.decode(line)?;
        let damaged = |_| FrameError::Damaged(payload.to_owned());
        match kind {
            Kind::Started => self.started = Some(serde_json::from_str(payload).map_err(damaged)?),
            Kind::Line => on_line(payload),
            Kind::Done => self.finished = Some(serde_json::from_str(payload).map_err(damaged)?),
            Kind::Failed => return Err(VmError::Guest { message: payload.to_owned() }),
        }
        Ok(())
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> VmError + use<> {
    let path = path.to_owned();
    move |source| VmError::Work { path, source }
}

/// User and system time of a process, also of one that has ended and is not reaped (fields 14 and 15 of proc(5)).
fn cpu_time(pid: i32) -> Option<Duration> {
    let fields = stat_fields(pid)?;
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
    Some(Duration::from_secs(ticks(11)? + ticks(12)?) / u32::try_from(rustix::param::clock_ticks_per_second()).ok()?)
}
