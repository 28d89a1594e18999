//! The section of an imported cluster.

use super::table::{Table, cells};
use crate::report::cluster::{CONNECTION_WORDS, WORDS, columns, connection_columns, connection_rows, row, sentences};
use crate::report::number::Medium;
use crate::result::RunFile;

/// What was imported, and what a first packet costs.
pub(super) struct ClusterView {
    pub(super) sentences: Vec<String>,
    pub(super) expected: Option<Table>,
    pub(super) connections: Option<Table>,
}

/// `None` for services that were generated.
pub(super) fn view(run: &RunFile) -> Option<ClusterView> {
    let cluster = run.plan.cluster.as_ref()?;
    let costs = run.expected.iter().map(|cost| cells(row(run, cost, Medium::Html), WORDS));
    let rates = connection_rows(run, Medium::Html).into_iter().map(|row| cells(row, CONNECTION_WORDS));
    Some(ClusterView {
        sentences: sentences(cluster, run, Medium::Html),
        expected: Table::new(&columns(), costs.collect()),
        connections: Table::new(&connection_columns(), rates.collect()),
    })
}
