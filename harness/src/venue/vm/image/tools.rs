//! The host's programs that the guest runs, found with their libraries and plug-ins.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::programs;

/// Programs that backends run in the guest, and the Debian package of each.
pub const TOOLS: &[(&str, &str)] = &[
    ("iptables-legacy-restore", "iptables"),
    ("iptables-legacy-save", "iptables"),
    ("iptables-nft-restore", "iptables"),
    ("iptables-nft-save", "iptables"),
    ("nft", "nftables"),
    ("ipset", "ipset"),
    ("ip", "iproute2"),
    ("ipvsadm", "ipvsadm"),
];

/// Files that the programs read.
const FILES: &[&str] = &["/etc/protocols", "/etc/services"];

/// What was found on this machine for the guest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GuestTools {
    /// Program names and their files.
    pub programs: BTreeMap<String, PathBuf>,
    /// xtables plug-ins, links included.
    pub plugins: Vec<PathBuf>,
    /// Files under their own path.
    pub files: Vec<PathBuf>,
    /// Programs that are not here, and the Debian package of each.
    pub missing: Vec<(&'static str, &'static str)>,
}

/// Why a program cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum ToolsError {
    /// Not an ELF program.
    #[error("cannot read the libraries of {program}")]
    Unreadable {
        /// The program.
        program: PathBuf,
        /// Cause.
        #[source]
        source: lddtree::Error,
    },
    /// A library is not installed.
    #[error("{program} needs {library}, which is not installed")]
    LibraryMissing {
        /// The program.
        program: PathBuf,
        /// The library's name.
        library: String,
    },
}

impl GuestTools {
    /// Looks [`TOOLS`] up on this machine.
    pub fn find() -> Self {
        let mut tools = Self { plugins: plugins(), files: existing(FILES), ..Self::default() };
        for &(name, package) in TOOLS {
            match programs::find(name) {
                Some(path) => drop(tools.programs.insert(name.to_owned(), path)),
                None => tools.missing.push((name, package)),
            }
        }
        tools
    }
}

/// Paths in the guest and files of the shared libraries and the loader that `program` needs; empty when it is static.
pub(super) fn libraries(program: &Path) -> Result<BTreeMap<String, PathBuf>, ToolsError> {
    let unreadable = |source| ToolsError::Unreadable { program: program.to_owned(), source };
    let tree = lddtree::DependencyAnalyzer::default().analyze(program).map_err(unreadable)?;
    let interpreter = tree.interpreter.clone().unwrap_or_default();
    let loader = interpreter.rsplit('/').next().unwrap_or_default().to_owned();
    let place = |name: &str| if name == loader { interpreter.clone() } else { format!("/lib/{name}") };
    tree.libraries
        .into_iter()
        .map(|(name, library)| {
            let missing = || ToolsError::LibraryMissing { program: program.to_owned(), library: name.clone() };
            library.realpath.map(|path| (place(&name), path)).ok_or_else(missing)
        })
        .collect()
}

fn existing(files: &[&str]) -> Vec<PathBuf> {
    files.iter().map(PathBuf::from).filter(|path| path.is_file()).collect()
}

/// Plug-ins for IPv4 of the first directory that has any.
fn plugins() -> Vec<PathBuf> {
    let mut found =
        plugin_dirs().into_iter().map(|dir| plugins_in(&dir)).find(|found| !found.is_empty()).unwrap_or_default();
    found.sort();
    found
}

fn plugin_dirs() -> Vec<PathBuf> {
    let multiarch = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let fixed = ["/usr/lib64", "/usr/lib", "/usr/libexec"].map(PathBuf::from);
    multiarch.chain(fixed).map(|dir| dir.join("xtables")).filter(|dir| dir.is_dir()).collect()
}

fn plugins_in(dir: &Path) -> Vec<PathBuf> {
    let is_plugin = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        ["libxt_", "libipt_"].iter().any(|prefix| name.starts_with(prefix)) && name.ends_with(".so")
    };
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).filter(is_plugin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_of_a_dynamic_program_come_with_the_loader() {
        let own = libraries(Path::new("/proc/self/exe")).unwrap();
        assert!(own.contains_key("/lib/libc.so.6"), "{own:?}");
        assert!(own.keys().any(|path| path.contains("ld-linux")), "{own:?}");
    }

    #[test]
    fn a_script_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        assert!(libraries(file.path()).unwrap_err().to_string().contains(&file.path().display().to_string()));
    }
}
