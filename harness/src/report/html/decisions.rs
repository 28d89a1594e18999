//! The table of decisions.

use super::table::{Table, cells};
use crate::report::decisions::{WORDS, columns, row};
use crate::report::number::Medium;
use crate::result::RunFile;

/// One row a cell; `None` for a run that asked for no decisions.
pub(super) fn table(run: &RunFile) -> Option<Table> {
    let rows = run.decisions.iter().map(|summary| cells(row(summary, Medium::Html), WORDS));
    Table::new(&columns(), rows.collect())
}
