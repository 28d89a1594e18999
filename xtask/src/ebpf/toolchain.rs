//! Compiler, its sources, and bpf-linker linked against the compiler's own LLVM.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::rust_src;

const LINKER_VERSION: &str = "0.13.0";
/// The feature of bpf-linker for the pinned compiler's LLVM.
const LLVM_FEATURE: &str = "llvm-22";

/// Everything that a build needs.
#[derive(Debug)]
pub(super) struct Toolchain {
    /// `rustc --version`.
    pub(super) version: String,
    /// `rustc --print sysroot`.
    pub(super) sysroot: PathBuf,
    /// Host triple.
    pub(super) host: String,
    /// bpf-linker.
    pub(super) linker: PathBuf,
}

impl Toolchain {
    /// Finds or installs what is missing: rust-src beside the compiler, bpf-linker below `target/tools`.
    pub(super) fn prepare(root: &Path) -> Result<Self> {
        let rustc = |arguments: &[&str]| output(Command::new("rustc").current_dir(root).args(arguments));
        let version = rustc(&["--version"])?;
        let sysroot = PathBuf::from(rustc(&["--print", "sysroot"])?);
        let host = rustc(&["--version", "--verbose"])?
            .lines()
            .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
            .context("rustc names no host")?;
        let release = version.split(' ').nth(1).context("rustc names no version")?;
        let tools = root.join("target/tools");
        rust_src::ensure(&sysroot, release, &tools)?;
        let linker = ensure_linker(&tools.join(format!("bpf-linker-{LINKER_VERSION}-{release}")), &sysroot)?;
        Ok(Self { version, sysroot, host, linker })
    }
}

/// Installs bpf-linker into `prefix` unless it is there.
fn ensure_linker(prefix: &Path, sysroot: &Path) -> Result<PathBuf> {
    let linker = prefix.join("bin/bpf-linker");
    if linker.exists() {
        return Ok(linker);
    }
    println!("installing bpf-linker {LINKER_VERSION} (a minute, once)");
    let llvm = prefix.join("llvm");
    link_llvm(&llvm, sysroot)?;
    let flags = [
        format!("-L{}", llvm.join("lib").display()),
        format!("-Clink-arg=-Wl,-rpath,{}", sysroot.join("lib").display()),
    ];
    let mut install = cargo();
    install
        .args(["install", "bpf-linker", "--version", LINKER_VERSION, "--locked", "--no-default-features"])
        .args(["--features", LLVM_FEATURE, "--root"])
        .arg(prefix)
        .arg("--target-dir")
        .arg(prefix.join("build"))
        .env("LLVM_PREFIX", &llvm)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    succeed(&mut install)?;
    // Only the binary is needed again.
    fs::remove_dir_all(prefix.join("build")).context("cannot remove bpf-linker's build folder")?;
    Ok(linker)
}

/// A folder that looks like an LLVM installation and holds the compiler's library.
fn link_llvm(llvm: &Path, sysroot: &Path) -> Result<()> {
    let library = fs::read_dir(sysroot.join("lib"))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libLLVM.so")))
        .with_context(|| format!("no libLLVM.so in {}", sysroot.join("lib").display()))?;
    let link = llvm.join("lib/libLLVM.so");
    fs::create_dir_all(llvm.join("lib"))?;
    if link.symlink_metadata().is_ok() {
        fs::remove_file(&link)?;
    }
    symlink(library, &link).with_context(|| format!("cannot link {}", link.display()))
}

/// The cargo that runs this command, free of what it set for this command's own build.
pub(super) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"] {
        cargo.env_remove(name);
    }
    cargo
}

/// Runs a command to its end; its output goes to the terminal.
pub(super) fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}

/// What a command printed, trimmed.
pub(super) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
