//! The table of reachability.

use super::table::{Table, cells};
use crate::report::number::Medium;
use crate::report::reachability::{WORDS, columns, rows};
use crate::result::RunFile;

/// One row an attempt; `None` for a run that asked for no reachability.
pub(super) fn table(run: &RunFile) -> Option<Table> {
    let rows = rows(&run.reachability, Medium::Html).map(|row| cells(row, WORDS));
    Table::new(&columns(), rows.collect())
}
