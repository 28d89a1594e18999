//! The seal of `run.json`: a hash over its canonical text, which is the file without white space outside strings and without
//! the seal, its last member.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::RunFile;

/// The run as canonical JSON, without its seal and the closing brace.
pub(super) fn canonical(run: &RunFile) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string(run)?;
    let end = format!(",\"seal\":{}}}", serde_json::to_string(&run.seal)?);
    text.truncate(text.len().saturating_sub(end.len()));
    Ok(text)
}

/// The seal that belongs to a run, whatever seal it carries.
pub(super) fn seal(run: &RunFile) -> Result<String, serde_json::Error> {
    Ok(hash(&canonical(run)?))
}

fn hash(canonical: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(canonical.as_bytes()))
}

/// The run as it is written, with the seal that belongs to it.
pub(super) fn sealed_text(run: &RunFile) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(run)?;
    let end = format!("\"seal\": {}\n}}", serde_json::to_string(&run.seal)?);
    text.truncate(text.len().saturating_sub(end.len()));
    text += &format!("\"seal\": \"{}\"\n}}\n", seal(run)?);
    Ok(text)
}

/// Whether a file says `canonical` and nothing else, and carries the seal of that.
pub(super) fn is_sealed(file: &[u8], canonical: &str, seal: &str) -> bool {
    let end = format!(",\"seal\":\"{seal}\"}}");
    let expected = canonical.bytes().chain(end.bytes());
    seal == hash(canonical) && compact(file).eq(expected)
}

/// The bytes of a JSON text but for white space outside strings.
fn compact(file: &[u8]) -> impl Iterator<Item = u8> {
    let (mut in_string, mut escaped) = (false, false);
    file.iter().copied().filter(move |&byte| {
        let keep = in_string || !byte.is_ascii_whitespace();
        in_string ^= byte == b'"' && !escaped;
        escaped = in_string && byte == b'\\' && !escaped;
        keep
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_no_edit_and_any_other_byte_is() {
        let (canonical, seal) = (r#"{"a b":"c\" \\","d":1.0"#, hash(r#"{"a b":"c\" \\","d":1.0"#));
        let file = |body: &str| format!("{body},\n \"seal\" : \"{seal}\" }}\n");
        assert!(is_sealed(file("{ \"a b\": \"c\\\" \\\\\",\n\"d\": 1.0").as_bytes(), canonical, &seal));
        for edited in [
            r#"{"a b":"c\"  \\","d":1.0"#,
            r#"{"a b":"c\" \\","d":1.00"#,
            r#"{"a b":"c\" \\","d":1.0,"e":2"#,
            r#"{"d":1.0,"a b":"c\" \\""#,
        ] {
            assert!(!is_sealed(file(edited).as_bytes(), canonical, &seal), "{edited}");
        }
        assert!(!is_sealed(file(canonical).as_bytes(), canonical, &hash("")));
    }
}
