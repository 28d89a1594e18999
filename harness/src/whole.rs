//! Files that are whole or absent: one that replaces another is never half written, neither by a kill nor by a full disk.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes `bytes` to `path`.
///
/// # Errors
/// The file system refuses; an earlier file is as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_whole_with(path, |out| out.write_all(bytes))
}

/// Writes to `path` what `write` writes, bit by bit: it need not fit into memory.
///
/// # Errors
/// What `write` fails with, or the file system refuses; an earlier file is as it was.
pub fn write_whole_with<E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let partial = partial(path);
    let written = File::create(&partial).map_err(E::from).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        // Without it a crash of the machine may leave the new name on an empty file.
        file.sync_data()?;
        Ok(fs::rename(&partial, path)?)
    });
    written.inspect_err(|_| {
        // Half a file is of no use; where it cannot even be removed, the error to tell is still the first.
        drop(fs::remove_file(&partial));
    })
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_leaves_the_earlier_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        write_whole(&path, b"old").unwrap();
        let failed = write_whole_with(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("full"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "full");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        write_whole(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(write_whole(&dir.path().join("no/folder"), b"").is_err());
    }
}
