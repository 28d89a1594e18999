//! Which modules the guest loads, and in which order.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::run_tool::{self, ToolError};
use crate::programs;

/// Modules that backends, topology and probe use. Loaded in this order, each after what it depends on.
pub const WANTED_MODULES: &[&str] = &[
    // Asked for by name through the crypto API, so no dependency line mentions it.
    "crc32c_generic",
    "veth",
    "dummy",
    "sch_ingress",
    "cls_bpf",
    "nf_conntrack",
    "nf_conntrack_netlink",
    "nf_nat",
    "nfnetlink_acct",
    "ip_tables",
    "iptable_filter",
    "iptable_nat",
    "iptable_mangle",
    "iptable_raw",
    "ipt_REJECT",
    "xt_tcpudp",
    "xt_addrtype",
    "xt_comment",
    "xt_conntrack",
    "xt_mark",
    "xt_multiport",
    "xt_nat",
    "xt_nfacct",
    "xt_physdev",
    "xt_recent",
    "xt_set",
    "xt_statistic",
    "xt_MASQUERADE",
    "xt_REDIRECT",
    "xt_CT",
    "ip_set",
    "ip_set_bitmap_port",
    "ip_set_hash_ip",
    "ip_set_hash_ipport",
    "ip_set_hash_ipportip",
    "ip_set_hash_ipportnet",
    "ip_set_hash_net",
    "ip_vs",
    "ip_vs_rr",
    "ip_vs_wrr",
    "ip_vs_lc",
    "ip_vs_wlc",
    "ip_vs_sed",
    "ip_vs_nq",
    "ip_vs_sh",
    "ip_vs_dh",
    "ip_vs_mh",
    "xt_ipvs",
    "nf_tables",
    "nft_chain_nat",
    "nft_compat",
    "nft_ct",
    "nft_fib",
    "nft_fib_ipv4",
    "nft_fib_inet",
    "nft_hash",
    "nft_limit",
    "nft_log",
    "nft_masq",
    "nft_nat",
    "nft_numgen",
    "nft_objref",
    "nft_redir",
    "nft_reject",
    "nft_reject_ipv4",
    "nft_reject_inet",
];

/// The schedulers of IPVS that kube-proxy's users seldom ask for. A guest loads them where fairness is measured, and nowhere else: what
/// lies in a guest's memory is part of what makes its counts repeat.
pub(super) const SCHEDULER_MODULES: &[&str] = &["ip_vs_lblc", "ip_vs_lblcr", "ip_vs_fo", "ip_vs_ovf", "ip_vs_twos"];

/// A module to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its name, with `_`.
    pub name: String,
    /// Its file, possibly compressed.
    pub path: PathBuf,
}

/// The modules of one kernel that the guest loads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModuleSet {
    /// In order of loading.
    pub load: Vec<Module>,
    /// Wanted, but part of the kernel itself.
    pub builtin: Vec<String>,
    /// Wanted, but neither built in nor there: backends that need one cannot run on this kernel.
    pub missing: Vec<String>,
    /// What is loaded for the modules of schedulers behind the others, where it is asked for.
    pub schedulers: Vec<Module>,
}

/// Why a kernel's modules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// No directory of modules for this kernel.
    #[error(
        "no modules of kernel {release} in {dir}: expected {dir}/lib/modules/{release}, {dir}/{release} or {dir}/kernel"
    )]
    NotFound {
        /// Where they were looked for.
        dir: PathBuf,
        /// The kernel's release.
        release: String,
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
    /// `depmod` is missing or failed.
    #[error("the modules' dependencies cannot be found (depmod is in the package kmod)")]
    Depmod(#[source] ToolError),
    /// Compressed by something else than xz or zstd, or damaged.
    #[error("module {path} cannot be decompressed")]
    Decompress {
        /// The module.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
}

impl Module {
    /// The module's ELF file, decompressed.
    pub fn content(&self) -> Result<Vec<u8>, ModuleError> {
        let packed = read(&self.path)?;
        let unpacked = match self.path.extension().and_then(|extension| extension.to_str()) {
            Some("xz") => read_all(liblzma::read::XzDecoder::new(packed.as_slice())),
            Some("zst") => {
                ruzstd::decoding::StreamingDecoder::new(packed.as_slice()).map_err(io::Error::other).and_then(read_all)
            }
            Some("ko") => Ok(packed),
            _ => Err(io::ErrorKind::Unsupported.into()),
        };
        unpacked.map_err(|source| ModuleError::Decompress { path: self.path.clone(), source })
    }
}

impl ModuleSet {
    /// Finds [`WANTED_MODULES`] and what they depend on among the modules of `release` in or below `dir`.
    pub fn read(dir: &Path, release: &str) -> Result<Self, ModuleError> {
        let dir = module_dir(dir, release)?;
        let dependencies = dependency_text(&dir, release)?;
        let builtin = fs::read_to_string(dir.join("modules.builtin")).unwrap_or_default();
        let mut set = Self::select(WANTED_MODULES, &dir, &dependencies, &builtin);
        let more = Self::select(SCHEDULER_MODULES, &dir, &dependencies, &builtin);
        set.schedulers = more.load.into_iter().filter(|module| !set.load.contains(module)).collect();
        Ok(set)
    }

    /// This set with every scheduler of IPVS among what is loaded.
    #[must_use]
    pub fn with_schedulers(mut self) -> Self {
        self.load.append(&mut self.schedulers);
        self
    }

    /// Whether a module is there in any way.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        let loaded = self.load.iter().chain(&self.schedulers).any(|module| module.name == name);
        loaded || self.builtin.iter().any(|builtin| builtin == name)
    }

    fn select(wanted: &[&str], dir: &Path, dependencies: &str, builtin: &str) -> Self {
        let files = parse_dependencies(dependencies);
        let builtin: BTreeSet<_> = builtin.lines().map(name_of).collect();
        let mut set = Self::default();
        let mut seen = BTreeSet::new();
        for &name in wanted {
            match files.get(name) {
                Some(chain) => {
                    set.load.extend(chain.iter().filter(|path| seen.insert(**path)).map(|path| module(dir, path)))
                }
                None if builtin.contains(name) => set.builtin.push(name.to_owned()),
                None => set.missing.push(name.to_owned()),
            }
        }
        set
    }
}

/// Writes `modules.dep` below `base`, which holds `lib/modules/<release>`.
pub(super) fn depmod(base: &Path, release: &str) -> Result<(), ModuleError> {
    let base_arg = base.to_string_lossy();
    run_tool::output(&depmod_path(), &["-b", &base_arg, release], base).map(drop).map_err(ModuleError::Depmod)
}

/// Its path, for it lies in a directory that is not in every user's `PATH`.
fn depmod_path() -> String {
    programs::find("depmod").map_or_else(|| "depmod".to_owned(), |path| path.display().to_string())
}

fn module_dir(dir: &Path, release: &str) -> Result<PathBuf, ModuleError> {
    let candidates = [
        dir.join("lib/modules").join(release),
        dir.join("usr/lib/modules").join(release),
        dir.join(release),
        dir.to_owned(),
    ];
    let found = candidates.into_iter().find(|path| path.join("kernel").is_dir());
    found.ok_or_else(|| ModuleError::NotFound { dir: dir.to_owned(), release: release.to_owned() })
}

/// `modules.dep`, or what `depmod` would write there.
fn dependency_text(dir: &Path, release: &str) -> Result<String, ModuleError> {
    let path = dir.join("modules.dep");
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => dry_depmod(dir, release),
        other => other.map_err(|source| ModuleError::Read { path, source }),
    }
}

fn dry_depmod(dir: &Path, release: &str) -> Result<String, ModuleError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| ModuleError::Read { path, source }
    };
    let base = tempfile::tempdir().map_err(at(Path::new("temporary directory")))?;
    let modules = base.path().join("lib/modules");
    fs::create_dir_all(&modules).map_err(at(&modules))?;
    let target = fs::canonicalize(dir).map_err(at(dir))?;
    std::os::unix::fs::symlink(target, modules.join(release)).map_err(at(&modules))?;
    let base_arg = base.path().to_string_lossy();
    run_tool::output(&depmod_path(), &["-n", "-b", &base_arg, release], base.path()).map_err(ModuleError::Depmod)
}

/// From a module's name to its file's path after those of all it depends on (modules.dep(5)).
///
/// A line names all that a module needs, directly or not, in an order that differs between file systems. Whatever needs
/// another module needs more modules than that one, so their number gives an order that is always the same.
fn parse_dependencies(text: &str) -> BTreeMap<String, Vec<&str>> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let needs: BTreeMap<&str, Vec<&str>> = lines
        .filter(|(path, _)| path.contains(".ko") && !path.contains(' '))
        .map(|(path, needs)| (path, needs.split_whitespace().collect()))
        .collect();
    needs.keys().map(|path| (name_of(path), chain(path, &needs))).collect()
}

/// What `path` needs, in order of loading, and `path` itself.
fn chain<'a>(path: &'a str, needs: &BTreeMap<&'a str, Vec<&'a str>>) -> Vec<&'a str> {
    let needs_of = |path: &str| needs.get(path).cloned().unwrap_or_default();
    let mut chain = needs_of(path);
    chain.sort_by_key(|&below| (needs_of(below).len(), below));
    chain.push(path);
    chain
}

fn module(dir: &Path, path: &str) -> Module {
    Module { name: name_of(path), path: dir.join(path) }
}

/// `kernel/net/ipv4/netfilter/ip_tables.ko.xz` -> `ip_tables`.
fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split(".ko").next().unwrap_or(file).replace('-', "_")
}

fn read(path: &Path) -> Result<Vec<u8>, ModuleError> {
    fs::read(path).map_err(|source| ModuleError::Read { path: path.to_owned(), source })
}

fn read_all(mut reader: impl io::Read) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    reader.read_to_end(&mut content).map(|_| content)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "kernel/net/a.ko.xz: kernel/net/b.ko.xz kernel/lib/c-d.ko.xz\n\
        kernel/net/b.ko.xz: kernel/lib/c-d.ko.xz\n\
        kernel/lib/c-d.ko.xz:\n\
        # Aliases extracted from modules themselves.\n\
        alias symbol:x.ko y: z\n";

    fn names(set: &ModuleSet) -> Vec<&str> {
        set.load.iter().map(|module| module.name.as_str()).collect()
    }

    #[test]
    fn each_module_comes_once_and_after_what_it_needs() {
        let set = ModuleSet::select(&["b", "a", "gone", "inside"], Path::new("/m"), DEP, "kernel/fs/inside.ko\n");
        assert_eq!(names(&set), ["c_d", "b", "a"]);
        assert_eq!(set.load[0].path, Path::new("/m/kernel/lib/c-d.ko.xz"));
        assert_eq!((set.builtin, set.missing), (vec!["inside".to_owned()], vec!["gone".to_owned()]));
    }

    #[test]
    fn the_order_of_a_line_does_not_matter() {
        let swapped = DEP.replace("kernel/net/b.ko.xz kernel/lib/c-d.ko.xz", "kernel/lib/c-d.ko.xz kernel/net/b.ko.xz");
        assert_ne!(swapped, DEP);
        assert_eq!(parse_dependencies(&swapped), parse_dependencies(DEP));
    }

    #[test]
    fn a_directory_without_modules_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let error = ModuleSet::read(temp.path(), "6.1.0-1-amd64").unwrap_err();
        assert!(error.to_string().contains("lib/modules/6.1.0-1-amd64"), "{error}");
    }
}
