//! Which kernel a user asks for: a package, a suite, or files.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Metapackage of the distribution's newest kernel.
pub const METAPACKAGE: &str = "linux-image-amd64";
/// What every kernel package's name begins with.
const PACKAGE: &str = "linux-image-";

/// Where to take a kernel from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KernelSource {
    /// A Debian package, downloaded and unpacked into the cache but not installed.
    Package {
        /// `linux-image-<release>`, or the metapackage before it.
        name: String,
        /// Suite to take it from; `None`: what this machine's apt would install.
        suite: Option<String>,
    },
    /// The user's own files.
    Files {
        /// A bzImage (`vmlinuz`) or an ELF `vmlinux`.
        kernel: PathBuf,
        /// `/lib/modules/<release>`, or a directory above it.
        modules: PathBuf,
    },
}

/// What `--kernel` says, before the modules are known.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Package { name: String, suite: Option<String> },
    File(PathBuf),
}

/// Why kernels cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelPairError {
    /// Not a name that a package or a suite can have.
    #[error(
        "{0:?} is no kernel: name a package (linux-image-amd64), a suite (trixie), both (linux-image-amd64/trixie), or a file by a path with a slash (./vmlinuz)"
    )]
    NotAKernel(String),
    /// Files and modules do not pair.
    #[error(
        "every kernel file needs the modules that were built for it: {files} kernel files and {modules} --modules were given (a word without a slash or dot is a suite; write a file's path with a slash, as in ./vmlinuz)"
    )]
    Unpaired {
        /// Kernel files among the kernels.
        files: usize,
        /// Modules directories.
        modules: usize,
    },
    /// A kernel is named twice.
    #[error("kernel {0} is named twice")]
    Twice(String),
}

impl Default for KernelSource {
    fn default() -> Self {
        Self::Package { name: METAPACKAGE.to_owned(), suite: None }
    }
}

impl KernelSource {
    /// The newest kernel of a suite.
    pub fn of_suite(suite: &str) -> Self {
        Self::Package { name: METAPACKAGE.to_owned(), suite: Some(suite.to_owned()) }
    }
}

impl fmt::Display for KernelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package { name, suite: None } => f.write_str(name),
            Self::Package { name, suite: Some(suite) } => write!(f, "{name}/{suite}"),
            Self::Files { kernel, .. } => kernel.display().fmt(f),
        }
    }
}

/// Reads kernels and gives those that are files their modules, in order.
///
/// # Errors
/// [`KernelPairError`]: one is no kernel, they do not pair, or one is named twice.
pub fn pair_kernels(kernels: &[String], modules: &[PathBuf]) -> Result<Vec<KernelSource>, KernelPairError> {
    let asked = kernels.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()?;
    let files = asked.iter().filter(|asked| matches!(asked, Asked::File(_))).count();
    if files != modules.len() {
        return Err(KernelPairError::Unpaired { files, modules: modules.len() });
    }
    let mut modules = modules.iter();
    let mut sources: Vec<KernelSource> = Vec::new();
    for asked in asked {
        let source = match asked {
            Asked::Package { name, suite } => KernelSource::Package { name, suite },
            Asked::File(kernel) => KernelSource::Files { kernel, modules: modules.next().cloned().unwrap_or_default() },
        };
        if sources.contains(&source) {
            return Err(KernelPairError::Twice(source.to_string()));
        }
        sources.push(source);
    }
    Ok(sources)
}

/// `linux-image-...` is a package, with `/SUITE` behind it where one is meant; a path is a file; another word is a suite.
fn parse(text: &str) -> Result<Asked, KernelPairError> {
    let wrong = || KernelPairError::NotAKernel(text.to_owned());
    if text.starts_with(PACKAGE) {
        let (name, suite) = text.split_once('/').map_or((text, None), |(name, suite)| (name, Some(suite)));
        if !is_name(name) || !suite.is_none_or(is_suite) {
            return Err(wrong());
        }
        return Ok(Asked::Package { name: name.to_owned(), suite: suite.map(str::to_owned) });
    }
    if is_suite(text) {
        return Ok(Asked::Package { name: METAPACKAGE.to_owned(), suite: Some(text.to_owned()) });
    }
    // What is neither must at least name a file.
    Path::new(text).file_name().map(|_| Asked::File(PathBuf::from(text))).ok_or_else(wrong)
}

/// What Debian allows in a package's name.
fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c))
}

/// Suites are small letters, digits and hyphens: `trixie-backports`.
fn is_suite(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn package(name: &str, suite: Option<&str>) -> KernelSource {
        KernelSource::Package { name: name.to_owned(), suite: suite.map(str::to_owned) }
    }

    fn pair(kernels: &[&str], modules: &[&str]) -> Result<Vec<KernelSource>, KernelPairError> {
        let kernels: Vec<_> = kernels.iter().map(ToString::to_string).collect();
        pair_kernels(&kernels, &modules.iter().map(PathBuf::from).collect::<Vec<_>>())
    }

    #[test]
    fn packages_suites_and_files_are_told_apart() {
        let file = |kernel: &str, modules: &str| KernelSource::Files { kernel: kernel.into(), modules: modules.into() };
        let asked = [
            "linux-image-6.12.94+deb13-amd64",
            "./vmlinuz",
            "trixie-backports",
            "linux-image-amd64/sid",
            "vmlinuz-7.0",
        ];
        let expected = [
            package("linux-image-6.12.94+deb13-amd64", None),
            file("./vmlinuz", "a"),
            package(METAPACKAGE, Some("trixie-backports")),
            package(METAPACKAGE, Some("sid")),
            file("vmlinuz-7.0", "b"),
        ];
        assert_eq!(pair(&asked, &["a", "b"]).unwrap(), expected);
        assert_eq!(pair(&[], &[]).unwrap(), []);
    }

    #[test]
    fn what_does_not_pair_is_refused() {
        assert_eq!(pair(&["./vmlinuz"], &[]), Err(KernelPairError::Unpaired { files: 1, modules: 0 }));
        assert_eq!(pair(&["trixie"], &["m"]), Err(KernelPairError::Unpaired { files: 0, modules: 1 }));
        assert_eq!(
            pair(&["sid", "linux-image-amd64/sid"], &[]),
            Err(KernelPairError::Twice("linux-image-amd64/sid".into()))
        );
        for text in ["", "/", "..", "linux-image-amd64/", "linux-image-amd64/a/b", "linux-image-AMD64"] {
            assert_eq!(pair(&[text], &[]), Err(KernelPairError::NotAKernel(text.into())), "{text}");
        }
    }

    proptest! {
        #[test]
        fn packages_and_suites_read_back_as_printed(name in "[a-z0-9][a-z0-9+.-]{0,20}", suite in proptest::option::of("[a-z][a-z0-9-]{0,12}")) {
            let source = package(&format!("{PACKAGE}{name}"), suite.as_deref());
            prop_assert_eq!(pair_kernels(&[source.to_string()], &[]), Ok(vec![source]));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let outcome = pair_kernels(std::slice::from_ref(&text), &[PathBuf::from("m")]);
            if let Ok(sources) = outcome {
                let is_file = matches!(sources.as_slice(), [KernelSource::Files { .. }]);
                prop_assert!(is_file);
            }
        }
    }
}
