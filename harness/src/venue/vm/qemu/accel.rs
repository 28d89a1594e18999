//! How the guest's instructions are carried out, and whether this machine's KVM can be used at all.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use serde::{Deserialize, Serialize};

use super::super::cache::Cache;
use super::super::run_tool;
use super::{EXIT_DONE, EXIT_PORT, QEMU};
use crate::sys::process::die_with_parent;

/// How long the probe's nine bytes of code may take: they need milliseconds where KVM works.
const PROBE_TIME: Duration = Duration::from_secs(5);
/// Name of the cache's file with the probe's result.
const RESULT: &str = "kvm-probe.json";
/// Size of the probe's ROM.
const ROM: usize = 64 * 1024;

/// How the guest's instructions are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acceleration {
    /// By the processor. Fast; durations are nanoseconds.
    Kvm,
    /// By emulation.
    Tcg {
        /// Whether the guest's clock counts instructions: every run is the same, durations are instructions.
        icount: bool,
    },
}

/// Whether KVM works here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kvm {
    /// A guest ran.
    Works,
    /// No guest ran, and why.
    Unusable(String),
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    host: String,
    kvm: Kvm,
}

impl Acceleration {
    /// Whether two runs of one image are the same, byte by byte.
    pub fn is_deterministic(self) -> bool {
        matches!(self, Self::Tcg { icount: true })
    }

    /// What to use: with `deterministic` unset, KVM where it works and deterministic emulation elsewhere; `Some(true)`
    /// always deterministic emulation; `Some(false)` KVM where it works and plain emulation elsewhere.
    pub fn choose(deterministic: Option<bool>, kvm: impl FnOnce() -> Kvm) -> Self {
        if deterministic == Some(true) {
            return Self::Tcg { icount: true };
        }
        match kvm() {
            Kvm::Works => Self::Kvm,
            Kvm::Unusable(_) => Self::Tcg { icount: deterministic.is_none() },
        }
    }
}

impl Kvm {
    /// Runs a guest of nine bytes under KVM for at most five seconds, and if it ends well the one of `boot`. The result
    /// is remembered in `cache` until the host's kernel or boot changes; a cache that cannot be written only costs the
    /// probe again. Meant to be called through [`probe_kvm`](super::super::probe_kvm).
    pub fn probe(cache: &Cache, boot: impl FnOnce() -> Result<(), String>) -> Self {
        let host = host_id();
        let remembered = cache.get(RESULT).and_then(|path| fs::read(path).ok());
        let remembered = remembered.and_then(|text| serde_json::from_slice::<Remembered>(&text).ok());
        if let Some(Remembered { kvm, .. }) = remembered.filter(|remembered| remembered.host == host) {
            return kvm;
        }
        let kvm = Self::probe_rom().unwrap_or_else(|error| Self::Unusable(error.to_string())).and_boots(boot);
        if let Ok(text) = serde_json::to_vec(&Remembered { host, kvm: kvm.clone() }) {
            // Nothing is lost when this fails: the next start probes again.
            drop(cache.write_file(RESULT, &text));
        }
        kvm
    }

    fn and_boots(self, boot: impl FnOnce() -> Result<(), String>) -> Self {
        match self {
            Self::Works => {
                boot().map_or_else(|error| Self::Unusable(format!("a kernel does not start: {error}")), |()| self)
            }
            Self::Unusable(_) => self,
        }
    }

    fn probe_rom() -> io::Result<Self> {
        if let Err(error) = fs::OpenOptions::new().read(true).write(true).open("/dev/kvm") {
            return Ok(Self::Unusable(format!("/dev/kvm cannot be opened: {error}")));
        }
        let dir = tempfile::tempdir()?;
        fs::write(dir.path().join("rom"), rom())?;
        run_probe(dir.path())
    }
}

/// Kernel and boot of this machine: KVM may work after either has changed.
fn host_id() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    format!("{} {}", rustix::system::uname().release().to_string_lossy(), boot.trim())
}

/// A firmware whose only code, at the reset vector, writes to the exit port.
fn rom() -> Vec<u8> {
    let [low, high] = EXIT_PORT.to_le_bytes();
    // mov dx, port; mov al, DONE; out dx, al; hlt; jmp to the hlt
    let code = [0xba, low, high, 0xb0, super::super::guest::exit::DONE, 0xee, 0xf4, 0xeb, 0xfd];
    let mut rom = vec![0xf4; ROM];
    rom[ROM - 16..][..code.len()].copy_from_slice(&code);
    rom
}

/// Boots the file `rom` of `dir`. QEMU may abort: whatever it leaves lies in `dir` then.
fn run_probe(dir: &Path) -> io::Result<Kvm> {
    let stderr = dir.join("stderr");
    let mut command = Command::new(QEMU);
    command.args([
        "-machine",
        "q35",
        "-accel",
        "kvm",
        "-cpu",
        "host",
        "-m",
        "16",
        "-smp",
        "1",
        "-nodefaults",
        "-no-reboot",
    ]);
    command.args(["-no-user-config", "-display", "none", "-vga", "none", "-nic", "none"]);
    command.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x01", "-bios", "rom"]).current_dir(dir);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&stderr)?);
    let mut child = die_with_parent(&mut command).spawn()?;
    let started = Instant::now();
    while started.elapsed() < PROBE_TIME {
        if let Some(status) = child.try_wait()? {
            return Ok(verdict(status, &fs::read_to_string(&stderr).unwrap_or_default()));
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.kill()?;
    child.wait()?;
    Ok(Kvm::Unusable(format!("a guest of nine instructions did not end within {} s", PROBE_TIME.as_secs())))
}

fn verdict(status: ExitStatus, said: &str) -> Kvm {
    if status.code() == Some(EXIT_DONE) {
        return Kvm::Works;
    }
    Kvm::Unusable(format!("QEMU ended early ({status}): {}", run_tool::last_lines(said, 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulation_is_deterministic_unless_told_otherwise() {
        let broken = || Kvm::Unusable("hangs".into());
        assert_eq!(Acceleration::choose(None, broken), Acceleration::Tcg { icount: true });
        assert_eq!(Acceleration::choose(Some(false), broken), Acceleration::Tcg { icount: false });
        assert_eq!(Acceleration::choose(None, || Kvm::Works), Acceleration::Kvm);
        assert_eq!(Acceleration::choose(Some(true), || Kvm::Works), Acceleration::Tcg { icount: true });
    }

    #[test]
    fn the_probes_result_is_remembered_for_this_boot() {
        let temp = tempfile::tempdir().unwrap();
        let cache = Cache::at(temp.path().to_owned());
        for (host, fresh) in [(host_id(), false), ("another".to_owned(), true)] {
            let kvm = Kvm::Unusable("remembered".into());
            cache.write_file(RESULT, &serde_json::to_vec(&Remembered { host, kvm: kvm.clone() }).unwrap()).unwrap();
            assert_eq!(Kvm::probe(&cache, || Ok(())) != kvm, fresh);
        }
    }

    #[test]
    fn a_kernel_must_start_too() {
        assert_eq!(Kvm::Works.and_boots(|| Ok(())), Kvm::Works);
        let Kvm::Unusable(reason) = Kvm::Works.and_boots(|| Err("hung".into())) else { panic!("taken for usable") };
        assert!(reason.contains("hung"), "{reason}");
    }
}
