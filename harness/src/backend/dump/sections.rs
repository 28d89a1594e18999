//! Lines under headings: the form in which two texts are compared.

use std::collections::BTreeMap;

/// Stands for the services' lines among others, whose own place matters.
pub(super) const SERVICES: &str = "<the services>";

/// Lines that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    /// Whether the order of the lines is part of the state.
    pub(super) ordered: bool,
    /// Lines.
    pub(super) lines: Vec<String>,
}

/// Sections by heading.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Sections(pub(super) BTreeMap<String, Section>);

impl Sections {
    /// Adds a line whose place among its section's lines matters.
    pub(super) fn ordered(&mut self, heading: &str, line: impl Into<String>) {
        self.add(heading, line.into(), true);
    }

    /// Adds a line whose place is random.
    pub(super) fn unordered(&mut self, heading: &str, line: impl Into<String>) {
        self.add(heading, line.into(), false);
    }

    /// Adds the mark for services' lines, once for lines that follow each other.
    pub(super) fn services_here(&mut self, heading: &str) {
        if self.0.get(heading).is_none_or(|section| section.lines.last().is_none_or(|last| last != SERVICES)) {
            self.ordered(heading, SERVICES);
        }
    }

    fn add(&mut self, heading: &str, line: String, ordered: bool) {
        match self.0.get_mut(heading) {
            Some(section) => section.lines.push(line),
            None => drop(self.0.insert(heading.to_owned(), Section { ordered, lines: vec![line] })),
        }
    }
}
