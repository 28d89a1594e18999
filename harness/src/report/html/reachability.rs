//! The table of reachability.

use super::table::{Cell, Table};
use crate::report::number::Medium;
use crate::report::reachability::{WORDS, columns, rows};
use crate::result::RunFile;

/// One row an attempt; `None` for a run that asked for no reachability.
pub(super) fn table(run: &RunFile) -> Option<Table> {
    let cell = |(index, text)| if index < WORDS { Cell::text(text) } else { Cell::number(text) };
    let rows = rows(&run.reachability, Medium::Html).map(|row| row.into_iter().enumerate().map(cell).collect());
    Table::new(&columns(), rows.collect())
}
