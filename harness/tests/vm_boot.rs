//! Boots a stock kernel in QEMU with this binary as init. Needs qemu-system-x86 and a kernel package; no root.
#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use lbcurve::venue::vm::image::GuestTools;
use lbcurve::venue::vm::kernel::{KernelError, KernelFileError};
use lbcurve::venue::vm::{
    Acceleration, Cache, GuestJob, GuestReport, GuestSpec, KernelImage, KernelSource, Kvm, StaleWork, VmError, boot,
    probe_kvm, remove_stale, stale_work,
};

/// What emulation does by default.
const DETERMINISTIC: Acceleration = Acceleration::Tcg { icount: true };

/// The distribution's kernel; one test at a time fills the cache.
fn kernel() -> KernelImage {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    KernelImage::resolve(&KernelSource::default(), &Cache::for_user().unwrap(), &mut |step| eprintln!("{step}"))
        .unwrap()
}

fn spec(job: &GuestJob) -> GuestSpec {
    GuestSpec {
        kernel: kernel(),
        init: PathBuf::from(env!("CARGO_BIN_EXE_lbcurve")),
        tools: GuestTools::find(),
        job: job.to_bytes().unwrap(),
        acceleration: DETERMINISTIC,
        memory_mib: 1024,
        cpus: 1,
        seed: 42,
        stall: Duration::from_secs(120),
    }
}

fn run(spec: &GuestSpec) -> Result<(Vec<String>, GuestReport), VmError> {
    let mut lines = Vec::new();
    let report = boot(spec, &mut |line| lines.push(line.to_owned()), &AtomicBool::new(false))?;
    eprintln!("{report:?}");
    Ok((lines, report))
}

/// The part of a report that may not differ between two boots of one image.
fn fixed(report: &GuestReport) -> impl PartialEq + std::fmt::Debug + use<> {
    (report.started.clone(), report.finished, report.image_bytes)
}

fn value<'a>(lines: &'a [String], key: &str) -> &'a str {
    lines.iter().find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("no {key:?} in {lines:#?}"))
}

fn assert_whole(lines: &[String], spec: &GuestSpec) {
    assert_eq!(value(lines, "release "), spec.kernel.release);
    let modules: Vec<_> = value(lines, "modules ").split(' ').collect();
    for module in &spec.kernel.modules.load {
        assert!(modules.contains(&module.name.as_str()), "{} is not loaded", module.name);
    }
    for (tool, _) in lbcurve::venue::vm::image::TOOLS {
        assert!(lines.contains(&format!("{tool}: exit status: 0")), "{tool} failed: {lines:#?}");
    }
    for balancer in ["ebpf-tc: ready", "ebpf-xdp: ready"] {
        assert!(lines.contains(&balancer.to_owned()), "{lines:#?}");
    }
    for save in ["iptables-legacy-save", "iptables-nft-save"] {
        let rule = format!("{save}: -A LBCURVE -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1:8080");
        assert!(lines.contains(&rule), "{lines:#?}");
    }
}

#[test]
fn two_boots_at_once_give_the_same_bytes_and_a_whole_guest() {
    let spec = spec(&GuestJob::SelfTest);
    let (first, second) = thread::scope(|scope| {
        let first = scope.spawn(|| run(&spec));
        (run(&spec).unwrap(), first.join().unwrap().unwrap())
    });
    assert_eq!(first.0, second.0);
    assert_eq!(fixed(&first.1), fixed(&second.1));
    assert_whole(&first.0, &spec);
    assert_eq!(first.1.started.refused_modules, []);
    assert!(first.1.started.init_ns < first.1.started.ready_ns && first.1.started.ready_ns < first.1.finished.end_ns);
    assert!(first.1.cpu > Duration::from_millis(100) && first.1.cpu < first.1.wall * 4);
}

#[test]
fn another_seed_gives_other_random_numbers() {
    let known = spec(&GuestJob::SelfTest);
    let other = GuestSpec { seed: 43, ..known.clone() };
    let random = |spec: &GuestSpec| value(&run(spec).unwrap().0, "random ").to_owned();
    assert_ne!(random(&known), random(&other));
}

#[test]
fn a_guest_without_icount_is_whole_too() {
    let spec = GuestSpec { acceleration: Acceleration::Tcg { icount: false }, ..spec(&GuestJob::SelfTest) };
    assert_whole(&run(&spec).unwrap().0, &spec);
}

#[test]
fn the_kvm_probe_never_hangs_and_what_it_promises_holds() {
    let temp = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let spec = spec(&GuestJob::SelfTest);
    let kvm = probe_kvm(&Cache::at(temp.path().to_owned()), &spec);
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    eprintln!("{kvm:?} after {:?}", started.elapsed());
    if kvm == Kvm::Works {
        let spec = GuestSpec { acceleration: Acceleration::Kvm, ..spec };
        assert_whole(&run(&spec).unwrap().0, &spec);
    }
}

#[test]
fn a_panic_of_the_job_is_reported_with_its_message() {
    let error = run(&spec(&GuestJob::Panic)).unwrap_err();
    assert!(matches!(&error, VmError::Guest { message } if message == "panic: asked to panic"), "{error}");
}

#[test]
fn a_job_of_another_version_is_reported() {
    let error = run(&GuestSpec { job: b"{}".to_vec(), ..spec(&GuestJob::Panic) }).unwrap_err();
    assert!(error.to_string().contains("another version"), "{error}");
}

#[test]
fn a_panic_of_the_kernel_is_reported_with_the_consoles_last_lines() {
    let error = run(&GuestSpec { init: PathBuf::from("/bin/true"), ..spec(&GuestJob::SelfTest) }).unwrap_err();
    assert!(matches!(&error, VmError::Panicked { .. }), "{error}");
    assert!(error.to_string().contains("Attempted to kill init"), "{error}");
}

#[test]
fn a_guest_that_says_nothing_is_ended() {
    let stall = Duration::from_secs(10);
    let error = run(&GuestSpec { stall, ..spec(&GuestJob::Hang) }).unwrap_err();
    assert!(matches!(&error, VmError::VmStalled { stall: reported, .. } if *reported == stall), "{error}");
}

#[test]
fn an_interrupt_ends_the_boot() {
    let spec = spec(&GuestJob::Hang);
    let cancel = AtomicBool::new(false);
    let error = thread::scope(|scope| {
        let booting = scope.spawn(|| boot(&spec, &mut |_| {}, &cancel));
        thread::sleep(Duration::from_secs(2));
        cancel.store(true, Ordering::Relaxed);
        booting.join().unwrap().unwrap_err()
    });
    assert!(matches!(error, VmError::Cancelled), "{error}");
}

#[test]
fn a_file_that_is_no_kernel_is_reported_with_qemus_words() {
    let mut spec = spec(&GuestJob::SelfTest);
    spec.kernel.vmlinux = PathBuf::from("/bin/true");
    let error = run(&spec).unwrap_err();
    assert!(matches!(&error, VmError::Ended { .. }), "{error}");
    assert!(error.to_string().contains("PVH"), "{error}");
}

/// The cached package's own files.
fn package_files() -> (PathBuf, PathBuf) {
    let kernel = kernel();
    let dir = kernel.vmlinux.parent().unwrap();
    (dir.join(format!("boot/vmlinuz-{}", kernel.release)), dir.join("lib/modules").join(&kernel.release))
}

fn resolve_files(kernel: &Path, modules: &Path) -> Result<KernelImage, KernelError> {
    let temp = tempfile::tempdir().unwrap();
    let source = KernelSource::Files { kernel: kernel.to_owned(), modules: modules.to_owned() };
    KernelImage::resolve(&source, &Cache::at(temp.path().to_owned()), &mut |_| {})
}

#[test]
fn ones_own_kernel_files_are_understood_with_and_without_dependencies_listed() {
    let (vmlinuz, modules) = package_files();
    let temp = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(modules.join("kernel"), temp.path().join("kernel")).unwrap();
    fs::copy(modules.join("modules.builtin"), temp.path().join("modules.builtin")).unwrap();
    let (listed, unlisted) = (resolve_files(&vmlinuz, &modules), resolve_files(&vmlinuz, temp.path()));
    let (listed, unlisted) = (listed.unwrap(), unlisted.unwrap());
    assert_eq!(listed.release, kernel().release);
    assert_eq!(listed.modules, kernel().modules);
    let names = |image: &KernelImage| image.modules.load.iter().map(|module| module.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&listed), names(&unlisted));
}

#[test]
fn a_cut_kernel_file_is_refused_by_name() {
    let (vmlinuz, modules) = package_files();
    let temp = tempfile::tempdir().unwrap();
    let cut = temp.path().join("vmlinuz");
    let whole = fs::read(vmlinuz).unwrap();
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let error = resolve_files(&cut, &modules).unwrap_err();
    let KernelError::File { path, source } = &error else { panic!("{error}") };
    assert_eq!(path, &cut);
    assert!(matches!(source, KernelFileError::Truncated { .. }), "{source}");
}

/// Processes whose command line holds `marker`.
fn processes_with(marker: &str) -> Vec<i32> {
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let holds = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(marker)
    };
    pids.filter(holds).collect()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited too long: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn qemu_dies_with_a_killed_parent_and_what_is_left_is_removed() {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "boots_for_ever"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let marker = format!("lbcurve-vm-{}.", parent.id());
    wait_until("QEMU starts", || !processes_with(&marker).is_empty());
    let of_parent = |stale: &StaleWork| format!("{stale:?}").contains(&marker);
    assert!(!stale_work().iter().any(of_parent), "work of a living owner was taken for stale");
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_until("QEMU ends", || processes_with(&marker).is_empty());
    assert!(stale_work().iter().any(of_parent), "the killed parent's directory was not found");
    remove_stale();
    assert!(!stale_work().iter().any(of_parent));
}

#[test]
#[ignore = "run in a process of its own by qemu_dies_with_a_killed_parent_and_what_is_left_is_removed"]
fn boots_for_ever() {
    let error = run(&spec(&GuestJob::Hang)).unwrap_err();
    panic!("ended by itself: {error}");
}
