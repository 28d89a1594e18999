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
    /// What a [`NoiseFloor`] is a share of, where that is not the value itself: see [`Observation::difference`].
    #[serde(default)]
    pub scale: Option<f64>,
}

impl Observation {
    /// A value that was measured as it is: a floor is a share of it.
    #[must_use]
    pub fn new(services: u32, value: f64) -> Self {
        Self { services, value, scale: None }
    }

    /// A value that is the difference of two measured ones. Each has the floor's error, and subtracting adds the errors up, however
    /// little is left: a floor is a share of both, by the root of their squares.
    #[must_use]
    pub fn difference(services: u32, minuend: f64, subtrahend: f64) -> Self {
        Self { services, value: minuend - subtrahend, scale: Some(minuend.hypot(subtrahend)) }
    }
}

/// Relative error (a standard deviation) of a cell that its trials do not show, however many they are.
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
