//! Running cargo and the built command, and saying so.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// Prints a command and runs it in the repository's root; its failure ends the task.
///
/// # Errors
/// The command could not be started or failed.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = line(command);
    eprintln!("+ {line}");
    let start = Instant::now();
    let status = command.current_dir(root()).status().with_context(|| format!("cannot start {line}"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    eprintln!("  done in {} s", start.elapsed().as_secs());
    Ok(())
}

/// This cargo.
pub(crate) fn cargo<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Builds `lbcurve` as one static binary, which serves on the host and as the guest's init, and returns its path.
///
/// # Errors
/// The build failed.
pub(crate) fn build_lbcurve() -> anyhow::Result<PathBuf> {
    // An explicit target keeps the flag away from build scripts and procedural macros, which must stay dynamic.
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let flags = format!("CARGO_TARGET_{}_RUSTFLAGS", target.replace('-', "_").to_uppercase());
    let mut build = cargo(["build", "--release", "--package", "lbcurve", "--bin", "lbcurve", "--target", &target]);
    run(build.env(flags, "-C target-feature=+crt-static"))?;
    let target_dir = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target_dir.join(target).join("release").join("lbcurve"))
}
