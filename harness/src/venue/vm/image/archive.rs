//! A newc cpio archive that depends on nothing but its entries.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};

use cpio::newc::{Builder, trailer};

/// `S_IFMT` values of newc modes.
const DIRECTORY: u32 = 0o040_755;
const REGULAR: u32 = 0o100_644;
const EXECUTABLE: u32 = 0o100_755;
const LINK: u32 = 0o120_777;
const CHARACTER_DEVICE: u32 = 0o020_600;

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A file, and whether it is a program.
    File {
        /// Its bytes.
        content: Vec<u8>,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symbolic link and its target.
    Link(String),
    /// A character device.
    Device {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A directory.
    Directory,
}

/// Why an archive cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// newc holds sizes in 32 bits.
    #[error("{path} has {len} bytes: more than an initramfs can hold")]
    TooLarge {
        /// The file's path in the guest.
        path: String,
        /// Its length.
        len: usize,
    },
    /// Writing failed.
    #[error("cannot write the initramfs")]
    Write(#[from] io::Error),
}

impl Entry {
    pub(super) fn file(content: Vec<u8>) -> Self {
        Self::File { content, executable: false }
    }

    pub(super) fn program(content: Vec<u8>) -> Self {
        Self::File { content, executable: true }
    }

    fn mode(&self) -> u32 {
        match self {
            Self::File { executable: true, .. } => EXECUTABLE,
            Self::File { .. } => REGULAR,
            Self::Link(_) => LINK,
            Self::Device { .. } => CHARACTER_DEVICE,
            Self::Directory => DIRECTORY,
        }
    }

    fn content(&self) -> &[u8] {
        match self {
            Self::File { content, .. } => content,
            Self::Link(target) => target.as_bytes(),
            Self::Device { .. } | Self::Directory => &[],
        }
    }
}

/// The archive of `entries`, by absolute path, with the directories that they need.
pub(super) fn render(mut entries: BTreeMap<String, Entry>) -> Result<Vec<u8>, ArchiveError> {
    for directory in parents(entries.keys()) {
        entries.entry(directory).or_insert(Entry::Directory);
    }
    let mut archive = Vec::new();
    for (number, (path, entry)) in (1u32..).zip(&entries) {
        append(&mut archive, number, path, entry)?;
    }
    Ok(trailer(archive)?)
}

fn append(archive: &mut Vec<u8>, inode: u32, path: &str, entry: &Entry) -> Result<(), ArchiveError> {
    let content = entry.content();
    let len = u32::try_from(content.len())
        .map_err(|_| ArchiveError::TooLarge { path: path.to_owned(), len: content.len() })?;
    let (major, minor) = if let Entry::Device { major, minor } = entry { (*major, *minor) } else { (0, 0) };
    let header = Builder::new(path.trim_start_matches('/')).ino(inode).nlink(1).mode(entry.mode());
    let mut writer = header.rdev_major(major).rdev_minor(minor).write(archive, len);
    writer.write_all(content)?;
    writer.finish()?;
    Ok(())
}

/// Every directory above `paths`, without the root.
fn parents<'a>(paths: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    paths.flat_map(|path| path.match_indices('/').skip(1).map(|(at, _)| path[..at].to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive() -> Vec<u8> {
        let entries = [
            ("/usr/sbin/b".to_owned(), Entry::program(b"ELF".to_vec())),
            ("/usr/sbin/a".to_owned(), Entry::Link("b".into())),
            ("/dev/null".to_owned(), Entry::Device { major: 1, minor: 3 }),
        ];
        render(entries.into()).unwrap()
    }

    #[test]
    fn entries_are_sorted_behind_their_directories_and_carry_no_owner_or_time() {
        let archive = archive();
        let mut rest = archive.as_slice();
        let mut found = Vec::new();
        loop {
            let reader = cpio::newc::Reader::new(rest).unwrap();
            let entry = reader.entry();
            if entry.is_trailer() {
                break;
            }
            assert_eq!((entry.mtime(), entry.uid(), entry.gid()), (0, 0, 0));
            found.push((entry.name().to_owned(), entry.mode()));
            rest = reader.finish().unwrap();
        }
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["dev", "dev/null", "usr", "usr/sbin", "usr/sbin/a", "usr/sbin/b"]);
        assert_eq!(found[1].1, CHARACTER_DEVICE);
    }

    #[test]
    fn the_same_entries_give_the_same_bytes() {
        assert_eq!(archive(), archive());
    }
}
