//! Costs of steps in words, for every medium.

use std::fmt::Write;

use curve_stats::{LEAST_R_SQUARED, Line, MOST_LINE_MISS, MOST_MISS};

use super::{StepCost, StepSubject, Varying, step_costs};
use crate::report::number::{self, Medium};
use crate::report::terminal::new_table;
use crate::result::{RunFile, Unit, name, subject};

/// Heading of the table.
pub(in crate::report) const TITLE: &str = "What a step costs";

/// What the table says, for readers of a report.
pub(in crate::report) const INTRO: &str = "A model of each datapath counts the steps of the run's own packets to the first, middle and last \
     service (rules visited, entries of a hash bucket passed), and this is what one more of them costs each kernel, what there is beside \
     them, and how far a cell lies at most from what its steps say.";

/// Columns that hold words; the others hold numbers.
const WORDS: usize = 4;

/// Headings where every value has a column.
pub(in crate::report) const COLUMNS: [&str; 11] = [
    "backend",
    "packets",
    "kernel",
    "a step",
    "counted",
    "cells",
    "instructions each",
    "fixed part",
    "R^2",
    "furthest miss",
    "predicted",
];

/// When steps are said to predict.
pub(in crate::report) fn rule() -> String {
    let [of_line, of_mean] = [MOST_LINE_MISS, MOST_MISS].map(|most| number::share(most, 1.0));
    format!(
        "Predicted: R^2 above {LEAST_R_SQUARED} and no cell further off than {of_line}; where no step varies, no cell further than {of_mean} \
         from the mean, which is the fixed part then."
    )
}

/// One cost, each value as it is shown.
pub(in crate::report) struct Words {
    pub(in crate::report) backend: String,
    pub(in crate::report) packets: String,
    pub(in crate::report) kernel: String,
    pub(in crate::report) step: String,
    pub(in crate::report) counted: String,
    pub(in crate::report) cells: String,
    /// None where nothing varies.
    pub(in crate::report) each: Option<String>,
    pub(in crate::report) fixed: String,
    /// None where nothing varies.
    pub(in crate::report) r_squared: Option<String>,
    pub(in crate::report) furthest: String,
    pub(in crate::report) predicted: &'static str,
}

impl Words {
    pub(in crate::report) fn of(cost: &StepCost, medium: Medium) -> Self {
        let StepSubject { backend, bracket, protocol, endpoints, kernel } = &cost.subject;
        let count = |value: u64| number::count(value, medium);
        let [fewest, most] = cost.counted.map(count);
        let of_line = |text: fn(&Line, Medium) -> String| cost.prediction.line.as_ref().map(|line| text(line, medium));
        Self {
            backend: subject(*backend, *bracket),
            packets: format!("{}, M = {}", name(protocol).to_uppercase(), count(u64::from(*endpoints))),
            kernel: kernel.clone(),
            step: match cost.varying {
                Varying::Nothing => "none varies".to_owned(),
                Varying::One(kind) => kind.to_string(),
                Varying::Several => "a step of any kind".to_owned(),
            },
            counted: if fewest == most { fewest } else { format!("{fewest} to {most}") },
            cells: count(cost.cells as u64),
            each: of_line(|line, medium| number::significant(line.slope, 4, medium)),
            fixed: number::value(cost.prediction.fixed, Unit::Instructions, medium),
            r_squared: of_line(|line, _| number::r_squared(line.r_squared)),
            furthest: number::percent(cost.prediction.furthest),
            predicted: if cost.prediction.holds() { "yes" } else { "no" },
        }
    }

    /// One value a column.
    pub(in crate::report) fn columns(self) -> [String; COLUMNS.len()] {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        [
            self.backend,
            self.packets,
            self.kernel,
            self.step,
            self.counted,
            self.cells,
            or_none(self.each),
            self.fixed,
            or_none(self.r_squared),
            self.furthest,
            self.predicted.to_owned(),
        ]
    }
}

/// The table as text that ends in a line feed, and which backends have no row.
#[must_use]
pub fn model(run: &RunFile) -> String {
    let found = step_costs(run);
    let mut text = String::new();
    if !found.costs.is_empty() {
        let mut table = new_table(COLUMNS.map(str::to_owned).into(), WORDS);
        table.add_rows(found.costs.iter().map(|cost| Words::of(cost, Medium::Terminal).columns()));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{TITLE}\n{}\n\n{INTRO}\n{}", table.trim_fmt(), rule());
    }
    for line in found.left_out_in_words() {
        let _ = writeln!(text, "{line}");
    }
    if text.is_empty() {
        text.push_str("The run has no cell of which instructions were counted and a model counts steps.\n");
    }
    text
}
