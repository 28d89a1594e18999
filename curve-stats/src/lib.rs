//! Pure statistics: estimators, least squares and the complexity class of a curve. No I/O, no unsafe.
//!
//! The unit of every statistic is the trial: packets within one trial are autocorrelated, trials are not. [`fit`] takes one
//! value per trial (its median) and says whether the curve is constant or linear in the number of services.

mod class;
mod error;
mod estimate;
mod regression;

pub use class::{Class, Fit, FitNote, TOLERANCE, fit};
pub use error::StatsError;
pub use estimate::{median, quantile};
pub use regression::{Line, Observation};
