//! The committed counts, and the build that they are of.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Counts, first_line};
use crate::ebpf::lock_closure;

/// Packages whose code is counted, with all that they depend on.
const COUNTED: [&str; 5] = ["curve-stats", "datapath-common", "datapath-sim", "gungraun", "lbcurve"];

/// What counts depend on beside the sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Build {
    /// `rustc --version`.
    pub(super) rustc: String,
    /// Architecture.
    pub(super) target: String,
    /// SHA-256 over the lock file's entries of the counted packages and of all that they depend on.
    pub(super) dependencies: String,
    /// The C library's version: its allocator is counted.
    pub(super) libc: String,
}

/// Counts of one build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Baseline {
    pub(super) build: Build,
    pub(super) instructions: Counts,
}

impl Build {
    /// That of this machine and working tree.
    ///
    /// # Errors
    /// A program or file cannot be read.
    pub(super) fn of(root: &Path) -> anyhow::Result<Self> {
        let lock = std::fs::read_to_string(root.join("Cargo.lock")).context("Cargo.lock")?;
        let mut hash = Sha256::new();
        for entry in lock_closure(&lock, &COUNTED)? {
            hash.update(format!("{entry}\0"));
        }
        let libc = first_line(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
        Ok(Self {
            rustc: first_line(Command::new("rustc").current_dir(root).arg("--version"))?,
            target: std::env::consts::ARCH.to_owned(),
            dependencies: HEXLOWER.encode(&hash.finalize()),
            libc,
        })
    }

    /// In words, where the machine's part is another, so that the counts of the two cannot be compared.
    pub(super) fn differs_from(&self, other: &Self) -> Option<String> {
        let fields = [
            ("compiler", &self.rustc, &other.rustc),
            ("architecture", &self.target, &other.target),
            ("C library", &self.libc, &other.libc),
        ];
        let differences: Vec<_> = fields
            .into_iter()
            .filter(|(_, baseline, here)| baseline != here)
            .map(|(what, baseline, here)| format!("the baseline's {what} is {baseline}, here it is {here}"))
            .collect();
        (!differences.is_empty())
            .then(|| format!("{}; `cargo xtask bench-instructions --update` counts anew", differences.join("; ")))
    }
}

impl Baseline {
    /// The committed one; none where there is no file.
    ///
    /// # Errors
    /// It cannot be read, or is no baseline.
    pub(super) fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).map(Some).with_context(|| path.display().to_string())
    }

    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, text).with_context(|| path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_told_apart_and_dependencies_are_not_the_machines() {
        let build = Build { rustc: "a".into(), target: "b".into(), dependencies: "c".into(), libc: "d".into() };
        assert_eq!(build.differs_from(&build.clone()), None);
        let others = [
            Build { rustc: "x".into(), ..build.clone() },
            Build { target: "x".into(), ..build.clone() },
            Build { libc: "x".into(), ..build.clone() },
        ];
        assert!(others.iter().all(|other| build.differs_from(other).is_some()));
        assert_eq!(build.differs_from(&Build { dependencies: "x".into(), ..build.clone() }), None);
    }
}
