//! `cargo xtask ebpf`: builds the objects that the repository carries, so that nobody else needs an eBPF toolchain.
//!
//! The build is reproducible: no path of the machine gets into an object, and its bytes depend on the sources, the locked
//! dependencies and the compiler only. A file beside each object records all three.

mod btf;
mod build;
mod digest;
mod object;
mod rust_src;
mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use digest::Stamp;
pub(crate) use digest::closure as lock_closure;
use object::{OBJECTS, Object};
use toolchain::Toolchain;

/// Options of `cargo xtask ebpf`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Rebuild and compare with the committed objects instead of replacing them.
    #[arg(long)]
    pub(crate) check: bool,
}

/// Builds the objects and writes them, or compares them with the committed ones.
///
/// # Errors
/// What the toolchain says; with `--check` a stale or different object.
pub(crate) fn run(args: &Args) -> Result<()> {
    let root = workspace();
    if args.check {
        OBJECTS.iter().try_for_each(|object| committed_stamp(&root, object)?.require_current(&root, object))?;
    }
    let toolchain = Toolchain::prepare(&root)?;
    build::all(&root, &toolchain)?;
    for object in &OBJECTS {
        let bytes = build::stripped(&root, &toolchain, object)?;
        let stamp = Stamp::of(&root, object, &toolchain.version, &bytes)?;
        if args.check {
            compare(&root, object, &stamp, &bytes)?;
        } else {
            replace(&root, object, &stamp, &bytes)?;
        }
    }
    Ok(())
}

/// The workspace's root: this crate's parent.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

fn committed_stamp(root: &Path, object: &Object) -> Result<Stamp> {
    let path = root.join(object.stamp);
    Stamp::parse(&fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?)
        .with_context(|| format!("{} is damaged", path.display()))
}

fn compare(root: &Path, object: &Object, stamp: &Stamp, bytes: &[u8]) -> Result<()> {
    let (committed, file) = (committed_stamp(root, object)?, object.file);
    if committed.rustc != stamp.rustc {
        bail!("{file} was built by {}, this is {}: run `cargo xtask ebpf`", committed.rustc, stamp.rustc);
    }
    if fs::read(root.join(file)).context(file)? != bytes {
        let rebuilt = root.join("target/ebpf").join(object.binary).with_extension("bpf.o");
        fs::write(&rebuilt, bytes)?;
        bail!("{file} is not what its sources build; the rebuilt one is {}", rebuilt.display());
    }
    println!("{file} is what its sources build, byte by byte");
    Ok(())
}

fn replace(root: &Path, object: &Object, stamp: &Stamp, bytes: &[u8]) -> Result<()> {
    fs::write(root.join(object.file), bytes).context(object.file)?;
    fs::write(root.join(object.stamp), stamp.to_string()).context(object.stamp)?;
    println!("wrote {} ({} bytes) and {}", object.file, bytes.len(), object.stamp);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_objects_belong_to_the_committed_sources() {
        for object in &OBJECTS {
            let stamp = committed_stamp(&workspace(), object).unwrap();
            stamp.require_current(&workspace(), object).unwrap();
        }
    }

    #[test]
    fn the_committed_objects_name_no_path_of_a_machine() {
        for object in &OBJECTS {
            let bytes = fs::read(workspace().join(object.file)).unwrap();
            for path in ["/home/", "/root/", "/tmp/", "/Users/", ".cargo", ".rustup", "registry/src"] {
                let found = bytes.windows(path.len()).any(|window| window == path.as_bytes());
                assert!(!found, "{} contains {path}", object.file);
            }
        }
    }
}
