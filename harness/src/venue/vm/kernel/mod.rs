//! Where the guest's kernel comes from, and which of its modules the guest loads.

mod apt;
mod bzimage;
mod modules;
mod package;
mod source;
mod sources;

use std::path::{Path, PathBuf};
use std::{fs, io};

use sha2::{Digest as _, Sha256};

use self::apt::Apt;
pub use self::apt::SuiteError;
pub use self::bzimage::KernelFileError;
pub use self::modules::{Module, ModuleError, ModuleSet, WANTED_MODULES};
pub use self::package::PackageError;
pub use self::source::{KernelPairError, KernelSource, METAPACKAGE, pair_kernels};
use super::cache::{Cache, CacheError};

/// A kernel that is ready to boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelImage {
    /// What `uname -r` will say.
    pub release: String,
    /// Package and version, or the path of the user's file.
    pub origin: String,
    /// What tells it from another kernel of the same release: package and version, or the hash of the user's file.
    pub identity: String,
    /// The uncompressed ELF kernel.
    pub vmlinux: PathBuf,
    /// The modules to load.
    pub modules: ModuleSet,
}

/// Why there is no kernel to boot.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The package cannot be had.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The suite's packages cannot be known.
    #[error(transparent)]
    Suite(#[from] SuiteError),
    /// The kernel file is broken.
    #[error("kernel file {path} cannot be used")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: KernelFileError,
    },
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The modules cannot be used.
    #[error(transparent)]
    Modules(#[from] ModuleError),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl KernelImage {
    /// Finds, and where necessary downloads and unpacks, the kernel of `source`. `progress` is told what takes long.
    pub fn resolve(source: &KernelSource, cache: &Cache, progress: &mut dyn FnMut(&str)) -> Result<Self, KernelError> {
        match source {
            KernelSource::Package { name, suite } => Self::from_package(name, suite.as_deref(), cache, progress),
            KernelSource::Files { kernel, modules } => Self::from_files(kernel, modules, cache),
        }
    }

    /// What names this kernel and no later one: a metapackage's kernel changes with time.
    pub fn exactly(&self, source: &KernelSource) -> KernelSource {
        match source {
            KernelSource::Package { suite, .. } => {
                let name = self.origin.split(' ').next().unwrap_or_default().to_owned();
                KernelSource::Package { name, suite: suite.clone() }
            }
            KernelSource::Files { .. } => source.clone(),
        }
    }

    fn from_package(
        name: &str,
        suite: Option<&str>,
        cache: &Cache,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Self, KernelError> {
        let apt = match suite {
            None => Apt::of_machine(),
            Some(suite) => Apt::of_suite(suite, cache, progress)?,
        };
        let package = package::find(name, apt, cache, progress)?;
        let dir = cache.get_or_fill(&package.cache_key(), |dir| package::fill(&package, dir, progress))?;
        let vmlinux = dir.join("vmlinux");
        let release = release_of(&dir)?;
        let modules = ModuleSet::read(&dir, &release)?;
        Ok(Self { release, origin: package.to_string(), identity: package.to_string(), vmlinux, modules })
    }

    fn from_files(kernel: &Path, modules: &Path, cache: &Cache) -> Result<Self, KernelError> {
        let packed = read(kernel)?;
        let key = format!("file_{}", data_encoding::HEXLOWER.encode(&Sha256::digest(&packed)[..16]));
        let dir = cache.get_or_fill(&key, |dir| write_vmlinux(kernel, packed, dir))?;
        let vmlinux = dir.join("vmlinux");
        let release = release_of(&dir)?;
        let modules = ModuleSet::read(modules, &release)?;
        Ok(Self { release, origin: kernel.display().to_string(), identity: key, vmlinux, modules })
    }
}

/// Writes `<dir>/vmlinux`, decompressed from the content `packed` of the kernel file `from`, and its release beside it.
fn write_vmlinux(from: &Path, packed: Vec<u8>, dir: &Path) -> Result<(), KernelError> {
    let broken = |source| KernelError::File { path: from.to_owned(), source };
    let vmlinux = bzimage::vmlinux(packed).map_err(broken)?;
    let release = bzimage::release(&vmlinux).ok_or_else(|| broken(KernelFileError::NoRelease))?;
    for (name, content) in [("vmlinux", vmlinux.as_slice()), ("release", release.as_bytes())] {
        let path = dir.join(name);
        fs::write(&path, content).map_err(|source| CacheError::Io { doing: "write", path, source })?;
    }
    Ok(())
}

/// The release of the kernel in `dir`, as [`write_vmlinux`] noted it.
fn release_of(dir: &Path) -> Result<String, KernelError> {
    Ok(String::from_utf8_lossy(&read(&dir.join("release"))?).into_owned())
}

fn read(path: &Path) -> Result<Vec<u8>, KernelError> {
    fs::read(path).map_err(|source| KernelError::Read { path: path.to_owned(), source })
}
