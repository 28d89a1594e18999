//! The seal of `run.json`: a hash over its canonical text, which is the file without white space outside strings and without
//! the seal, its last member.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::RunFile;

/// The run as canonical JSON, without its seal and the closing brace.
pub(super) fn canonical(run: &RunFile) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string(run)?;
    text.truncate(text.len().saturating_sub(seal_member(run)?.len() + 1));
    Ok(text)
}

/// `,"seal":"..."` as the compact form ends, but for the closing brace.
fn seal_member(run: &RunFile) -> Result<String, serde_json::Error> {
    Ok(format!(",\"seal\":{}", serde_json::to_string(&run.seal)?))
}

/// The seal that belongs to a run, whatever seal it carries.
///
/// # Errors
/// The run cannot be written as JSON.
pub(super) fn seal(run: &RunFile) -> Result<String, serde_json::Error> {
    Ok(HEXLOWER.encode(&Sha256::digest(canonical(run)?.as_bytes())))
}

/// The run as it is written, with its seal.
pub(super) fn sealed_text(run: &RunFile) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(run)?;
    let member = format!("\"seal\": {}\n}}", serde_json::to_string(&run.seal)?);
    text.truncate(text.len().saturating_sub(member.len()));
    text += &format!("\"seal\": \"{}\"\n}}\n", seal(run)?);
    Ok(text)
}
