//! A baseline: what several seeds of a plan measured on a kernel in the deterministic vm, kept in a sealed file.

use std::path::{Path, PathBuf};
use std::{fs, io};

use data_encoding::HEXLOWER;
use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::SeedValues;
use crate::result::Unit;
use crate::run::scenario::Scenario;
use crate::whole::write_whole;

/// What a baseline file says it is.
pub const BASELINE_FORMAT: &str = "lbcurve baseline";
/// Version of the layout of a baseline file; a reader refuses every other.
pub const BASELINE_SCHEMA_VERSION: u32 = 1;
/// Seeds that a baseline holds: fewer show no spread, more cost time at every update and hardly narrow the range.
pub const SEEDS: std::ops::RangeInclusive<usize> = 3..=5;

/// A baseline file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// [`BASELINE_FORMAT`]: `run.json` has a schema version too.
    pub format: String,
    /// Version of this layout.
    pub schema_version: u32,
    /// Release of the kernel (`uname -r`).
    pub kernel: String,
    /// The package that it came from, with its version; of a file the hash.
    pub kernel_origin: String,
    /// Key of the plan: see [`plan_key`].
    pub plan: String,
    /// What is measured; its seed is replaced by each of `seeds`.
    pub scenario: Scenario,
    /// Version of lbcurve that measured.
    pub lbcurve: String,
    /// SHA-256 of its eBPF object, hexadecimal.
    pub ebpf_object_sha256: String,
    /// Version of QEMU.
    pub qemu: String,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// What they measured.
    pub cells: Vec<SeedValues>,
    /// SHA-256 of the file without this member: a file edited by hand is refused.
    pub seal: String,
}

/// Why a baseline cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The file system refused.
    #[error("cannot {action} the baseline {}", path.display())]
    Io {
        /// Verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Not a baseline.
    #[error("{} is not a baseline file: make one with `lbcurve baseline update`", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// Sealed by something else, or contradicting itself.
    #[error("{} is not as lbcurve wrote it: {reason}; make a new one with `lbcurve baseline update`", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A baseline of another version of lbcurve.
    #[error(
        "the baseline {} has schema version {found}, this lbcurve reads {BASELINE_SCHEMA_VERSION}: make a new one with `lbcurve \
         baseline update`",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// The baseline is of something else than what was asked to be gated.
    #[error("the baseline {} does not fit: {reason}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Why, and the remedy.
        reason: String,
    },
}

impl BaselineError {
    /// The exit code of this kind of error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Io { .. } | Self::Parse { .. } | Self::Broken { .. } => 24,
            Self::Version { .. } => 25,
            Self::Unfit { .. } => 26,
        }
    }
}

/// Key of a plan: a hash of the scenario without its seed and without paths of this machine.
///
/// # Errors
/// The scenario cannot be written as JSON.
pub fn plan_key(scenario: &Scenario) -> Result<String, serde_json::Error> {
    let seedless = serde_json::to_vec(&portable(scenario))?;
    Ok(HEXLOWER.encode(&Sha256::digest(seedless)[..6]))
}

/// The scenario as a baseline keeps it.
pub fn portable(scenario: &Scenario) -> Scenario {
    Scenario { seed: 0, kernels: Vec::new(), ..scenario.clone() }
}

impl Baseline {
    /// Name of the file in a directory of baselines.
    pub fn file_name(&self) -> String {
        format!("{}-{}.json", self.kernel, self.plan)
    }

    /// Reads a baseline.
    ///
    /// # Errors
    /// [`BaselineError`]: it cannot be read, is none, is of another version, or was edited.
    pub fn read(path: &Path) -> Result<Self, BaselineError> {
        let io = |source| BaselineError::Io { action: "read", path: path.to_owned(), source };
        let parse = |source| BaselineError::Parse { path: path.to_owned(), source };
        let bytes = fs::read(path).map_err(io)?;
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(parse)?;
        let Label { format, schema_version: found } = serde_json::from_value(value.clone()).map_err(parse)?;
        if format != BASELINE_FORMAT {
            return Err(parse(serde_json::Error::custom(format!("its format is {format:?}"))));
        }
        if found != u64::from(BASELINE_SCHEMA_VERSION) {
            return Err(BaselineError::Version { path: path.to_owned(), found });
        }
        let baseline: Self = serde_json::from_value(value.clone()).map_err(parse)?;
        let broken = |reason| BaselineError::Broken { path: path.to_owned(), reason };
        if seal(value).map_err(parse)? != baseline.seal {
            return Err(broken("its seal is another file's".to_owned()));
        }
        baseline.check().map_err(broken)?;
        Ok(baseline)
    }

    /// Writes the baseline with its seal, whole or not at all.
    ///
    /// # Errors
    /// [`BaselineError::Io`], or a number that JSON has no word for.
    pub fn write(&self, path: &Path) -> Result<(), BaselineError> {
        let parse = |source| BaselineError::Parse { path: path.to_owned(), source };
        // Through the text, so that the reader meets the same numbers.
        let value = serde_json::to_string(self).and_then(|text| serde_json::from_str(&text)).map_err(parse)?;
        let sealed = Self { seal: seal(value).map_err(parse)?, ..self.clone() };
        let text = serde_json::to_string_pretty(&sealed).map_err(parse)? + "\n";
        let io = |source| BaselineError::Io { action: "write", path: path.to_owned(), source };
        write_whole(path, text.as_bytes()).map_err(io)
    }

    /// What a file that lbcurve wrote cannot say of itself.
    fn check(&self) -> Result<(), String> {
        let mut seeds = self.seeds.clone();
        seeds.sort_unstable();
        seeds.dedup();
        if !SEEDS.contains(&seeds.len()) || seeds.len() != self.seeds.len() {
            return Err(format!("it holds {} different seeds of {}, not 3 to 5", seeds.len(), self.seeds.len()));
        }
        if plan_key(&self.scenario).ok().as_deref() != Some(&self.plan) {
            return Err("its plan is another than its scenario's".to_owned());
        }
        if self.cells.is_empty() {
            return Err("it holds no cell".to_owned());
        }
        self.cells.iter().find_map(|cell| self.fault(cell)).map_or(Ok(()), Err)
    }

    fn fault(&self, values: &SeedValues) -> Option<String> {
        let cell = &values.cell;
        let lists = SeedValues::STATISTICS.map(|statistic| values.of(statistic));
        if lists.iter().any(|list| list.len() != self.seeds.len() || list.iter().any(|value| !value.is_finite())) {
            Some(format!("{cell} has not one number a seed"))
        } else if cell.kernel != self.kernel {
            Some(format!("{cell} is of another kernel than {}", self.kernel))
        } else if values.unit != Unit::Instructions {
            Some(format!("{cell} is in {}, not in instructions", values.unit))
        } else {
            None
        }
    }
}

/// What and which version, so that a file of another layout is told apart from a broken one.
#[derive(Deserialize)]
struct Label {
    format: String,
    schema_version: u64,
}

/// Hash of a baseline's JSON without its seal: members in order of their names, no white space.
fn seal(mut value: serde_json::Value) -> Result<String, serde_json::Error> {
    if let Some(members) = value.as_object_mut() {
        members.remove("seal");
    }
    Ok(HEXLOWER.encode(&Sha256::digest(serde_json::to_vec(&value)?)))
}
