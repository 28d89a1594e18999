//! Renders a run: terminal table, self-contained HTML, and files for other tools. Pure: from a [`crate::result::RunFile`], or
//! from trials, to text.

mod axes;
mod bmf;
mod cluster;
mod connections;
mod csv;
mod decisions;
mod fairness;
mod fairness_csv;
mod fit;
pub(crate) mod growth;
mod hlog;
mod html;
mod loaded;
mod markdown;
mod memory;
mod node_cpu;
pub mod number;
mod plot;
mod programming;
mod rates;
mod reachability;
pub(crate) mod select;
mod skipped;
mod step_cost;
mod terminal;

pub use bmf::bmf;
pub use csv::{CsvError, csv};
pub use fairness_csv::fairness_csv;
pub use hlog::{HlogError, hlog};
pub use html::{ReportError, html, svg};
pub use markdown::markdown;
pub use step_cost::{NoStepCost, StepCost, StepCosts, StepSubject, Varying, model, step_costs};
pub use terminal::table;
