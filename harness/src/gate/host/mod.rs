//! The host's gate: two builds of lbcurve measured turn by turn in one run.
//!
//! Both sides are executables that are asked alike: a [`VisitJob`] on standard input, records as JSON lines on standard output
//! (`lbcurve visit`). [`plan`] says who is asked what and when, [`execute`](execute()) asks, [`judge`](judge()) compares the pairs of
//! rounds. Separate runs cannot tell a change of 10% from the drift of a machine; METHODOLOGY.md ("Gate on the host") has figures.

mod execute;
mod job;
mod judge;
pub mod plan;
mod side;

pub use execute::{Duel, DuelError, execute};
pub use job::{Hello, JobError, PROTOCOL, VisitJob, serve};
pub use judge::{FLOOR, TOO_WIDE, judge, pairs};
pub use side::{Executable, Side, SideError};
