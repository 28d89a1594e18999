//! The table of decisions.

use super::table::{Cell, Table};
use crate::report::decisions::{columns, row};
use crate::report::number::Medium;
use crate::result::RunFile;

/// One row a cell; `None` for a run that asked for no decisions.
pub(super) fn table(run: &RunFile) -> Option<Table> {
    let rows = run.decisions.iter().map(|summary| {
        let cell =
            |(index, text)| if index < super::super::decisions::WORDS { Cell::text(text) } else { Cell::number(text) };
        row(summary, Medium::Html).into_iter().enumerate().map(cell).collect()
    });
    Table::new(&columns(), rows.collect())
}
