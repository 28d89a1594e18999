//! Tables of the page.

use crate::report::number::{self, Medium};
use crate::result::Unit;

/// One cell; text is escaped by the template.
pub(super) struct Cell {
    /// What it says.
    pub(super) text: String,
    /// A second, smaller line.
    pub(super) detail: Option<String>,
    /// Right-aligned with figures of equal width.
    pub(super) numeric: bool,
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), detail: None, numeric: false }
    }

    pub(super) fn number(text: impl Into<String>) -> Self {
        Self { text: text.into(), detail: None, numeric: true }
    }

    /// What was not measured.
    pub(super) fn none() -> Self {
        Self::number("\u{2013}")
    }

    pub(super) fn count(count: u64) -> Self {
        Self::number(number::count(count, Medium::Html))
    }

    pub(super) fn value(value: f64, unit: Unit) -> Self {
        Self::number(number::value(value, unit, Medium::Html))
    }

    pub(super) fn with_detail(mut self, detail: String) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Marks a number that cannot be trusted.
    pub(super) fn flagged(mut self, flagged: bool) -> Self {
        if flagged {
            self.text.push('\u{2020}');
        }
        self
    }
}

/// A heading of a column.
pub(super) struct Head {
    pub(super) text: String,
    pub(super) numeric: bool,
}

/// A table with a row of headings.
pub(super) struct Table {
    pub(super) head: Vec<Head>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// Notes under the table.
    pub(super) notes: Vec<String>,
}

impl Table {
    /// A table, unless it has no row. Headings align as the first row's cells.
    pub(super) fn new<T: AsRef<str>>(head: &[T], rows: Vec<Vec<Cell>>) -> Option<Self> {
        let first = rows.first()?;
        let align = |(index, text): (usize, &T)| Head {
            text: text.as_ref().to_owned(),
            numeric: first.get(index).is_some_and(|cell| cell.numeric),
        };
        Some(Self { head: head.iter().enumerate().map(align).collect(), rows, notes: Vec::new() })
    }
}

/// Cells of a row whose first ones hold words, the others numbers.
pub(super) fn cells(row: Vec<String>, words: usize) -> Vec<Cell> {
    let cell = |(index, text)| if index < words { Cell::text(text) } else { Cell::number(text) };
    row.into_iter().enumerate().map(cell).collect()
}
