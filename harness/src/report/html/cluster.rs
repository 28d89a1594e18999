//! The section of an imported cluster.

use super::table::{Cell, Table};
use crate::report::cluster::{WORDS, columns, row, sentences};
use crate::report::number::Medium;
use crate::result::RunFile;

/// What was imported, and what a first packet costs.
pub(super) struct ClusterView {
    pub(super) sentences: Vec<String>,
    pub(super) expected: Option<Table>,
}

/// `None` for services that were generated.
pub(super) fn view(run: &RunFile) -> Option<ClusterView> {
    let cluster = run.plan.cluster.as_ref()?;
    let cell = |(index, text)| if index < WORDS { Cell::text(text) } else { Cell::number(text) };
    let rows = run.expected.iter().map(|cost| row(cost, Medium::Html).into_iter().enumerate().map(cell).collect());
    let expected = Table::new(&columns(), rows.collect());
    Some(ClusterView { sentences: sentences(cluster, run, Medium::Html), expected })
}
