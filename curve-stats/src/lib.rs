//! Pure statistics: estimators and their intervals, least squares, the complexity class of a curve, tests of whether two sets of
//! trials differ, and what to be warned of in one. No I/O, no unsafe.
//!
//! The unit of every statistic is the trial: packets within one trial are autocorrelated, trials are not. [`fit`] takes one
//! value per trial (its median) and says whether the curve is constant or linear in the number of services.

mod class;
mod error;
mod estimate;
mod interval;
mod multiple;
mod ranks;
mod ratio;
mod regression;
mod screen;

pub use class::{Class, Fit, FitNote, TOLERANCE, fit};
pub use error::StatsError;
pub use estimate::{median, quantile};
pub use interval::{FEWEST, LEVEL, Spread, spread};
pub use multiple::holm;
pub use ranks::{EXACT_MANN_WHITNEY, EXACT_SIGNED_RANK, mann_whitney, signed_rank, smallest_mann_whitney};
pub use ratio::{MOST_PAIRS, RatioEstimate, geometric_mean, paired_ratio, ratio};
pub use regression::{Line, Observation};
pub use screen::{Drift, FEWEST_TO_SCREEN, OUTLIER_DEVIATIONS, drift, fence, outliers};
