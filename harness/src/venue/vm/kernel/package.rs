//! The distribution's kernel package: downloaded by `apt-get download`, unpacked by `dpkg-deb`, never installed.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use super::super::cache::CacheError;
use super::super::run_tool::{self, ToolError};
use super::{KernelError, modules, read, release_of, write_vmlinux};

/// Parts of a kernel package that no guest needs: most of its size.
const UNNEEDED: &[&str] = &["kernel/fs", "kernel/sound", "kernel/drivers"];
/// The part of `kernel/drivers` that is needed.
const NEEDED: &str = "kernel/drivers/net";

/// A package and the version that apt would install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Package {
    name: String,
    version: String,
}

/// Why a kernel package cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// No apt on this system.
    #[error("no apt here to take a kernel package from: give a kernel with --kernel FILE --modules DIR")]
    NoApt(#[source] ToolError),
    /// apt does not know the package.
    #[error("apt knows no package {0}: run `apt-get update`, or give a kernel with --kernel FILE --modules DIR")]
    Unknown(String),
    /// The download failed.
    #[error(
        "cannot download {package}: check the network, run `apt-get update`, or give a kernel with --kernel FILE --modules DIR"
    )]
    Download {
        /// The package.
        package: String,
        /// What apt-get said.
        #[source]
        source: ToolError,
    },
    /// The package does not unpack.
    #[error("cannot unpack {package} into the cache (is the disk full?)")]
    Unpack {
        /// The package.
        package: String,
        /// What dpkg-deb said.
        #[source]
        source: ToolError,
    },
    /// The package holds no kernel.
    #[error("no boot/vmlinuz-* in {0}")]
    NoKernel(String),
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

impl Package {
    /// A directory name that changes when the package's content does.
    pub(super) fn cache_key(&self) -> String {
        let safe = |c: char| if c.is_ascii_alphanumeric() || "._+~-".contains(c) { c } else { '_' };
        format!("{}_{}", self.name, self.version).chars().map(safe).collect()
    }
}

/// The package behind `name`: what the metapackage `linux-image-amd64` depends on, or `name` itself.
pub(super) fn find(name: &str, suite: Option<&str>) -> Result<Package, PackageError> {
    if let Some(suite) = suite {
        return Err(PackageError::Unknown(format!("{name}/{suite}")));
    }
    let behind = depends(name)?.into_iter().find(|package| package.starts_with("linux-image-"));
    let name = behind.unwrap_or_else(|| name.to_owned());
    let record = apt_cache(&["show", "--no-all-versions", &name])?;
    let version = record.lines().find_map(|line| line.strip_prefix("Version: "));
    version
        .map(|version| Package { name: name.clone(), version: version.to_owned() })
        .ok_or(PackageError::Unknown(name))
}

/// Downloads and unpacks `package` into `dir`: `vmlinux`, `boot/config-*` and `lib/modules/<release>`.
pub(super) fn fill(package: &Package, dir: &Path, progress: &mut dyn FnMut(&str)) -> Result<(), KernelError> {
    progress(&format!("downloading {package}"));
    let names = [package.name.clone()].into_iter().chain(split_parts(&package.name)?);
    for name in names {
        fetch(&name, dir)?;
    }
    progress(&format!("unpacking {package}"));
    let vmlinuz = find_file(dir, "vmlinuz-").ok_or_else(|| PackageError::NoKernel(package.to_string()))?;
    write_vmlinux(&vmlinuz, read(&vmlinuz)?, dir)?;
    let release = release_of(dir)?;
    settle_modules(dir, &release)?;
    modules::depmod(dir, &release)?;
    Ok(())
}

/// From Linux 7 on Debian keeps kernel and modules in packages of their own behind `linux-image-*`.
fn split_parts(name: &str) -> Result<Vec<String>, PackageError> {
    let is_part = |package: &String| package.starts_with("linux-binary-") || package.starts_with("linux-modules-");
    Ok(depends(name)?.into_iter().filter(is_part).collect())
}

fn depends(name: &str) -> Result<Vec<String>, PackageError> {
    let text = apt_cache(&["depends", name])?;
    Ok(text.lines().filter_map(|line| line.trim().strip_prefix("Depends: ")).map(str::to_owned).collect())
}

/// `apt-cache`'s answer; a package that it does not know gives an empty one.
fn apt_cache(args: &[&str]) -> Result<String, PackageError> {
    match run_tool::output("apt-cache", args, Path::new("/")) {
        Err(error) if error.is_missing() => Err(PackageError::NoApt(error)),
        other => Ok(other.unwrap_or_default()),
    }
}

/// Downloads one package into `dir`, unpacks it there and removes the archive.
fn fetch(name: &str, dir: &Path) -> Result<(), KernelError> {
    let downloaded = run_tool::output("apt-get", &["download", "-q", name], dir);
    downloaded.map_err(|source| PackageError::Download { package: name.to_owned(), source })?;
    let archive = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in archive.filter(|path| path.extension().is_some_and(|extension| extension == "deb")) {
        let unpacked = run_tool::output("dpkg-deb", &["-x", &path.to_string_lossy(), "."], dir);
        unpacked.map_err(|source| PackageError::Unpack { package: name.to_owned(), source })?;
        fs::remove_file(&path).map_err(cache_error("remove", &path))?;
    }
    Ok(())
}

/// Brings the modules to `lib/modules`, where depmod looks, without those that no venue needs.
fn settle_modules(dir: &Path, release: &str) -> Result<(), KernelError> {
    let (modern, classic) = (dir.join("usr/lib/modules"), dir.join("lib/modules"));
    if modern.is_dir() && !classic.is_dir() {
        fs::create_dir_all(dir.join("lib")).map_err(cache_error("make", &classic))?;
        fs::rename(&modern, &classic).map_err(cache_error("move", &modern))?;
    }
    prune(&classic.join(release))
}

/// Removes [`UNNEEDED`] but for [`NEEDED`].
fn prune(modules: &Path) -> Result<(), KernelError> {
    let (needed, aside) = (modules.join(NEEDED), modules.join("net"));
    let kept = fs::rename(&needed, &aside);
    for part in UNNEEDED {
        let path = modules.join(part);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cache_error("remove", &path)(error)),
            _ => {}
        }
    }
    // A kernel without network drivers as modules has nothing to put back.
    if kept.is_err() {
        return Ok(());
    }
    fs::create_dir_all(needed.with_file_name("")).map_err(cache_error("make", &needed))?;
    fs::rename(&aside, &needed).map_err(cache_error("move", &aside))
}

/// The first file in `boot` whose name starts with `prefix`.
fn find_file(dir: &Path, prefix: &str) -> Option<PathBuf> {
    let starts =
        |path: &Path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(prefix));
    let boot = fs::read_dir(dir.join("boot")).into_iter().flatten().flatten();
    boot.map(|entry| entry.path()).find(|path| starts(path))
}

fn cache_error(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> KernelError + use<> {
    let path = path.to_owned();
    move |source| CacheError::Io { doing, path: path.clone(), source }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_key_holds_the_version_and_no_slash() {
        let package = Package { name: "linux-image-6.1.0-50-amd64".into(), version: "1:6.1/2~bpo+1".into() };
        assert_eq!(package.cache_key(), "linux-image-6.1.0-50-amd64_1_6.1_2~bpo+1");
    }

    #[test]
    fn an_unknown_package_is_named_with_the_remedy() {
        let error = find("linux-image-no-such-thing", None).unwrap_err();
        assert!(error.to_string().contains("linux-image-no-such-thing"), "{error}");
    }
}
