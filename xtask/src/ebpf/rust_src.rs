//! The sources of the compiler's own `core`: rustup's component, else Debian's package of the same version.
//!
//! The package is fetched with an apt configuration of its own below `target`: neither the machine's sources nor its lists
//! change, and nothing is installed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::toolchain::{output, succeed};

const PACKAGE: &str = "rust-src";
/// The Debian suite that follows stable's compilers.
const SUITE: &str = "trixie-backports";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Makes `<sysroot>/lib/rustlib/src/rust` hold the sources of `release`.
pub(super) fn ensure(sysroot: &Path, release: &str, tools: &Path) -> Result<()> {
    let place = sysroot.join("lib/rustlib/src/rust");
    if is_there(&place) || (add_component() && is_there(&place)) {
        return Ok(());
    }
    println!("rustup cannot add rust-src; fetching Debian's package of {release}");
    let sources = from_debian(release, &tools.join("rust-src"))?;
    fs::create_dir_all(sysroot.join("lib/rustlib/src"))?;
    if place.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
        fs::remove_file(&place)?;
    }
    symlink(&sources, &place).with_context(|| format!("cannot link {}", place.display()))
}

fn is_there(place: &Path) -> bool {
    place.join("library/core/src/lib.rs").exists()
}

fn add_component() -> bool {
    Command::new("rustup").args(["component", "add", PACKAGE]).status().is_ok_and(|status| status.success())
}

/// Unpacks the package below `folder` and returns the root of its sources.
fn from_debian(release: &str, folder: &Path) -> Result<PathBuf> {
    let sources = folder.join(format!("root/usr/src/rustc-{release}"));
    if is_there(&sources) {
        return Ok(sources);
    }
    let apt = Apt::configure(&folder.join("apt"))?;
    apt.run(&["update"])?;
    let version = apt.version_of(release)?;
    apt.run(&["download", &format!("{PACKAGE}={version}")])?;
    let package = find(&apt.folder, |name| name.starts_with(PACKAGE) && name.ends_with(".deb"))?;
    succeed(Command::new("dpkg-deb").arg("-x").arg(package).arg(folder.join("root")))?;
    if !is_there(&sources) {
        bail!("{PACKAGE} {version} does not hold {}", sources.display());
    }
    Ok(sources)
}

/// apt with sources, lists and cache of its own.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn configure(folder: &Path) -> Result<Self> {
        for name in ["state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(name))?;
        }
        let mirror = mirror()?;
        fs::write(folder.join("sources.list"), format!("deb [signed-by={KEYRING}] {mirror} {SUITE} main\n"))?;
        fs::write(folder.join("apt.conf"), configuration(folder))?;
        Ok(Self { folder: folder.to_owned() })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-c").arg(self.folder.join("apt.conf")).current_dir(&self.folder);
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<()> {
        succeed(self.command("apt-get").arg("-q").args(arguments))
    }

    /// The package's version for this compiler, e.g. `1.95.0+dfsg1-1~bpo13+1`.
    fn version_of(&self, release: &str) -> Result<String> {
        let listing = output(self.command("apt-cache").args(["madison", PACKAGE]))?;
        let mut versions = listing.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim);
        let wanted = versions.find(|version| version.split(['+', '-', '~']).next() == Some(release));
        wanted.map(str::to_owned).with_context(|| format!("{SUITE} has no {PACKAGE} {release}; it has:\n{listing}"))
    }
}

/// Hooks of the machine's configuration are cleared: they would clean the machine's own cache.
fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "Dir::Etc::sourcelist \"{folder}/sources.list\";\n\
         Dir::Etc::sourceparts \"-\";\n\
         Dir::State \"{folder}/state\";\n\
         Dir::State::status \"/var/lib/dpkg/status\";\n\
         Dir::Cache \"{folder}/cache\";\n\
         APT::Sandbox::User \"\";\n\
         #clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n"
    )
}

/// The Debian mirror that the machine's own sources name.
fn mirror() -> Result<String> {
    let parts = fs::read_dir("/etc/apt/sources.list.d").map(|entries| entries.flatten().map(|e| e.path()).collect());
    let mut files: Vec<PathBuf> = parts.unwrap_or_default();
    files.push("/etc/apt/sources.list".into());
    files.sort();
    let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
    texts
        .filter_map(|text| mirror_in(&text))
        .next()
        .context("no Debian mirror in /etc/apt/sources.list*; add rust-src by hand: `rustup component add rust-src`")
}

/// The first address of a source that ends in `/debian`, in either format of sources.
fn mirror_in(text: &str) -> Option<String> {
    let lines = text.lines().filter(|line| line.starts_with("URIs:") || line.starts_with("deb "));
    let mut addresses = lines.flat_map(str::split_whitespace).filter(|word| word.contains("://"));
    addresses.find(|address| address.trim_end_matches('/').ends_with("/debian")).map(str::to_owned)
}

fn find(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let mut entries = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    entries
        .find(|path| path.file_name().is_some_and(|name| wanted(&name.to_string_lossy())))
        .with_context(|| format!("nothing was downloaded to {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_read_from_both_formats() {
        let deb822 = "Types: deb\n# URIs: http://old/debian\nURIs: http://m.example/debian\nSuites: bookworm\n";
        assert_eq!(mirror_in(deb822).as_deref(), Some("http://m.example/debian"));
        let line = "deb [signed-by=/k.gpg] https://m.example/debian/ bookworm main\n";
        assert_eq!(mirror_in(line).as_deref(), Some("https://m.example/debian/"));
        assert_eq!(mirror_in("URIs: http://m.example/debian-security\n"), None);
    }
}
