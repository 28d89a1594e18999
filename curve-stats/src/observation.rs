//! What a fit is made of: one value a trial, and how well such a value can be known at all.

use serde::{Deserialize, Serialize};

use crate::StatsError;

/// One trial: its N and its value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// N, the number of services.
    pub services: u32,
    /// The trial's value (its median), in the curve's unit.
    pub value: f64,
}

/// Relative error of a cell that its trials do not show, however many they are.
///
/// A deterministic vm repeats itself, yet another seed, memory size or kernel command line moves a median: that error belongs to the
/// cell and does not average out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NoiseFloor(pub f64);

impl NoiseFloor {
    /// The trials show all the noise there is: real time.
    pub const NONE: Self = Self(0.0);

    pub(crate) fn share(self) -> Result<f64, StatsError> {
        let Self(floor) = self;
        if floor.is_finite() && floor >= 0.0 { Ok(floor) } else { Err(StatsError::Floor { floor }) }
    }
}
