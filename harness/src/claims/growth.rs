//! How a fit's classes bear on a claim of O(1) or O(n).

use curve_stats::{Class, Fit, FitNote};

/// What the classes of a fit say of growth in N.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Growth {
    /// Constant alone: growth of a tenth is excluded.
    Flat,
    /// It falls by a tenth or more: no growth, and no class of it.
    Falls,
    /// Slower than linear for certain.
    Sublinear,
    /// Linear; or linear or n log n, which over a range of N that is measured may be alike.
    Linear,
    /// Flat up to this N, linear beyond.
    Knee(f64),
    /// Faster than linear for certain.
    Superlinear,
    /// It grows for certain, but the trials do not tell how.
    Grows,
    /// The trials do not tell whether it grows; why.
    Undecided(String),
}

impl Growth {
    pub(super) fn of(fit: &Fit) -> Self {
        let has = |class| fit.classes.contains(&class);
        let noted = || fit.notes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        if fit.notes.contains(&FitNote::Falls) {
            return Self::Falls;
        }
        if fit.classes.is_empty() {
            let notes = noted();
            return Self::Undecided(if notes.is_empty() { "no class fits".to_owned() } else { notes });
        }
        if fit.notes.contains(&FitNote::GrowthUndecided) || (has(Class::Constant) && !fit.is(Class::Constant)) {
            return Self::Undecided(format!("{} ({})", fit.label(), FitNote::GrowthUndecided));
        }
        match fit.classes[..] {
            [Class::Constant] => Self::Flat,
            [Class::Logarithmic] => Self::Sublinear,
            [Class::Linear] | [Class::Linear, Class::LinearLogarithmic] => Self::Linear,
            [Class::LinearLogarithmic] => Self::Superlinear,
            [Class::Piecewise] => fit.model().and_then(|model| model.knee).map_or(Self::Grows, Self::Knee),
            [Class::Power] => fit.model().map_or(Self::Grows, |power| power_law(power.exponent_ci95)),
            _ => Self::Grows,
        }
    }
}

/// By the interval of the exponent.
fn power_law(interval: Option<[f64; 2]>) -> Growth {
    match interval {
        Some([low, _]) if low > 1.0 => Growth::Superlinear,
        Some([_, high]) if high < 1.0 => Growth::Sublinear,
        _ => Growth::Grows,
    }
}

#[cfg(test)]
mod tests {
    use curve_stats::{NoiseFloor, Observation, fit};

    use super::*;

    fn growth(at: impl Fn(f64) -> f64) -> Growth {
        let sizes = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000];
        let value = |services: u32, index: u32| at(f64::from(services)) * (1.0 + 0.0004 * f64::from(index));
        let trials: Vec<_> = sizes
            .iter()
            .flat_map(|&services| (0..5).map(move |index| (services, index)))
            .map(|(services, index)| Observation::new(services, value(services, index)))
            .collect();
        Growth::of(&fit(&trials, NoiseFloor(0.005)).unwrap())
    }

    #[test]
    fn growth_of_known_functions() {
        assert_eq!(growth(|_| 4600.0), Growth::Flat);
        assert_eq!(growth(|n| 4600.0 - 0.2 * n), Growth::Falls);
        assert_eq!(growth(|n| 4600.0 + 26.0 * n), Growth::Linear);
        assert_eq!(growth(|n| 4600.0 + 900.0 * n.log2()), Growth::Sublinear);
        assert_eq!(growth(|n| 4600.0 + 2.0 * n * n.max(1.0).log2().powi(2)), Growth::Superlinear);
        assert!(
            matches!(growth(|n| 4600.0 + 13.0 * (n - 1000.0).max(0.0)), Growth::Knee(knee) if (900.0..1100.0).contains(&knee))
        );
    }

    #[test]
    fn no_class_is_no_verdict() {
        let fit = Fit { notes: vec![FitNote::TwoSizes], ..Fit::default() };
        assert!(matches!(Growth::of(&fit), Growth::Undecided(why) if why.contains("two N")));
    }

    #[test]
    fn a_tie_with_constant_is_neither_flat_nor_growth() {
        let of = |classes: &[Class], notes: Vec<FitNote>| {
            Growth::of(&Fit { classes: classes.to_vec(), notes, ..Fit::default() })
        };
        let undecided = |growth| matches!(growth, Growth::Undecided(why) if why.contains("too noisy"));
        assert!(undecided(of(&[Class::Constant, Class::Linear], vec![FitNote::GrowthUndecided])));
        assert!(undecided(of(&[Class::Constant, Class::Logarithmic], vec![])));
        assert!(undecided(of(&[Class::Linear], vec![FitNote::GrowthUndecided])));
        assert_eq!(of(&[Class::Constant], vec![FitNote::SmallGrowth]), Growth::Flat);
        assert_eq!(of(&[Class::Linear, Class::LinearLogarithmic], vec![]), Growth::Linear);
        assert_eq!(of(&[Class::Logarithmic, Class::Linear], vec![]), Growth::Grows);
        assert_eq!(of(&[Class::Power, Class::Piecewise], vec![]), Growth::Grows);
        assert_eq!(power_law(Some([0.9, 1.1])), Growth::Grows);
    }
}
