//! cargo-deny: licences, bans and sources of every dependency.

use std::process::Command;

use crate::steps;

/// Installed under `target/tools`, so that nothing of the user's changes.
const VERSION: &str = "0.20.2";

/// Checks deny.toml; builds cargo-deny first where it is not there yet.
///
/// # Errors
/// cargo-deny could not be built, or found something.
pub(crate) fn check() -> anyhow::Result<()> {
    let tools = steps::root().join("target/tools").join(format!("cargo-deny-{VERSION}"));
    let program = tools.join("bin/cargo-deny");
    if !program.exists() {
        let mut install = steps::cargo(["install", "cargo-deny", "--version", VERSION, "--locked"]);
        steps::run(install.args(["--no-default-features", "--root"]).arg(&tools))?;
    }
    // Advisories would need a database from beyond the package registry.
    steps::run(Command::new(program).args(["check", "bans", "licenses", "sources"]))
}
