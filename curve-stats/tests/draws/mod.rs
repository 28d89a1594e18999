#![allow(dead_code, clippy::allow_attributes, reason = "each of the tests and benches that include this uses a part")]
//! Curves of known class with noise of known kind. The tests assert what the bench `classes` prints.

use curve_stats::{Class, Observation};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// 9 log-spaced N.
pub(crate) const SIZES: [u32; 9] = [1, 3, 10, 32, 100, 316, 1000, 3162, 10_000];

/// Trials of each N.
pub(crate) const TRIALS: u32 = 10;

/// A mean function.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Truth {
    /// What it is called in a table.
    pub(crate) name: &'static str,
    /// Its class.
    pub(crate) class: Class,
    /// Value at N = 1.
    pub(crate) start: f64,
    /// Value at N = 10,000 over that at N = 1.
    pub(crate) growth: f64,
    /// Exponent or knee.
    pub(crate) bend: f64,
}

impl Truth {
    /// The mean at N.
    pub(crate) fn mean(&self, services: u32) -> f64 {
        let (low, top) = (self.basis(1.0), self.basis(10_000.0));
        if self.class == Class::Constant {
            return self.start;
        }
        self.start * (1.0 + (self.growth - 1.0) * (self.basis(f64::from(services)) - low) / (top - low))
    }

    /// The slope of a linear curve.
    pub(crate) fn slope(&self) -> f64 {
        self.start * (self.growth - 1.0) / (10_000.0 - 1.0)
    }

    fn basis(&self, services: f64) -> f64 {
        match self.class {
            Class::Constant => 0.0,
            Class::Logarithmic => services.log2(),
            Class::Linear => services,
            Class::LinearLogarithmic => services * services.log2(),
            Class::Power => services.powf(self.bend),
            Class::Piecewise => (services - self.bend).max(0.0),
        }
    }
}

const fn truth(name: &'static str, class: Class, growth: f64, bend: f64) -> Truth {
    Truth { name, class, start: 7800.0, growth, bend }
}

/// One of each class; those that grow grow 10-fold.
pub(crate) const TRUTHS: [Truth; 7] = [
    truth("constant", Class::Constant, 1.0, 0.0),
    truth("logarithmic", Class::Logarithmic, 10.0, 0.0),
    truth("linear", Class::Linear, 10.0, 0.0),
    truth("n log n", Class::LinearLogarithmic, 10.0, 0.0),
    truth("power 1/2", Class::Power, 10.0, 0.5),
    truth("power 2", Class::Power, 10.0, 2.0),
    truth("piecewise 1000", Class::Piecewise, 10.0, 1000.0),
];

/// How a trial misses the mean.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Noise {
    /// Standard deviation is this share of the mean.
    Relative(f64),
    /// Standard deviation is this share of the mean at N = 1, at every N.
    Absolute(f64),
    /// A share of the mean that differs from N to N by a factor of up to 3 either way.
    Uneven(f64),
    /// Relative, and every trial 1% of the mean above the one before, right on average: all N of a round drift alike.
    Drifting(f64),
    /// All trials of an N miss its mean by the same draw of this share, as those of a deterministic vm.
    Cell(f64),
    /// Relative, and one trial in twenty takes twice as long.
    Outliers(f64),
}

/// A standard normal draw (Box-Muller).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// One measured curve.
pub(crate) fn draw(seed: u64, truth: &Truth, noise: Noise, sizes: &[u32], trials: u32) -> Vec<Observation> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut observations = Vec::new();
    for &services in sizes {
        let mean = truth.mean(services);
        let of_cell = normal(&mut rng);
        let uneven = 9.0_f64.powf(rng.random::<f64>() - 0.5);
        for trial in 0..trials {
            let value = match noise {
                Noise::Relative(share) => mean * (1.0 + share * normal(&mut rng)),
                Noise::Cell(share) => mean * (1.0 + share * of_cell),
                Noise::Absolute(share) => mean + truth.start * share * normal(&mut rng),
                Noise::Uneven(share) => mean * (1.0 + uneven * share * normal(&mut rng)),
                Noise::Drifting(share) => {
                    mean * (1.0 + 0.01 * (f64::from(trial) - f64::from(trials - 1) / 2.0) + share * normal(&mut rng))
                }
                Noise::Outliers(share) => {
                    let factor = if rng.random::<f64>() < 0.05 { 2.0 } else { 1.0 };
                    mean * factor * (1.0 + share * normal(&mut rng))
                }
            };
            observations.push(Observation::new(services, value));
        }
    }
    observations
}
