//! apt's lists of sources, as far as a mirror and its keyring stand in them: sources.list(5), both formats.

use std::path::Path;
use std::{fs, io};

/// One place to take packages from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stanza {
    uris: Vec<String>,
    suites: Vec<String>,
    components: Vec<String>,
    /// Keyring, fingerprints or an embedded key, as the list has it; `None`: what apt trusts in general.
    signed_by: Option<String>,
}

/// Suites that name a release by its state, not by its code name.
const STATES: &[&str] = &["oldstable", "stable", "testing", "unstable", "sid"];

impl Stanza {
    /// Whether it is the distribution's own archive, for plain suites or for security ones.
    fn is_archive(&self, codename: &str, security: bool) -> bool {
        let own = |suite: &String| {
            let is_own = suite == codename
                || STATES.contains(&suite.as_str())
                || suite.strip_prefix(codename).is_some_and(|rest| rest.starts_with('-'));
            is_own && suite.ends_with("-security") == security
        };
        self.components.iter().any(|component| component == "main") && self.suites.iter().any(own)
    }

    /// A deb822 stanza of one suite of the same archive.
    pub(super) fn render(&self, suite: &str) -> String {
        let mut text = format!("Types: deb\nURIs: {}\nSuites: {suite}\nComponents: main\n", self.uris.join(" "));
        if let Some(signed_by) = &self.signed_by {
            text += &format!("Signed-By: {signed_by}\n");
        }
        text
    }
}

/// Every source of binary packages in apt's lists: `sources_list` and the files in `parts`.
pub(super) fn read(sources_list: &Path, parts: &Path) -> io::Result<Vec<Stanza>> {
    let mut files = vec![sources_list.to_owned()];
    match fs::read_dir(parts) {
        Ok(entries) => files.extend(entries.flatten().map(|entry| entry.path())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    files.sort();
    let mut stanzas = Vec::new();
    for file in files {
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("sources") => stanzas.extend(deb822(&text)),
            Some("list") => stanzas.extend(one_line(&text)),
            _ => {}
        }
    }
    Ok(stanzas)
}

/// The distribution's own archive that has `suite`.
pub(super) fn archive<'a>(stanzas: &'a [Stanza], codename: &str, suite: &str) -> Option<&'a Stanza> {
    stanzas.iter().find(|stanza| stanza.is_archive(codename, suite.ends_with("-security")))
}

/// `deb [options] uri suite component...`, a line each.
pub(super) fn one_line(text: &str) -> Vec<Stanza> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Stanza> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb").filter(|rest| rest.starts_with([' ', '\t']))?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    let (uri, suite) = (words.next()?, words.next()?);
    let signed_by = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
    Some(Stanza {
        uris: vec![uri],
        suites: vec![suite],
        components: words.collect(),
        signed_by: signed_by.map(|value| value.replace(',', " ")),
    })
}

/// Stanzas of `Field: value`, separated by blank lines; lines that begin with a blank go on with the field before.
pub(super) fn deb822(text: &str) -> Vec<Stanza> {
    let lines = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
    lines.split(|line| line.trim().is_empty()).filter_map(|lines| stanza(&fields(lines))).collect()
}

fn fields(lines: &[&str]) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in lines {
        match (line.starts_with([' ', '\t']), fields.last_mut()) {
            (true, Some((_, value))) => *value += &format!("\n{line}"),
            _ => {
                if let Some((key, value)) = line.split_once(':') {
                    fields.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
                }
            }
        }
    }
    fields
}

fn stanza(fields: &[(String, String)]) -> Option<Stanza> {
    let value = |key: &str| fields.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str());
    let words = |key| value(key).unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let disabled = value("enabled").is_some_and(|value| ["no", "false", "0", "off"].contains(&value));
    let (uris, suites) = (words("uris"), words("suites"));
    if disabled || !words("types").iter().any(|kind| kind == "deb") || uris.is_empty() || suites.is_empty() {
        return None;
    }
    Some(Stanza { uris, suites, components: words("components"), signed_by: value("signed-by").map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEB822: &str = "# the archive\nTypes: deb deb-src\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n\
        Components: main contrib\nSigned-By: /usr/share/keyrings/archive.gpg\n\nTypes: deb\nURIs: http://mirror.example/security\n\
        Suites: bookworm-security\nComponents: main\n\nTypes: deb\nEnabled: no\nURIs: http://off.example\nSuites: bookworm\nComponents: main\n\n\
        Types: deb\nURIs: http://tools.example/node\nSuites: nodistro\nComponents: main\nSigned-By:\n -----BEGIN PGP\n .\n abc\n";

    #[test]
    fn both_formats_read_the_same() {
        let lines = "deb [arch=amd64 signed-by=/usr/share/keyrings/archive.gpg] http://mirror.example/debian bookworm main contrib # x\n\
            deb-src http://mirror.example/debian bookworm main\n#deb http://off.example bookworm main\n";
        let found = one_line(lines);
        assert_eq!(found.len(), 1);
        let first = &deb822(DEB822)[0];
        assert_eq!(found[0].signed_by, first.signed_by);
        assert_eq!((&found[0].uris, &found[0].components), (&first.uris, &first.components));
    }

    #[test]
    fn a_suite_comes_from_the_distributions_own_archive_with_its_keyring() {
        let stanzas = deb822(DEB822);
        assert_eq!(stanzas.len(), 3);
        let plain = archive(&stanzas, "bookworm", "trixie-backports").unwrap().render("trixie-backports");
        let expected = "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie-backports\nComponents: main\n\
            Signed-By: /usr/share/keyrings/archive.gpg\n";
        assert_eq!(plain, expected);
        let security = archive(&stanzas, "bookworm", "trixie-security").unwrap();
        assert_eq!(security.uris, ["http://mirror.example/security"]);
        assert!(archive(&stanzas, "noble", "trixie").is_none());
    }

    #[test]
    fn an_embedded_key_is_kept_whole() {
        let key = deb822(DEB822).remove(2).signed_by.unwrap();
        assert_eq!(key, "\n -----BEGIN PGP\n .\n abc");
    }

    fn words() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec("[a-z][a-z0-9/:.-]{0,12}", 1..4)
    }

    proptest! {
        #[test]
        fn what_is_rendered_reads_back(uris in words(), suite in "[a-z][a-z0-9-]{0,10}", key in proptest::option::of("/[a-z/.]{1,12}")) {
            let made = Stanza { uris, suites: vec!["x".into()], components: vec!["main".into()], signed_by: key };
            let read = deb822(&made.render(&suite));
            prop_assert_eq!(read, vec![Stanza { suites: vec![suite], ..made }]);
        }

        #[test]
        fn any_text_is_read_without_panic(text in "(?s).*") {
            let found = deb822(&text).into_iter().chain(one_line(&text));
            for stanza in found {
                prop_assert!(!stanza.uris.is_empty() && !stanza.suites.is_empty());
            }
        }
    }
}
