//! What an object was built from, as a file of three lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::object::Object;

/// The dependencies that get into an object, with all that they depend on. Those of datapath-common are user space's.
const DEPENDENCIES: [&str; 2] = ["aya-ebpf", "aya-log-ebpf"];

/// Compiler, sources and object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// `rustc --version`.
    pub(super) rustc: String,
    /// SHA-256 over sources, locked dependencies and compiler.
    sources: String,
    /// SHA-256 of the object.
    object: String,
}

impl Stamp {
    /// The stamp of the `bytes` of `object`, built now.
    pub(super) fn of(root: &Path, object: &Object, rustc: &str, bytes: &[u8]) -> Result<Self> {
        Ok(Self { rustc: rustc.to_owned(), sources: sources(root, object, rustc)?, object: hex(bytes) })
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim().to_owned()).with_context(|| format!("no line \"{name}\""))
        };
        Ok(Self { rustc: field("compiler ")?, sources: field("sources ")?, object: field("object ")? })
    }

    /// Fails unless sources and object in the repository are those of the stamp. Needs no toolchain.
    pub(super) fn require_current(&self, root: &Path, object: &Object) -> Result<()> {
        let (file, stamp) = (object.file, object.stamp);
        if sources(root, object, &self.rustc)? != self.sources {
            bail!("{file} is stale, its sources have changed: run `cargo xtask ebpf`");
        }
        if hex(&fs::read(root.join(file)).context(file)?) != self.object {
            bail!("{file} is not the object that {stamp} was written for: run `cargo xtask ebpf`");
        }
        Ok(())
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "compiler {}\nsources {}\nobject {}", self.rustc, self.sources, self.object)
    }
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

fn sources(root: &Path, object: &Object, rustc: &str) -> Result<String> {
    let mut files = BTreeSet::new();
    for source in object.sources {
        collect(&root.join(source), &mut files)?;
    }
    files.retain(|file| !object.without.iter().any(|other| file.starts_with(root.join(other))));
    let mut hash = Sha256::new();
    for file in files {
        let name = file.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
        let content = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        hash.update(format!("{name}\0{}\0", content.len()));
        hash.update(content);
    }
    let lock = fs::read_to_string(root.join("Cargo.lock")).context("Cargo.lock")?;
    for package in closure(&lock, &DEPENDENCIES)? {
        hash.update(format!("{package}\0"));
    }
    hash.update(rustc);
    Ok(HEXLOWER.encode(&hash.finalize()))
}

fn collect(path: &Path, files: &mut BTreeSet<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.insert(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    for entry in entries {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}

/// The lock file's entries of `roots` and everything that they depend on, in order of name.
pub(crate) fn closure<'a>(lock: &'a str, roots: &[&'a str]) -> Result<BTreeSet<&'a str>> {
    let packages = packages(lock);
    let mut entries = BTreeSet::new();
    let mut open: Vec<&str> = roots.to_vec();
    while let Some(name) = open.pop() {
        let found = packages.get(name).with_context(|| format!("Cargo.lock has no package {name}"))?;
        for entry in found {
            if entries.insert(*entry) {
                open.extend(dependencies(entry));
            }
        }
    }
    Ok(entries)
}

/// Entries by name; several versions of a package are taken together.
fn packages(lock: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut packages: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in lock.split("[[package]]").skip(1).map(str::trim) {
        if let Some(name) = entry.lines().find_map(|line| line.strip_prefix("name = ")) {
            packages.entry(name.trim_matches('"')).or_default().push(entry);
        }
    }
    packages
}

/// Names in an entry's list of dependencies; a version may follow the name.
fn dependencies(entry: &str) -> impl Iterator<Item = &str> {
    let list = entry.split_once("dependencies = [").map_or("", |(_, list)| list);
    list.lines().filter_map(|line| line.trim().strip_prefix('"')?.split(['"', ' ']).next())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
[[package]]
name = "a"
version = "1.0.0"
dependencies = [
 "b",
 "c 2.0.0",
]

[[package]]
name = "b"
version = "1.0.0"

[[package]]
name = "c"
version = "2.0.0"

[[package]]
name = "d"
version = "1.0.0"
"#;

    #[test]
    fn a_closure_holds_what_is_depended_on_and_nothing_else() {
        let names: Vec<_> = closure(LOCK, &["a"]).unwrap().iter().map(|entry| &entry[8..9]).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert!(closure(LOCK, &["e"]).is_err());
    }

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let stamp = Stamp { rustc: "rustc 1.0.0".into(), sources: "ab".into(), object: "cd".into() };
        assert_eq!(Stamp::parse(&stamp.to_string()).unwrap(), stamp);
        assert!(Stamp::parse("compiler x\nsources y\n").is_err());
    }
}
