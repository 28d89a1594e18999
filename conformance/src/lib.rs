//! Holds the simulated datapaths to what kernels decided.
//!
//! A [`Case`] is a random workload and the packets that ask for it, both from a seed. A kernel's answer to it is a [`Recording`]; the
//! suites that make them are `harness/tests/conformance_{host,vm}.rs`. [`judge()`] replays the case through the model and says where the two
//! differ; it needs no kernel, so that a model can be judged again by recordings that are there, a broken one too (`cargo xtask mutants`).

mod case;
mod judge;
mod model;
mod recording;
mod steps;

pub use case::{CLIENTS_A_CASE, Case, Order, Shape};
pub use judge::{Conclusion, Disagreement, LEVEL, judge};
pub use model::{Target, TargetError};
pub use recording::{Fate, Recording};
pub use steps::{CellSteps, StepsError, StepsRecording, predict_steps};
