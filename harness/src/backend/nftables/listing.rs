//! Reads `nft list ruleset`: tables with their sets, maps and chains.

use std::collections::BTreeSet;

use crate::backend::BackendError;

/// A set, a map or a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// `set`, `map` or `chain`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Properties and rules in order, one a line, white space collapsed; a rule that nft prints over several lines is one.
    pub lines: Vec<String>,
    /// Elements of a set or map.
    pub elements: BTreeSet<String>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableListing {
    /// Family and name, e.g. `ip kube-proxy`.
    pub name: String,
    /// Properties, e.g. its comment.
    pub lines: Vec<String>,
    /// Sets, maps and chains in order of creation, sets first.
    pub objects: Vec<Object>,
}

/// Everything that nft lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RulesetListing {
    /// Tables in order.
    pub tables: Vec<TableListing>,
}

impl RulesetListing {
    /// Parses the text of `nft list ruleset` or `nft list table`.
    ///
    /// # Errors
    /// [`BackendError::Parse`] with the offending line.
    pub fn parse(text: &str) -> Result<Self, BackendError> {
        let mut tables: Vec<TableListing> = Vec::new();
        let mut open: Option<Object> = None;
        let mut inside = false;
        for statement in Statements(text.lines()) {
            let words: Vec<&str> = statement.split(' ').collect();
            match (words.as_slice(), tables.last_mut(), &mut open) {
                (["table", name @ .., "{"], ..) if !inside => {
                    inside = true;
                    tables.push(TableListing { name: name.join(" "), lines: Vec::new(), objects: Vec::new() });
                }
                ([kind @ ("set" | "map" | "chain"), name, "{"], Some(_), None) if inside => {
                    let (kind, name) = ((*kind).to_owned(), (*name).to_owned());
                    open = Some(Object { kind, name, lines: Vec::new(), elements: BTreeSet::new() });
                }
                (["}"], Some(table), object) if inside => match object.take() {
                    Some(object) => table.objects.push(object),
                    None => inside = false,
                },
                (["elements", "=", ..], _, Some(object)) => {
                    for element in elements(&statement) {
                        if !object.elements.insert(element) {
                            return Err(unreadable(&statement));
                        }
                    }
                }
                // nft prints the elements behind every other property.
                (_, _, Some(object)) if object.elements.is_empty() => object.lines.push(statement),
                (_, Some(table), None) if inside => table.lines.push(statement),
                _ => return Err(unreadable(&statement)),
            }
        }
        if inside { Err(unreadable("the end of the text")) } else { Ok(Self { tables }) }
    }

    /// A table by family and name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&TableListing> {
        self.tables.iter().find(|table| table.name == name)
    }
}

impl TableListing {
    /// A set, map or chain by name.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<&Object> {
        self.objects.iter().find(|object| object.name == name)
    }
}

fn unreadable(line: &str) -> BackendError {
    BackendError::Parse { what: "nft's listing".into(), reason: format!("unexpected {line:?}") }
}

/// Lines joined until their braces balance, except for the brace that opens a table or an object, which ends a line.
struct Statements<'a>(std::str::Lines<'a>);

impl Iterator for Statements<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let first = self.0.find(|line| !line.trim().is_empty())?;
        let mut statement = collapse(first);
        if statement.ends_with('{') && !statement.contains(['=', '@']) && !statement.contains(" map {") {
            return Some(statement);
        }
        // Ten thousand elements are as many lines: each one is looked at once.
        let mut open = depth(&statement);
        while open > 0 {
            let Some(more) = self.0.next() else { break };
            let more = collapse(more);
            open += depth(&more);
            statement.push(' ');
            statement.push_str(&more);
        }
        Some(statement)
    }
}

fn collapse(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Open braces minus closed ones, outside quotes.
fn depth(text: &str) -> i32 {
    outside_quotes(text).fold(0, |depth, (_, character)| match character {
        '{' => depth + 1,
        '}' => depth - 1,
        _ => depth,
    })
}

fn elements(statement: &str) -> Vec<String> {
    let inside = statement.split_once('{').map_or("", |(_, rest)| rest).trim_end().trim_end_matches('}');
    let mut start = 0;
    let mut elements = Vec::new();
    for (at, _) in outside_quotes(inside).filter(|(_, character)| *character == ',') {
        elements.push(inside[start..at].trim().to_owned());
        start = at + 1;
    }
    elements.push(inside[start..].trim().to_owned());
    elements
}

fn outside_quotes(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quoted = false;
    text.char_indices().filter(move |(_, character)| {
        quoted ^= *character == '"';
        !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "table ip kube-proxy {\n\tcomment \"rules\"\n\tset a {\n\t\ttype ipv4_addr\n\t\telements = { 10.0.0.1, 10.0.0.2,\n\t\t\t     10.0.0.3 }\n\t}\n\n\tmap m {\n\t\ttype ipv4_addr : verdict\n\t\telements = { 10.0.0.1 comment \"x, y\" : drop }\n\t}\n\n\tchain c {\n\t\ttype filter hook input priority filter; policy accept;\n\t\tdnat ip to numgen random mod 3 map { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 80,\n\t\t\t\t2 : 10.0.0.3 . 80 }\n\t}\n}\n";

    #[test]
    fn objects_elements_and_wrapped_rules_are_read() {
        let listing = RulesetListing::parse(TEXT).expect("valid");
        let table = listing.table("ip kube-proxy").expect("there");
        assert_eq!(table.lines, ["comment \"rules\""]);
        let kinds: Vec<_> = table.objects.iter().map(|o| (o.kind.as_str(), o.name.as_str())).collect();
        assert_eq!(kinds, [("set", "a"), ("map", "m"), ("chain", "c")]);
        assert_eq!(table.object("a").expect("there").elements.len(), 3);
        let commented: Vec<_> = table.object("m").expect("there").elements.iter().cloned().collect();
        assert_eq!(commented, ["10.0.0.1 comment \"x, y\" : drop"]);
        let rule = &table.object("c").expect("there").lines[1];
        assert_eq!(
            rule,
            "dnat ip to numgen random mod 3 map { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 80, 2 : 10.0.0.3 . 80 }"
        );
    }

    #[test]
    fn a_cut_listing_is_refused() {
        assert!(RulesetListing::parse(&TEXT[..TEXT.len() - 3]).is_err());
        assert!(RulesetListing::parse("nonsense\n").is_err());
    }

    #[test]
    fn an_element_listed_twice_is_refused() {
        assert!(RulesetListing::parse(&TEXT.replace("10.0.0.2,", "10.0.0.1,")).is_err());
    }

    #[test]
    fn nothing_is_a_listing() {
        assert_eq!(RulesetListing::parse("").expect("empty"), RulesetListing::default());
    }
}
