//! The gate: from two sets of measurements to one verdict, its exit code, and what a pull request shows of it.
//!
//! [`GateReport`] is what every gate comes to, the deterministic one ([`baseline`]) and the host's interleaved one; the renderers
//! see nothing else. Everything here is pure but [`publish`].

mod publish;
mod render;
mod report;
mod verdict;

pub use publish::{Destinations, PublishError, publish};
pub use render::{annotations, markdown, terminal};
pub use report::{CellReport, Facts, GateReport, Statistic, StatisticReport};
pub use verdict::{GateVerdict, overall};
