//! The distribution's kernel package: downloaded by `apt-get download`, unpacked by `dpkg-deb`, never installed.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use super::super::cache::{Cache, CacheError};
use super::super::run_tool::{self, ToolError};
use super::apt::Apt;
use super::{KernelError, modules, read, release_of, write_vmlinux};

/// Parts of a kernel package that no guest needs: most of its size.
const UNNEEDED: &[&str] = &["kernel/fs", "kernel/sound", "kernel/drivers"];
/// The part of `kernel/drivers` that is needed.
const NEEDED: &str = "kernel/drivers/net";

/// A package, the version that apt would install, and the apt that knows it.
#[derive(Debug, Clone)]
pub(super) struct Package {
    pub(super) name: String,
    version: String,
    apt: Apt,
}

/// Why a kernel package cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// No apt on this system.
    #[error("no apt here to take a kernel package from: give a kernel file with --kernel ./FILE --modules DIR")]
    NoApt(#[source] ToolError),
    /// apt is here and does not work.
    #[error(
        "apt-cache cannot say which kernel packages there are: run `apt-get update`, or give a kernel file with --kernel ./FILE --modules DIR"
    )]
    Apt(#[source] ToolError),
    /// Versions in the cache cannot be compared.
    #[error("cannot tell which of the cached versions is the newest")]
    Versions(#[source] ToolError),
    /// apt does not know the package.
    #[error(
        "apt knows no package {0}: run `apt-get update`, name a suite that has it (--kernel PACKAGE/SUITE), or give a kernel file with --kernel ./FILE --modules DIR"
    )]
    Unknown(String),
    /// The download failed.
    #[error(
        "cannot download {package}: check the network, run `apt-get update`, or give a kernel file with --kernel ./FILE --modules DIR"
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
    #[error("no boot/vmlinuz-* and no lib/modules/*/vmlinuz in {0}")]
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

/// The package behind `name`: what the metapackage `linux-image-amd64` depends on, or `name` itself. One that apt does not
/// know any more, since archives drop old kernels, may still be in the cache.
pub(super) fn find(
    name: &str,
    apt: Apt,
    cache: &Cache,
    progress: &mut dyn FnMut(&str),
) -> Result<Package, KernelError> {
    let behind = depends(&apt, name)?.into_iter().find(|package| package.starts_with("linux-image-"));
    let name = behind.unwrap_or_else(|| name.to_owned());
    let record = apt.cache(&["show", "--no-all-versions", &name])?;
    let known = record.lines().find_map(|line| line.strip_prefix("Version: ")).map(str::to_owned);
    if let Some(version) = known {
        return Ok(Package { name, version, apt });
    }
    let Some(version) = cached_version(&name, cache)? else { return Err(PackageError::Unknown(name).into()) };
    let package = Package { name, version, apt };
    progress(&format!("apt knows no package {} any more: {package} is taken from the cache", package.name));
    Ok(package)
}

/// Version of a package in the cache, the newest where there are several.
fn cached_version(name: &str, cache: &Cache) -> Result<Option<String>, KernelError> {
    let entries = match fs::read_dir(cache.dir()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(cache_error("read", cache.dir()))?,
    };
    let mut newest: Option<String> = None;
    for entry in entries {
        let entry = entry.map_err(cache_error("read", cache.dir()))?.file_name().into_string().unwrap_or_default();
        let Some(version) = entry.strip_prefix(name).and_then(|rest| rest.strip_prefix('_')) else { continue };
        if newest.as_ref().map_or(Ok(true), |newest| is_newer(version, newest))? {
            newest = Some(version.to_owned());
        }
    }
    Ok(newest)
}

/// Whether `a` is the later version of the two, as dpkg orders them: 6.1.170 is after 6.1.90.
fn is_newer(a: &str, b: &str) -> Result<bool, PackageError> {
    match run_tool::output("dpkg", &["--compare-versions", a, "gt", b], Path::new("/")) {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some(1) => Ok(false),
        Err(error) => Err(PackageError::Versions(error)),
    }
}

/// Downloads and unpacks `package` into `dir`: `vmlinux`, its `release` and `lib/modules/<release>`.
pub(super) fn fill(package: &Package, dir: &Path, progress: &mut dyn FnMut(&str)) -> Result<(), KernelError> {
    progress(&format!("downloading {package}"));
    let names = [package.name.clone()].into_iter().chain(split_parts(package)?);
    for name in names {
        fetch(&package.apt, &name, dir)?;
    }
    progress(&format!("unpacking {package}"));
    let vmlinuz = find_vmlinuz(dir).ok_or_else(|| PackageError::NoKernel(package.to_string()))?;
    write_vmlinux(&vmlinuz, read(&vmlinuz)?, dir)?;
    let release = release_of(dir)?;
    settle_modules(dir, &release)?;
    modules::depmod(dir, &release)?;
    Ok(())
}

/// From Linux 7 on Debian keeps kernel, modules and their lists in packages of their own behind `linux-image-RELEASE`.
fn split_parts(package: &Package) -> Result<Vec<String>, PackageError> {
    let depended = depends(&package.apt, &package.name)?;
    let Some(release) = package.name.strip_prefix("linux-image-") else { return Ok(Vec::new()) };
    let parts = ["base", "binary", "modules"].map(|part| format!("linux-{part}-{release}"));
    Ok(depended.into_iter().filter(|name| parts.contains(name)).collect())
}

fn depends(apt: &Apt, name: &str) -> Result<Vec<String>, PackageError> {
    let text = apt.cache(&["depends", name])?;
    Ok(text.lines().filter_map(|line| line.trim().strip_prefix("Depends: ")).map(str::to_owned).collect())
}

/// Downloads one package into `dir`, unpacks it there and removes the archive.
fn fetch(apt: &Apt, name: &str, dir: &Path) -> Result<(), KernelError> {
    apt.download(name, dir).map_err(|source| PackageError::Download { package: name.to_owned(), source })?;
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

/// The kernel: `boot/vmlinuz-*`, or from Linux 7 on `vmlinuz` beside its modules.
fn find_vmlinuz(dir: &Path) -> Option<PathBuf> {
    let entries = |place: &str| fs::read_dir(dir.join(place)).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_kernel =
        |path: &Path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("vmlinuz-"));
    let in_boot = entries("boot").find(|path| is_kernel(path));
    let modules = || ["usr/lib/modules", "lib/modules"].into_iter().flat_map(entries);
    in_boot.or_else(|| modules().map(|path| path.join("vmlinuz")).find(|path| path.is_file()))
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
        let (name, version) = ("linux-image-6.1.0-50-amd64".into(), "1:6.1/2~bpo+1".into());
        let package = Package { name, version, apt: Apt::of_machine() };
        assert_eq!(package.cache_key(), "linux-image-6.1.0-50-amd64_1_6.1_2~bpo+1");
    }

    #[test]
    fn the_kernel_is_found_in_both_places() {
        for place in ["boot/vmlinuz-6.12", "usr/lib/modules/7.2/vmlinuz"] {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir_all(dir.path().join(place).parent().unwrap()).unwrap();
            fs::write(dir.path().join("boot-config"), "").unwrap();
            assert_eq!(find_vmlinuz(dir.path()), None);
            fs::write(dir.path().join(place), "").unwrap();
            assert_eq!(find_vmlinuz(dir.path()), Some(dir.path().join(place)));
        }
    }

    #[test]
    fn an_unknown_package_is_named_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().to_owned());
        let mut silent = |line: &str| panic!("{line}");
        let error = find("linux-image-no-such-thing", Apt::of_machine(), &cache, &mut silent).unwrap_err();
        assert!(error.to_string().contains("linux-image-no-such-thing"), "{error}");
    }

    #[test]
    fn a_kernel_that_the_archive_dropped_comes_from_the_cache() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().to_owned());
        for cached in ["-1-amd64_0.0.90-1", "-1-amd64_0.0.170-1", "-1-amd64_0.0.170-1~bpo12+1", "-10-amd64_0.0.200-1"] {
            fs::create_dir(dir.path().join(format!("linux-image-0.0.0{cached}"))).unwrap();
        }
        let mut said = Vec::new();
        let mut progress = |line: &str| said.push(line.to_owned());
        let package = find("linux-image-0.0.0-1-amd64", Apt::of_machine(), &cache, &mut progress).unwrap();
        assert_eq!(package.cache_key(), "linux-image-0.0.0-1-amd64_0.0.170-1");
        assert!(said.iter().any(|line| line.contains("0.0.170-1 is taken from the cache")), "{said:?}");
    }
}
