//! The loads that trials may have: geometric steps from Min Load to Max Load, both included.
//!
//! Goals meet at the same loads that way, loads compare exactly, and a width is a number of steps.

use super::{InputError, PacketsPerSecond, Width};

/// Steps that the narrowest goal width has at least, so that a wider one is met nearly to the full too.
const STEPS_A_WIDTH: f64 = 4.0;

/// Widths that are a whole number of steps must not become one less by rounding.
const ROUNDING: f64 = 1e-9;

/// Loads by index: 0 is Min Load, `last` is Max Load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Grid {
    min: PacketsPerSecond,
    max: PacketsPerSecond,
    last: u32,
    /// Natural logarithm of the ratio of two neighbours.
    step: f64,
}

impl Grid {
    pub(super) fn new(min: PacketsPerSecond, max: PacketsPerSecond, narrowest: Width) -> Result<Self, InputError> {
        let range = (max.0 / min.0).ln();
        let steps = (range / (log_width(narrowest) / STEPS_A_WIDTH)).ceil();
        if steps >= f64::from(u32::MAX) {
            return Err(InputError::TooFine { width: narrowest.0, min, max });
        }
        let last = steps as u32;
        Ok(Self { min, max, last, step: range / f64::from(last) })
    }

    pub(super) fn last(&self) -> u32 {
        self.last
    }

    pub(super) fn load(&self, index: u32) -> PacketsPerSecond {
        match index {
            0 => self.min,
            index if index == self.last => self.max,
            index => PacketsPerSecond(self.min.0 * (f64::from(index) * self.step).exp()),
        }
    }

    /// The largest load that is not above `rate`, Min Load where all are.
    pub(super) fn at_most(&self, rate: f64) -> u32 {
        let steps = (rate / self.min.0).ln() / self.step;
        ((steps + ROUNDING).max(0.0) as u32).min(self.last)
    }

    /// The steps of a width, one at least.
    pub(super) fn steps(&self, width: Width) -> u32 {
        ((log_width(width) / self.step + ROUNDING) as u32).max(1)
    }
}

fn log_width(width: Width) -> f64 {
    -(-width.0).ln_1p()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn steps_of_a_width_are_within_it_and_ends_are_exact(
            min in 1.0..1e6_f64, factor in 1.001..1e6_f64, narrow in 1e-4..0.2_f64, times in 1.0..20.0_f64,
        ) {
            let (min, max) = (PacketsPerSecond(min), PacketsPerSecond(min * factor));
            let wide = Width((narrow * times).min(0.9));
            let grid = Grid::new(min, max, Width(narrow)).unwrap();
            prop_assert_eq!((grid.load(0), grid.load(grid.last())), (min, max));
            for width in [Width(narrow), wide] {
                let steps = grid.steps(width).min(grid.last());
                let (low, high) = (grid.load(grid.last() - steps).get(), max.get());
                prop_assert!(grid.last() < 4 || (high - low) / high <= width.get() * (1.0 + 1e-6), "{low} {high}");
            }
            for index in [0, grid.last() / 2, grid.last()] {
                prop_assert_eq!(grid.at_most(grid.load(index).get()), index);
            }
        }
    }

    #[test]
    fn rates_beyond_the_ends_are_the_ends() {
        let grid = Grid::new(PacketsPerSecond(1e3), PacketsPerSecond(1e6), Width(0.005)).unwrap();
        assert_eq!((grid.at_most(0.0), grid.at_most(10.0), grid.at_most(1e9)), (0, 0, grid.last()));
    }
}
