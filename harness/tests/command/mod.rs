//! The command, for tests of whole runs.

use std::process::Command;

/// What `lbcurve` prints: it must succeed.
pub(crate) fn lbcurve(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_lbcurve")).args(arguments).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints text")
}
