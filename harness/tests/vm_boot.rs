//! Boots a stock kernel in QEMU with this binary as init. Needs qemu-system-x86 and a kernel package; no root.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use lbcurve::venue::vm::image::GuestTools;
use lbcurve::venue::vm::{
    Acceleration, Cache, GuestJob, GuestReport, GuestSpec, KernelImage, KernelSource, VmError, boot,
};

fn spec(job: &GuestJob) -> GuestSpec {
    let cache = Cache::for_user().unwrap();
    let kernel = KernelImage::resolve(&KernelSource::default(), &cache, &mut |step| eprintln!("{step}")).unwrap();
    GuestSpec {
        kernel,
        init: PathBuf::from(env!("CARGO_BIN_EXE_lbcurve")),
        tools: GuestTools::find(),
        job: job.to_bytes().unwrap(),
        acceleration: Acceleration::Tcg { icount: true },
        memory_mib: 1024,
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

#[test]
fn the_self_test_answers() {
    let (lines, _) = run(&spec(&GuestJob::SelfTest)).unwrap();
    eprintln!("{}", lines.join("\n"));
    assert!(lines[0].starts_with("release "));
}
