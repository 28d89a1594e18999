//! The apt that knows a package: this machine's own, or a private one for a suite that the machine does not list.
//!
//! A private apt has lists, sources, state and configuration of its own below the cache, and takes from the machine only where
//! its archive is, which keys verify it, and how to reach it. It installs nothing and writes nowhere else.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::cache::{Cache, CacheError};
use super::super::run_tool::{self, ToolError};
use super::KernelError;
use super::package::PackageError;
use super::sources;

/// How long lists of packages are good for: a day, as apt's own timer has it.
const LISTS_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// Written after lists have come whole; its age is theirs.
const UPDATED: &str = "updated";
/// Settings of the machine that a private apt does not take over: what it fetches besides packages, and leave to trust
/// what nobody signed.
const NOT_TAKEN: &[&str] = &["Acquire::IndexTargets", "Acquire::Languages", "Acquire::GzipIndexes", "Acquire::Allow"];

/// Why a suite's packages cannot be known.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// apt's sources cannot be read.
    #[error("cannot read apt's lists of sources")]
    Sources(#[source] io::Error),
    /// No archive to take the suite from.
    #[error(
        "apt's sources list no main archive of {distribution}, so there is no mirror to take suite {suite} from: add one to /etc/apt/sources.list.d, or give a kernel file with --kernel ./FILE --modules DIR"
    )]
    NoArchive {
        /// Suite.
        suite: String,
        /// Code name of this machine's release.
        distribution: String,
    },
    /// The keyring does not know the suite's keys.
    #[error(
        "this machine's keyring cannot verify suite {suite}: run `apt-get install debian-archive-keyring` for the newest keys, or give a kernel file with --kernel ./FILE --modules DIR"
    )]
    NotVerified {
        /// Suite.
        suite: String,
        /// What apt-get said.
        #[source]
        source: ToolError,
    },
    /// The mirror has no such suite.
    #[error("this machine's mirror has no suite {suite}: check its name, or name a kernel package with --kernel")]
    NoSuite {
        /// Suite.
        suite: String,
        /// What apt-get said.
        #[source]
        source: ToolError,
    },
    /// The lists could not be fetched.
    #[error(
        "cannot fetch the package lists of suite {suite}: check the network, or give a kernel file with --kernel ./FILE --modules DIR"
    )]
    Update {
        /// Suite.
        suite: String,
        /// What apt-get said.
        #[source]
        source: ToolError,
    },
}

/// An apt.
#[derive(Debug, Clone)]
pub(super) struct Apt {
    /// Configuration of a private one.
    config: Option<PathBuf>,
}

impl Apt {
    /// This machine's own.
    pub(super) fn of_machine() -> Self {
        Self { config: None }
    }

    /// A private one that knows `suite` and nothing else.
    pub(super) fn of_suite(suite: &str, cache: &Cache, progress: &mut dyn FnMut(&str)) -> Result<Self, KernelError> {
        let root = Root { suite, dir: cache.dir().join("apt").join(suite) };
        let _one = root.lock()?;
        root.write_configuration()?;
        let apt = Self { config: Some(root.config()) };
        root.update(&apt, progress)?;
        Ok(apt)
    }

    /// `apt-cache`'s answer; a package that it does not know gives an empty one, and an apt that is broken an error.
    pub(super) fn cache(&self, args: &[&str]) -> Result<String, PackageError> {
        answer(self.output("apt-cache", args, Path::new("/")))
    }

    /// Downloads a package's archive into `dir`.
    pub(super) fn download(&self, name: &str, dir: &Path) -> Result<(), ToolError> {
        self.output("apt-get", &["download", "-q", name], dir).map(drop)
    }

    fn output(&self, tool: &str, args: &[&str], dir: &Path) -> Result<String, ToolError> {
        let config = self.config.as_deref().map(|config| ("APT_CONFIG", config.as_os_str()));
        run_tool::output_with(tool, args, dir, config.as_slice())
    }
}

/// apt-cache ends with the same code for a package that it does not know and for whatever else goes wrong: its words decide.
fn answer(said: Result<String, ToolError>) -> Result<String, PackageError> {
    match said {
        Err(error) if error.said() == Some(NO_SUCH_PACKAGE) => Ok(String::new()),
        Err(error) if error.is_missing() => Err(PackageError::NoApt(error)),
        other => other.map_err(PackageError::Apt),
    }
}

/// All that apt-cache says where it knows no such package.
const NO_SUCH_PACKAGE: &str = "E: No packages found";

/// Directory of a private apt.
struct Root<'a> {
    suite: &'a str,
    dir: PathBuf,
}

impl Root<'_> {
    fn config(&self) -> PathBuf {
        self.dir.join("apt.conf")
    }

    /// One process at a time fetches lists.
    fn lock(&self) -> Result<File, KernelError> {
        for part in ["apt.conf.d", "sources.list.d", "preferences.d", "lists/partial", "cache/archives/partial", "log"]
        {
            let path = self.dir.join(part);
            fs::create_dir_all(&path).map_err(error("make", &path))?;
        }
        let path = self.dir.join("lock");
        let file = File::create(&path).map_err(error("make", &path))?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)
            .map_err(|errno| error("lock", &path)(errno.into()))?;
        Ok(file)
    }

    fn write_configuration(&self) -> Result<(), KernelError> {
        self.write("sources.list.d/suite.sources", &self.sources()?)?;
        self.write("status", "")?;
        let dump = run_tool::output("apt-config", &["dump"], Path::new("/")).map_err(PackageError::NoApt)?;
        self.write("apt.conf", &configuration(&self.dir, &dump))
    }

    fn write(&self, name: &str, content: &str) -> Result<(), KernelError> {
        let path = self.dir.join(name);
        Ok(fs::write(&path, content).map_err(error("write", &path))?)
    }

    /// The suite's stanza, at the mirror and with the keyring of this machine's own archive.
    fn sources(&self) -> Result<String, KernelError> {
        let places = ["shell", "LIST", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d"];
        let places = run_tool::output("apt-config", &places, Path::new("/")).map_err(PackageError::NoApt)?;
        let place = |name: &str| {
            let value = places.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            PathBuf::from(value.unwrap_or_default().trim_matches('\''))
        };
        let stanzas = sources::read(&place("LIST"), &place("PARTS")).map_err(SuiteError::Sources)?;
        let distribution = codename();
        let archive = sources::archive(&stanzas, &distribution, self.suite);
        let archive = archive.ok_or_else(|| SuiteError::NoArchive { suite: self.suite.to_owned(), distribution })?;
        Ok(archive.render(self.suite))
    }

    /// Fetches the lists unless they are fresh; where that fails, older ones serve, and the user is told.
    fn update(&self, apt: &Apt, progress: &mut dyn FnMut(&str)) -> Result<(), KernelError> {
        let marker = self.dir.join(UPDATED);
        let age = fs::metadata(&marker).and_then(|meta| meta.modified()).ok().map(|time| time.elapsed());
        if age.as_ref().is_some_and(|age| age.as_ref().is_ok_and(|age| *age < LISTS_AGE)) {
            return Ok(());
        }
        progress(&format!("fetching the package lists of {}", self.suite));
        match apt.output("apt-get", &["update", "-qq"], &self.dir) {
            Ok(_) => self.write(UPDATED, ""),
            Err(source) if age.is_some() => {
                progress(&format!("the lists of {} cannot be fetched, older ones serve: {source}", self.suite));
                Ok(())
            }
            Err(source) => Err(refused(self.suite, source).into()),
        }
    }
}

/// apt's own words decide what is wrong; it has no codes for it.
fn refused(suite: &str, source: ToolError) -> SuiteError {
    let said = source.to_string();
    let suite = suite.to_owned();
    if said.contains("NO_PUBKEY") || said.contains("is not signed") || said.contains("EXPKEYSIG") {
        SuiteError::NotVerified { suite, source }
    } else if said.contains("does not have a Release file") {
        SuiteError::NoSuite { suite, source }
    } else {
        SuiteError::Update { suite, source }
    }
}

/// A configuration that keeps everything below `dir`. The machine's own files are not read: hooks of theirs would touch the
/// machine's caches. What they say of reaching a mirror (`Acquire`) is taken over from `dump`.
fn configuration(dir: &Path, dump: &str) -> String {
    let own = [
        ("Dir::Etc::parts", "apt.conf.d"),
        ("Dir::Etc::main", "none"),
        ("Dir::Etc::sourcelist", "none"),
        ("Dir::Etc::sourceparts", "sources.list.d"),
        ("Dir::Etc::preferences", "none"),
        ("Dir::Etc::preferencesparts", "preferences.d"),
        ("Dir::State", "."),
        ("Dir::State::lists", "lists"),
        ("Dir::State::status", "status"),
        ("Dir::Cache", "cache"),
        ("Dir::Cache::archives", "cache/archives"),
        ("Dir::Log", "log"),
    ];
    let mut text = String::new();
    for (key, place) in own {
        text += &format!("{key} \"{}\";\n", dir.join(place).display());
    }
    text += "Acquire::Languages \"none\";\nAcquire::GzipIndexes \"true\";\n";
    text += "APT::Architecture \"amd64\";\nAPT::Update::Error-Mode \"any\";\n";
    for kind in ["InsecureRepositories", "WeakRepositories", "DowngradeToInsecureRepositories"] {
        text += &format!("Acquire::Allow{kind} \"false\";\n");
    }
    let taken = |line: &&str| line.starts_with("Acquire::") && !NOT_TAKEN.iter().any(|key| line.starts_with(key));
    dump.lines().filter(taken).for_each(|line| text += &format!("{line}\n"));
    text
}

/// Code name of this machine's release.
fn codename() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    value.unwrap_or("sid").trim_matches('"').to_owned()
}

fn error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError + use<> {
    let path = path.to_owned();
    move |source| CacheError::Io { doing, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_apt_takes_the_way_to_the_mirror_and_no_hook_nor_leave_to_trust() {
        let dump = "APT::Update::Post-Invoke:: \"rm -f /var/cache/apt/*.bin\";\nAcquire::http::Proxy \"http://proxy.example:3128\";\n\
            Acquire::AllowInsecureRepositories \"1\";\nAcquire::IndexTargets::deb::DEP-11 \"\";\nDir::Cache \"var/cache/apt\";\n";
        let text = configuration(Path::new("/c/apt/sid"), dump);
        assert!(text.contains("Acquire::http::Proxy \"http://proxy.example:3128\";"));
        assert!(text.contains("Acquire::AllowInsecureRepositories \"false\";"));
        assert!(text.contains("Dir::State::lists \"/c/apt/sid/lists\";"));
        for absent in ["Post-Invoke", "\"1\"", "DEP-11", "var/cache/apt"] {
            assert!(!text.contains(absent), "{absent} in {text}");
        }
    }

    #[test]
    fn a_broken_apt_is_no_unknown_package() {
        let ends = |script: &str| answer(run_tool::output("sh", &["-c", script], Path::new("/")));
        assert_eq!(ends("echo known").unwrap(), "known\n");
        assert_eq!(ends("echo 'E: No packages found' >&2; exit 100").unwrap(), "");
        let broken = ends("echo 'E: The list of sources could not be read.' >&2; exit 100").unwrap_err();
        assert!(matches!(broken, PackageError::Apt(_)));
        assert!(crate::chain::one_line(&broken).contains("list of sources"));
        // Where lists are unreadable apt says both.
        let unreadable = "echo 'E: Could not open file lists/x - open (13: Permission denied)' >&2; ";
        let both = ends(&format!("{unreadable} echo 'E: No packages found' >&2; exit 100")).unwrap_err();
        assert!(matches!(both, PackageError::Apt(_)));
    }

    #[test]
    fn a_configuration_that_apt_cannot_read_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("apt.conf");
        fs::write(&config, "{{{").unwrap();
        let error = Apt { config: Some(config) }.cache(&["show", "linux-image-amd64"]).unwrap_err();
        assert!(matches!(error, PackageError::Apt(_)), "{error}");
    }

    #[test]
    fn apts_words_are_told_apart() {
        let failed = |said: &str| {
            let script = format!("echo \"{said}\" >&2; exit 100");
            refused("forky", run_tool::output("sh", &["-c", &script], Path::new("/")).unwrap_err())
        };
        let unsigned = failed("E: The repository 'http://mirror.example forky InRelease' is not signed.");
        assert!(matches!(unsigned, SuiteError::NotVerified { .. }));
        assert!(unsigned.to_string().contains("debian-archive-keyring"));
        let absent = failed("E: The repository 'http://mirror.example forky Release' does not have a Release file.");
        assert!(matches!(absent, SuiteError::NoSuite { .. }));
        assert!(matches!(failed("E: Could not resolve 'mirror.example'"), SuiteError::Update { .. }));
    }
}
