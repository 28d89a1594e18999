//! The table of what a step costs.

use super::table::{Cell, Table};
use crate::report::number::Medium;
use crate::report::step_cost::{Words, rule};
use crate::report::{StepCost, step_costs};
use crate::result::RunFile;

/// One row a backend and kernel, what a phone has no room for last; `None` for a run without cells whose steps are counted.
pub(super) fn table(run: &RunFile) -> Option<Table> {
    let found = step_costs(run);
    let head = [
        "backend",
        "instructions",
        "a step",
        "fixed part",
        "R\u{b2}",
        "furthest miss",
        "cells",
        "packets",
        "predicted",
    ];
    let mut table = Table::new(&head, found.costs.iter().map(row).collect())?;
    table.notes = std::iter::once(rule().replace("R^2", "R\u{b2}")).chain(found.left_out_in_words()).collect();
    Some(table)
}

fn row(cost: &StepCost) -> Vec<Cell> {
    let words = Words::of(cost, Medium::Html);
    let or_none = |text: Option<String>| text.map_or_else(Cell::none, Cell::number);
    vec![
        Cell::text(words.backend).with_detail(words.kernel),
        or_none(words.each),
        Cell::text(words.step).with_detail(format!("{} counted", words.counted)),
        Cell::number(words.fixed),
        or_none(words.r_squared),
        Cell::number(words.furthest),
        Cell::number(words.cells),
        Cell::text(words.packets),
        Cell::text(words.predicted),
    ]
}
