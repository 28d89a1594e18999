//! Standard output that may have been closed.

use std::io::{self, Write};

/// Writes to standard output; a reader that has seen enough (`| head`) is no error, for the exit code is still to be told.
///
/// # Errors
/// Standard output cannot be written for another reason, such as a full disk.
pub(crate) fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
