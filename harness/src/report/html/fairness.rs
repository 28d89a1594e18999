//! The table of fairness.

use super::table::{Table, cells};
use crate::report::fairness::{WORDS, columns, row};
use crate::report::number::Medium;
use crate::result::RunFile;

/// One row a cell, way of spreading and change; `None` for a run that did not ask for it.
pub(super) fn table(run: &RunFile) -> Option<Table> {
    let rows = run.fairness.iter().map(|summary| cells(row(summary, Medium::Html), WORDS));
    Table::new(&columns(), rows.collect())
}
