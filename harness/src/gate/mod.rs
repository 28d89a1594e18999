//! The gate: from two sets of measurements to one verdict, its exit code, and what a pull request shows of it.
//!
//! [`GateReport`] is what every gate comes to, the deterministic one ([`compare`], against a [`Baseline`]) and the host's
//! interleaved one; the renderers see nothing else. All is pure but for [`publish()`] and the reading and writing of baselines.

mod baseline;
mod decide;
mod deterministic;
pub mod host;
mod plan;
mod publish;
mod render;
mod report;
mod seeds;
mod verdict;

pub use baseline::{BASELINE_FORMAT, BASELINE_SCHEMA_VERSION, Baseline, BaselineError, SEEDS, plan_key, portable};
pub use decide::{Judgement, judge, of_cell};
pub use deterministic::{CompareError, compare, extremes};
pub use plan::gate_wishes;
pub use publish::{Destinations, PublishError, publish};
pub use render::{annotations, markdown, terminal};
pub use report::{CellReport, Facts, GateReport, Statistic, StatisticReport};
pub use seeds::{Measured, SeedValues};
pub use verdict::{GateVerdict, overall};
