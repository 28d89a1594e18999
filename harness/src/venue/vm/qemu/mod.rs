//! The QEMU command line.

pub mod accel;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use self::accel::Acceleration;
use super::guest::MARKER;
use super::image::XTABLES_DIR;
use super::run_tool::{self, ToolError};

/// The emulator's program.
pub(crate) const QEMU: &str = "qemu-system-x86_64";
/// Exit status of QEMU when the guest said that its job was done: `(v << 1) | 1` of the value that it wrote to
/// `isa-debug-exit`, unlike 0 and 1 with which QEMU ends by itself.
pub(crate) const EXIT_DONE: i32 = status_of(super::guest::exit::DONE);
/// I/O port of `isa-debug-exit`.
pub(crate) const EXIT_PORT: u16 = 0xf4;

/// Devices: none but the two serial ports and the exit port; no input from the host reaches the guest.
const MACHINE: &[&str] = &[
    "-machine",
    "q35,smbus=off,sata=off,usb=off,hpet=off",
    "-bios",
    "qboot.rom",
    "-nodefaults",
    "-no-user-config",
    "-no-reboot",
    "-display",
    "none",
    "-vga",
    "none",
    "-nic",
    "none",
    "-device",
    "isa-debug-exit,iobase=0xf4,iosize=0x01",
];

/// What makes a run repeat itself instruction by instruction.
const ICOUNT: &[&str] = &["-icount", "shift=0,sleep=off", "-rtc", "base=2024-01-01T00:00:00,clock=vm"];

/// Kernel parameters of every boot. Words that the kernel does not know become init's environment
/// (Documentation/admin-guide/kernel-parameters.rst).
const KERNEL: &str = "nokaslr nowatchdog mitigations=off random.trust_cpu=on cryptomgr.notests rdinit=/init panic=-1 \
    oops=panic console=ttyS1 loglevel=4 PATH=/usr/sbin";
/// Kernel parameters under icount: a clock of 1 GHz that need not be calibrated, one tick an instruction, and no APIC
/// timer, whose calibration spins for 100 ms of guest time and thereby doubled the processor time of a boot. The PIT
/// ticks in its place.
const KERNEL_ICOUNT: &str = "tsc=reliable tsc_early_khz=1000000 noapictimer";

/// Paths of one boot's files.
#[derive(Debug)]
pub(crate) struct Files {
    /// The initramfs.
    pub(crate) initramfs: PathBuf,
    /// Where the first serial port writes frames.
    pub(crate) results: PathBuf,
    /// Where the second serial port writes the kernel's console.
    pub(crate) console: PathBuf,
    /// What QEMU itself says.
    pub(crate) stderr: PathBuf,
}

/// What of a boot shows on the command line.
#[derive(Debug)]
pub(crate) struct Machine<'a> {
    pub(crate) vmlinux: &'a Path,
    pub(crate) acceleration: Acceleration,
    pub(crate) memory_mib: u32,
    pub(crate) cpus: u32,
    pub(crate) seed: u64,
}

impl Files {
    pub(crate) fn below(dir: &Path) -> Self {
        let at = |name: &str| dir.join(name);
        Self { initramfs: at("initramfs"), results: at("results"), console: at("console"), stderr: at("stderr") }
    }
}

/// QEMU's version, such as `7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)`. An error says that it is not installed.
pub fn version() -> Result<String, ToolError> {
    let text = run_tool::output(QEMU, &["--version"], Path::new("/"))?;
    let first = text.lines().next().unwrap_or_default();
    Ok(first.trim_start_matches("QEMU emulator version ").to_owned())
}

/// QEMU's exit status for a value written to `isa-debug-exit`.
const fn status_of(value: u8) -> i32 {
    ((value as i32) << 1) | 1
}

/// The command that boots `machine` with `files`.
pub(crate) fn command(machine: &Machine<'_>, files: &Files) -> Command {
    let mut command = Command::new(QEMU);
    command.args(MACHINE).args(accel_args(machine.acceleration));
    command.args(["-smp", &machine.cpus.to_string()]);
    command.args(["-m", &machine.memory_mib.to_string(), "-seed", &machine.seed.to_string()]);
    command.arg("-kernel").arg(machine.vmlinux).arg("-initrd").arg(&files.initramfs);
    command.args(["-append", &kernel_parameters(machine.acceleration)]);
    serial(&mut command, "results", &files.results);
    serial(&mut command, "console", &files.console);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn accel_args(acceleration: Acceleration) -> Vec<&'static str> {
    match acceleration {
        Acceleration::Kvm => vec!["-accel", "kvm", "-cpu", "host"],
        Acceleration::Tcg { icount: false } => vec!["-accel", "tcg,thread=multi", "-cpu", "max"],
        Acceleration::Tcg { icount: true } => [&["-accel", "tcg", "-cpu", "max"], ICOUNT].concat(),
    }
}

fn kernel_parameters(acceleration: Acceleration) -> String {
    let clock = if acceleration.is_deterministic() { KERNEL_ICOUNT } else { "" };
    format!("{KERNEL} XTABLES_LIBDIR={XTABLES_DIR} {MARKER}=1 {clock}").trim_end().to_owned()
}

/// A serial port that writes to a file: a file takes every byte at once, so the guest never waits for its reader.
fn serial(command: &mut Command, id: &str, path: &Path) {
    let escaped = path.to_string_lossy().replace(',', ",,");
    command.arg("-chardev").arg(format!("file,id={id},path={escaped}")).arg("-serial").arg(format!("chardev:{id}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_icount_fixes_the_clock() {
        assert!(kernel_parameters(Acceleration::Tcg { icount: true }).contains("tsc_early_khz"));
        assert!(!kernel_parameters(Acceleration::Kvm).contains("tsc"));
        assert!(!accel_args(Acceleration::Tcg { icount: false }).contains(&"-icount"));
    }

    #[test]
    fn the_kernel_parameters_name_no_path_of_this_machine() {
        let parameters = kernel_parameters(Acceleration::Tcg { icount: true });
        let own = std::env::current_dir().unwrap();
        assert!(!parameters.contains(&*own.to_string_lossy()));
    }
}
