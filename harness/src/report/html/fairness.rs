//! The table of fairness.

use super::table::{Cell, Table};
use crate::report::fairness::{WORDS, columns, row};
use crate::report::number::Medium;
use crate::result::RunFile;

/// One row a cell, way of spreading and change; `None` for a run that did not ask for it.
pub(super) fn table(run: &RunFile) -> Option<Table> {
    let rows = run.fairness.iter().map(|summary| {
        let cell = |(index, text)| if index < WORDS { Cell::text(text) } else { Cell::number(text) };
        row(summary, Medium::Html).into_iter().enumerate().map(cell).collect()
    });
    Table::new(&columns(), rows.collect())
}
