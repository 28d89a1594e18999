//! Complexity classes, and the fitted function of each.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Complexity class of a curve over N, simplest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// `a`; growth below [`crate::LEAST_GROWTH`] counts as none.
    Constant,
    /// `a + b log2(N)`.
    Logarithmic,
    /// `a + b N`.
    Linear,
    /// `a + b N log2(N)`.
    LinearLogarithmic,
    /// `a + b N^c`.
    Power,
    /// `a` up to a knee, then `a + b (N - knee)`.
    Piecewise,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 6] =
        [Self::Constant, Self::Logarithmic, Self::Linear, Self::LinearLogarithmic, Self::Power, Self::Piecewise];

    /// How many parameters its function has.
    pub(crate) fn parameters(self) -> usize {
        match self {
            Self::Constant => 1,
            Self::Logarithmic | Self::Linear | Self::LinearLogarithmic => 2,
            Self::Power | Self::Piecewise => 3,
        }
    }

    /// The function that the coefficient multiplies; `bend` is the exponent or the knee.
    pub(crate) fn basis(self, services: f64, bend: f64) -> f64 {
        match self {
            Self::Constant => 0.0,
            // N = 0 is not measured; it must not make an infinity.
            Self::Logarithmic => services.max(1.0).log2(),
            Self::Linear => services,
            Self::LinearLogarithmic => services * services.max(1.0).log2(),
            Self::Power => services.powf(bend),
            Self::Piecewise => (services - bend).max(0.0),
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Constant => "constant",
            Self::Logarithmic => "logarithmic",
            Self::Linear => "linear",
            Self::LinearLogarithmic => "n log n",
            Self::Power => "power",
            Self::Piecewise => "piecewise",
        })
    }
}

/// One class fitted to a curve. Parameters that its function does not have are absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Model {
    /// The class.
    pub class: Class,
    /// BIC above that of the curve's best candidate.
    pub delta_bic: f64,
    /// `a`.
    pub intercept: f64,
    /// `b`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coefficient: Option<f64>,
    /// `c` of a power.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exponent: Option<f64>,
    /// 95% interval of the exponent (profile likelihood); absent where it leaves the range that is searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exponent_ci95: Option<[f64; 2]>,
    /// The N up to which a piecewise curve is flat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knee: Option<f64>,
    /// 95% interval of the knee (profile likelihood); absent where it leaves the measured range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knee_ci95: Option<[f64; 2]>,
    /// Probability of residuals this large if the class were true (lack of fit against the replicate error); absent where there is
    /// no replicate error, or no degree of freedom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lack_of_fit: Option<f64>,
}

impl Model {
    /// The fitted value at N.
    #[must_use]
    pub fn predict(&self, services: f64) -> f64 {
        let bend = self.exponent.or(self.knee).unwrap_or_default();
        self.intercept + self.coefficient.unwrap_or_default() * self.class.basis(services, bend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(class: Class, bend: Option<f64>) -> Model {
        let (exponent, knee) = match class {
            Class::Power => (bend, None),
            Class::Piecewise => (None, bend),
            _ => (None, None),
        };
        let coefficient = (class != Class::Constant).then_some(2.0);
        let (exponent_ci95, knee_ci95, lack_of_fit) = (None, None, None);
        Model {
            class,
            delta_bic: 0.0,
            intercept: 5.0,
            coefficient,
            exponent,
            exponent_ci95,
            knee,
            knee_ci95,
            lack_of_fit,
        }
    }

    #[test]
    fn each_function_is_the_one_its_class_names() {
        let at = |class, bend, services| model(class, bend).predict(services);
        assert_eq!(at(Class::Constant, None, 16.0), 5.0);
        assert_eq!(at(Class::Logarithmic, None, 16.0), 13.0);
        assert_eq!(at(Class::Linear, None, 16.0), 37.0);
        assert_eq!(at(Class::LinearLogarithmic, None, 16.0), 133.0);
        assert_eq!(at(Class::Power, Some(0.5), 16.0), 13.0);
        assert_eq!(at(Class::Piecewise, Some(10.0), 16.0), 17.0);
        assert_eq!(at(Class::Piecewise, Some(10.0), 9.0), 5.0);
    }

    #[test]
    fn names_are_those_of_the_reports_and_the_files() {
        let shown: Vec<_> = Class::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["constant", "logarithmic", "linear", "n log n", "power", "piecewise"]);
        assert!(Class::ALL.is_sorted_by_key(|class| class.parameters()));
    }
}
