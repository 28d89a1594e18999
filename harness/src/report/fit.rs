//! What a fit says, in words and as a line to draw.

use curve_stats::{Class, Fit};

use crate::result::Curve;

/// Steps of a fitted line over its range of N: enough to look smooth on a logarithmic axis.
const STEPS: u32 = 48;

/// The class in words.
pub(super) fn label(fit: &Fit) -> String {
    fit.label()
}

/// The fitted line over the measured N; empty where no class fits.
pub(super) fn line(curve: &Curve) -> Vec<(f64, f64)> {
    let (Some(first), Some(last)) = (curve.points.first(), curve.points.last()) else {
        return Vec::new();
    };
    between(&curve.fit, f64::from(first.services.max(1)), f64::from(last.services))
}

/// The fitted line over a range of N; empty where no class fits.
pub(super) fn between(fit: &Fit, low: f64, high: f64) -> Vec<(f64, f64)> {
    if low >= high {
        return Vec::new();
    }
    let at = |step: u32| low * (high / low).powf(f64::from(step) / f64::from(STEPS));
    let value = |services: f64| Some((services, fit.predict(services)?));
    (0..=STEPS).map(at).map(value).collect::<Option<_>>().unwrap_or_default()
}

/// Whether the class, as far as it is known, grows with N.
pub(super) fn grows(fit: &Fit) -> bool {
    fit.classes.first().is_some_and(|class| *class != Class::Constant)
}
