//! Pure statistics: estimators and their intervals, fits and the complexity class of a curve, tests of whether two sets of
//! trials differ, and what to be warned of in one. No I/O, no unsafe.
//!
//! The unit of every statistic is the trial: packets within one trial are autocorrelated, trials are not. [`fit()`] takes one value per
//! trial (its median) and says which classes of growth in the number of services the trials support.

mod band;
mod candidate;
mod cells;
mod chi_square;
mod class;
mod crossover;
mod distribution;
mod error;
mod estimate;
mod fairness;
mod fit;
mod interval;
mod line;
mod multiple;
mod noise;
mod note;
mod observation;
mod order;
mod prediction;
mod profile;
mod ranks;
mod ratio;
mod screen;
pub mod search;
mod select;

pub use chi_square::{ChiSquare, chi_square, homogeneity, power};
pub use class::{Class, Model};
pub use crossover::{Crossover, NoCrossover, crossover, threshold};
pub use error::StatsError;
pub use estimate::{median, quantile};
pub use fairness::jain;
pub use fit::{Fit, fit};
pub use interval::{FEWEST, LEVEL, Spread, spread};
pub use line::{Line, line};
pub use multiple::holm;
pub use note::FitNote;
pub use observation::{NoiseFloor, Observation};
pub use prediction::{LEAST_R_SQUARED, MOST_LINE_MISS, MOST_MISS, Prediction, predict};
pub use ranks::{EXACT_MANN_WHITNEY, EXACT_SIGNED_RANK, mann_whitney, signed_rank, smallest_mann_whitney};
pub use ratio::{MOST_PAIRS, RatioEstimate, geometric_mean, paired_ratio, ratio};
pub use screen::{Drift, FEWEST_TO_SCREEN, OUTLIER_DEVIATIONS, drift, fence, outliers};
pub use select::{LEAST_GROWTH, MARGIN};
