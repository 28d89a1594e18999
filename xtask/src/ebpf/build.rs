//! Compiles and strips the objects so that their bytes do not depend on where that happens.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::btf;
use super::object::Object;
use super::toolchain::{Toolchain, cargo, succeed};

const TARGET: &str = "bpfel-unknown-none";
const PROFILE: &str = "ebpf";

/// Compiles every object.
pub(super) fn all(root: &Path, toolchain: &Toolchain) -> Result<()> {
    let target = root.join("target/ebpf");
    let mut build = cargo();
    build
        .current_dir(root)
        .args(["build", "--package", "datapath-ebpf", "--bins", "--locked", "--target", TARGET])
        .args(["--profile", PROFILE, "-Z", "build-std=core", "--target-dir"])
        .arg(&target)
        // build-std is unstable; the compiler's sources and its binary are one and the same version.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags(root, toolchain)?.join("\x1f"));
    succeed(&mut build)
}

/// The bytes of an object that was compiled, without what differs from one build to the next.
pub(super) fn stripped(root: &Path, toolchain: &Toolchain, object: &Object) -> Result<Vec<u8>> {
    let mut bytes = strip(&root.join("target/ebpf").join(TARGET).join(PROFILE).join(object.binary), toolchain)?;
    btf::order_forward_declarations(&mut bytes).with_context(|| object.file.to_owned())?;
    Ok(bytes)
}

fn flags(root: &Path, toolchain: &Toolchain) -> Result<Vec<String>> {
    let mut flags = vec![
        // Register layouts of tracing programs, of which there are none; fixed so that every machine builds the same.
        "--cfg=bpf_target_arch=\"x86_64\"".to_owned(),
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        format!("-Clinker={}", toolchain.linker.display()),
        format!("--remap-path-prefix={}=/lbcurve", root.display()),
        format!("--remap-path-prefix={}=/rust", toolchain.sysroot.join("lib/rustlib/src/rust").display()),
    ];
    for registry in registries()? {
        flags.push(format!("--remap-path-prefix={}=/registry", registry.display()));
    }
    Ok(flags)
}

/// Where cargo unpacks packages: a folder for every registry, named after its address.
fn registries() -> Result<Vec<PathBuf>> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo"))).context("no home folder")?;
    let sources = home.join("registry/src");
    let entries = fs::read_dir(&sources).with_context(|| format!("cannot read {}", sources.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

/// Drops debugging information but keeps the kernel's kind (BTF).
fn strip(built: &Path, toolchain: &Toolchain) -> Result<Vec<u8>> {
    let objcopy = toolchain.sysroot.join("lib/rustlib").join(&toolchain.host).join("bin/rust-objcopy");
    let stripped = built.with_extension("stripped");
    let mut command = Command::new(objcopy);
    // The tool is linked against the compiler's LLVM without saying where that is.
    command.env("LD_LIBRARY_PATH", toolchain.sysroot.join("lib")).arg("--strip-debug").arg(built).arg(&stripped);
    succeed(&mut command)?;
    fs::read(&stripped).with_context(|| format!("cannot read {}", stripped.display()))
}
