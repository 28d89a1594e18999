//! `cargo xtask ebpf`: builds the object that the repository carries, so that nobody else needs an eBPF toolchain.
//!
//! The build is reproducible: no path of the machine gets into the object, and its bytes depend on the sources, the locked
//! dependencies and the compiler only. `lbcurve.bpf.sha256` records all three beside the object.

mod build;
mod digest;
mod rust_src;
mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use digest::Stamp;
use toolchain::Toolchain;

/// The committed object.
const OBJECT: &str = "datapath-ebpf/lbcurve.bpf.o";
/// What it was built from.
const STAMP: &str = "datapath-ebpf/lbcurve.bpf.sha256";

/// Options of `cargo xtask ebpf`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Rebuild and compare with the committed object instead of replacing it.
    #[arg(long)]
    pub(crate) check: bool,
}

/// Builds the object and writes it, or compares it with the committed one.
///
/// # Errors
/// What the toolchain says; with `--check` a stale or different object.
pub(crate) fn run(args: &Args) -> Result<()> {
    let root = workspace();
    if args.check {
        committed_stamp(&root)?.require_current(&root)?;
    }
    let toolchain = Toolchain::prepare(&root)?;
    let object = build::object(&root, &toolchain)?;
    let stamp = Stamp::of(&root, &toolchain.version, &object)?;
    if args.check { compare(&root, &stamp, &object) } else { replace(&root, &stamp, &object) }
}

/// The workspace's root: this crate's parent.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

fn committed_stamp(root: &Path) -> Result<Stamp> {
    let path = root.join(STAMP);
    Stamp::parse(&fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?)
        .with_context(|| format!("{} is damaged", path.display()))
}

fn compare(root: &Path, stamp: &Stamp, object: &[u8]) -> Result<()> {
    let committed = committed_stamp(root)?;
    if committed.rustc != stamp.rustc {
        bail!("{OBJECT} was built by {}, this is {}: run `cargo xtask ebpf`", committed.rustc, stamp.rustc);
    }
    if fs::read(root.join(OBJECT)).context(OBJECT)? != object {
        let rebuilt = root.join("target/ebpf/lbcurve.bpf.o");
        fs::write(&rebuilt, object)?;
        bail!("{OBJECT} is not what its sources build; the rebuilt one is {}", rebuilt.display());
    }
    println!("{OBJECT} is what its sources build, byte by byte");
    Ok(())
}

fn replace(root: &Path, stamp: &Stamp, object: &[u8]) -> Result<()> {
    fs::write(root.join(OBJECT), object).context(OBJECT)?;
    fs::write(root.join(STAMP), stamp.to_string()).context(STAMP)?;
    println!("wrote {OBJECT} ({} bytes) and {STAMP}", object.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_object_belongs_to_the_committed_sources() {
        let stamp = committed_stamp(&workspace()).unwrap();
        stamp.require_current(&workspace()).unwrap();
    }

    #[test]
    fn the_committed_object_names_no_path_of_a_machine() {
        let object = fs::read(workspace().join(OBJECT)).unwrap();
        for path in ["/home/", "/root/", "/tmp/", "/Users/", ".cargo", ".rustup", "registry/src"] {
            let found = object.windows(path.len()).any(|window| window == path.as_bytes());
            assert!(!found, "the object contains {path}");
        }
    }
}
