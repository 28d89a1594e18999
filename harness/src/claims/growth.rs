//! How a fit's classes bear on a claim of O(1) or O(n).

use curve_stats::{Class, Fit};

/// What the classes of a fit say of growth in N.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Growth {
    /// Constant is among the classes: no growth is shown.
    Flat,
    /// Slower than linear for certain.
    Sublinear,
    /// Linear is among the classes, from the first N on.
    Linear,
    /// Flat up to this N, linear beyond.
    Knee(f64),
    /// Faster than linear for certain.
    Superlinear,
    /// The trials do not decide; why.
    Undecided(String),
}

impl Growth {
    pub(super) fn of(fit: &Fit) -> Self {
        let has = |class| fit.classes.contains(&class);
        if fit.classes.is_empty() {
            let notes: Vec<_> = fit.notes.iter().map(ToString::to_string).collect();
            return Self::Undecided(if notes.is_empty() { "no class fits".to_owned() } else { notes.join("; ") });
        }
        if has(Class::Constant) {
            return Self::Flat;
        }
        if has(Class::Linear) {
            return Self::Linear;
        }
        let bend = fit.models.iter().find(|model| fit.classes.contains(&model.class) && model.knee.is_some());
        if let Some(knee) = bend.and_then(|model| model.knee) {
            return Self::Knee(knee);
        }
        match fit.models.iter().find(|model| model.class == Class::Power).filter(|_| has(Class::Power)) {
            Some(power) => power_law(power.exponent, power.exponent_ci95),
            None if has(Class::LinearLogarithmic) && !has(Class::Logarithmic) => Self::Superlinear,
            None => Self::Sublinear,
        }
    }
}

/// By the interval of the exponent, or where there is none by the exponent.
fn power_law(exponent: Option<f64>, interval: Option<[f64; 2]>) -> Growth {
    let Some([low, high]) = interval.or(exponent.map(|exponent| [exponent, exponent])) else {
        return Growth::Undecided("a power without exponent".to_owned());
    };
    match (low > 1.0, high < 1.0) {
        (true, _) => Growth::Superlinear,
        (_, true) => Growth::Sublinear,
        _ => Growth::Linear,
    }
}

#[cfg(test)]
mod tests {
    use curve_stats::{FitNote, NoiseFloor, Observation, fit};

    use super::*;

    fn growth(at: impl Fn(f64) -> f64) -> Growth {
        let sizes = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000];
        let value = |services: u32, index: u32| at(f64::from(services)) * (1.0 + 0.0004 * f64::from(index));
        let trials: Vec<_> = sizes
            .iter()
            .flat_map(|&services| (0..5).map(move |index| (services, index)))
            .map(|(services, index)| Observation { services, value: value(services, index) })
            .collect();
        Growth::of(&fit(&trials, NoiseFloor(0.005)).unwrap())
    }

    #[test]
    fn growth_of_known_functions() {
        assert_eq!(growth(|_| 4600.0), Growth::Flat);
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
}
