//! Finding the programs of the system.

use std::path::PathBuf;

/// Where system programs are, beside `PATH`: a plain user's `PATH` has no sbin.
const SYSTEM_PATHS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Finds a program in `PATH` or in the system's own directories.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories = std::env::split_paths(&path).chain(SYSTEM_PATHS.iter().map(PathBuf::from));
    directories.find_map(|directory| Some(directory.join(program)).filter(|candidate| candidate.is_file()))
}
