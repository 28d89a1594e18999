//! Text between two markers of a Markdown file, which a command rewrites and a hand does not.

/// Why generated text has no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{missing:?} is missing or not in its place: the generated part stands between its two markers")]
pub struct MarkError {
    /// The marker.
    missing: String,
}

/// `text` with `content` between `<!-- NAME -->` and `<!-- /NAME -->`.
///
/// # Errors
/// A marker is missing.
pub fn replace(text: &str, name: &str, content: &str) -> Result<String, MarkError> {
    let (before, _, after) = split(text, name)?;
    Ok(format!("{before}\n{content}\n{after}"))
}

/// What stands between the markers.
pub(super) fn between<'a>(text: &'a str, name: &str) -> Result<&'a str, MarkError> {
    split(text, name).map(|(_, between, _)| between)
}

/// Text up to and with the first marker, between both, from the second on.
fn split<'a>(text: &'a str, name: &str) -> Result<(&'a str, &'a str, &'a str), MarkError> {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let start = text.find(&open).ok_or(MarkError { missing: open.clone() })? + open.len();
    let length = text[start..].find(&close).ok_or(MarkError { missing: close })?;
    Ok((&text[..start], &text[start..start + length], &text[start + length..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_missing_marker_is_named() {
        let error = replace("<!-- plot -->", "plot", "x").unwrap_err();
        assert!(error.to_string().contains("<!-- /plot -->"), "{error}");
    }

    proptest! {
        #[test]
        fn only_what_stands_between_changes(before in "[a-z\n]*", old in "[a-z\n]*", new in "[a-z\n]*", after in "[a-z\n]*") {
            let text = format!("{before}<!-- p -->{old}<!-- /p -->{after}");
            let once = replace(&text, "p", &new).unwrap();
            prop_assert_eq!(between(&once, "p").unwrap(), format!("\n{new}\n"));
            prop_assert!(once.starts_with(&before) && once.ends_with(&after));
            prop_assert_eq!(replace(&once, "p", &new).unwrap(), once);
        }
    }
}
