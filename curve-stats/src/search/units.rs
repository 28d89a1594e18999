//! Rates, ratios and widths, each checked where it is made.

use std::fmt;

use super::InputError;

/// A rate of packets: a load that is to be offered, or what was forwarded of it. Packets a second, finite, zero or more.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct PacketsPerSecond(pub(super) f64);

impl PacketsPerSecond {
    /// A rate.
    ///
    /// # Errors
    /// `value` is negative, infinite or NaN.
    pub fn new(value: f64) -> Result<Self, InputError> {
        if value.is_finite() && value >= 0.0 { Ok(Self(value)) } else { Err(InputError::NotARate { value }) }
    }

    /// Packets a second.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for PacketsPerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} packets/s", self.0)
    }
}

/// A share: 0 to 1, both included.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Ratio(pub(super) f64);

impl Ratio {
    /// Nothing.
    pub const ZERO: Self = Self(0.0);

    /// A share.
    ///
    /// # Errors
    /// `value` is outside 0..=1, or NaN.
    pub fn new(value: f64) -> Result<Self, InputError> {
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(InputError::NotARatio { value }) }
    }

    /// The share, 0 to 1.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

/// Distance of two loads as a share of the larger (section 4.6.5 recommends a relative one): above 0, below 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Width(pub(super) f64);

impl Width {
    /// A relative width.
    ///
    /// # Errors
    /// `value` is zero or less, 1 or more, or NaN.
    pub fn new(value: f64) -> Result<Self, InputError> {
        if value > 0.0 && value < 1.0 { Ok(Self(value)) } else { Err(InputError::NotAWidth { value }) }
    }

    /// The distance as a share of the larger load.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}
