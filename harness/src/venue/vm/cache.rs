//! The cache of unpacked kernels: `$XDG_CACHE_HOME/lbcurve`, else `~/.cache/lbcurve`.
//!
//! An entry is a directory that appears by one rename, so it is whole or absent. Work in progress sits beside it under a
//! name that holds its owner; what a killed owner left is removed by the next one.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use super::work::Owner;

/// Prefix of directories that are being filled.
const PARTIAL: &str = ".partial-";

/// Where unpacked kernels and probe results are kept.
#[derive(Debug, Clone)]
pub struct Cache {
    dir: PathBuf,
}

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Neither variable names a place.
    #[error("no place for the cache: set HOME or XDG_CACHE_HOME")]
    NoHome,
    /// A file operation failed.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Cause, such as a full disk.
        #[source]
        source: io::Error,
    },
}

impl Cache {
    /// The user's cache, from the environment.
    pub fn for_user() -> Result<Self, CacheError> {
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .map(|base| Self::at(base.join("lbcurve")))
            .ok_or(CacheError::NoHome)
    }

    /// A cache in `dir`, which is made when it is first filled.
    pub fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Path of the entry `key`, if it is there.
    pub fn get(&self, key: &str) -> Option<PathBuf> {
        Some(self.dir.join(key)).filter(|path| path.exists())
    }

    /// The entry `key`, made by `fill` in an empty directory when it is absent. Nothing is left when `fill` fails.
    pub fn get_or_fill<E: From<CacheError>>(
        &self,
        key: &str,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        if let Some(path) = self.get(key) {
            return Ok(path);
        }
        let partial = self.start()?;
        fill(partial.path())?;
        Ok(self.publish(partial, key)?)
    }

    /// Writes a small file, whole or not at all.
    pub fn write_file(&self, name: &str, content: &[u8]) -> Result<(), CacheError> {
        let partial = self.start()?;
        let (from, to) = (partial.path().join(name), self.dir.join(name));
        fs::write(&from, content).map_err(error("write", &from))?;
        fs::rename(&from, &to).map_err(error("write", &to))
    }

    fn start(&self) -> Result<tempfile::TempDir, CacheError> {
        fs::create_dir_all(&self.dir).map_err(error("make", &self.dir))?;
        self.sweep();
        let prefix = format!("{PARTIAL}{}-", Owner::current().map_err(error("make", &self.dir))?);
        tempfile::Builder::new().prefix(&prefix).tempdir_in(&self.dir).map_err(error("make", &self.dir))
    }

    fn publish(&self, partial: tempfile::TempDir, key: &str) -> Result<PathBuf, CacheError> {
        let to = self.dir.join(key);
        match fs::rename(partial.path(), &to) {
            Ok(()) => drop(partial.keep()),
            // Somebody else was faster; theirs is as good.
            Err(_) if to.exists() => {}
            Err(source) => return Err(error("make", &to)(source)),
        }
        Ok(to)
    }

    /// Removes what killed owners left half done; returns what was removed.
    pub fn sweep(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let stale = entries.filter(|entry| is_stale(&entry.file_name().to_string_lossy())).map(|entry| entry.path());
        stale.filter(|path| fs::remove_dir_all(path).is_ok()).collect()
    }
}

fn is_stale(name: &str) -> bool {
    let owner =
        name.strip_prefix(PARTIAL).and_then(|rest| rest.rsplit_once('-')).and_then(|(owner, _)| owner.parse().ok());
    owner.is_some_and(|owner: Owner| !owner.is_alive())
}

fn error(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> CacheError + use<> {
    let path = path.to_owned();
    move |source| CacheError::Io { doing, path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(cache: &Cache) -> Vec<String> {
        fs::read_dir(cache.dir()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn an_entry_is_whole_or_absent() {
        let temp = tempfile::tempdir().unwrap();
        let cache = Cache::at(temp.path().join("c"));
        let failed = cache.get_or_fill("k", |dir| {
            fs::write(dir.join("half"), "x").unwrap();
            Err(CacheError::NoHome)
        });
        assert!(matches!(failed, Err(CacheError::NoHome)));
        assert!(names(&cache).is_empty());
        let path = cache.get_or_fill("k", |dir| fs::write(dir.join("f"), "x").map_err(error("write", dir))).unwrap();
        assert_eq!(fs::read_to_string(path.join("f")).unwrap(), "x");
        assert_eq!(names(&cache), ["k"]);
    }

    #[test]
    fn what_a_killed_owner_left_is_swept_and_a_live_owners_kept() {
        let temp = tempfile::tempdir().unwrap();
        let cache = Cache::at(temp.path().to_owned());
        let dead = temp.path().join(".partial-1.1-abc");
        let alive = temp.path().join(format!(".partial-{}-abc", Owner::current().unwrap()));
        fs::create_dir(&dead).unwrap();
        fs::create_dir(&alive).unwrap();
        assert_eq!(cache.sweep(), [dead]);
        assert!(alive.exists());
    }
}
