//! Axes: logarithmic, or symmetric-logarithmic when a value is zero or negative.

use crate::report::number::{Medium, significant};

/// Magnitudes that a plot shows; what is outside is left to the table.
const PLOTTABLE: std::ops::RangeInclusive<f64> = 1e-9..=1e18;

/// Decades that a symmetric axis shows on each side of zero.
const SYMMETRIC_DECADES: i32 = 4;

/// How values become positions.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Transform {
    /// `log10(v)`.
    Log,
    /// `sign(v) * log10(1 + |v| / threshold)`: linear near zero.
    Symmetric { threshold: f64 },
}

/// One axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    transform: Transform,
    low: f64,
    high: f64,
}

/// A tick and its text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// From 0 (low end) to 1.
    pub(super) at: f64,
    /// Text.
    pub(super) label: String,
}

/// Whether a logarithmic axis can show a value.
pub(super) fn is_logarithmic(value: f64) -> bool {
    PLOTTABLE.contains(&value)
}

/// Whether any axis can show a value.
pub(super) fn is_plottable(value: f64) -> bool {
    value == 0.0 || PLOTTABLE.contains(&value.abs())
}

impl Transform {
    fn apply(self, value: f64) -> f64 {
        match self {
            Self::Log => value.log10(),
            Self::Symmetric { threshold } => value.signum() * (1.0 + value.abs() / threshold).log10(),
        }
    }
}

impl Scale {
    /// A horizontal axis: logarithmic, with the measured range as its ends.
    pub(super) fn across(values: impl Iterator<Item = f64>) -> Option<Self> {
        let (low, high) = extremes(values)?;
        let (low, high) = if low < high { (low, high) } else { (low / 2.0, high * 2.0) };
        Some(Self { transform: Transform::Log, low, high })
    }

    /// An axis of values: logarithmic where all are positive, else symmetric; its ends are round numbers. A symmetric one is linear
    /// up to the decade of the smallest of `medians`: an end of a band that happens to be near zero must not stretch it.
    pub(super) fn values(values: impl Iterator<Item = f64>, medians: impl Iterator<Item = f64>) -> Option<Self> {
        let (low, high) = extremes(values)?;
        if low > 0.0 {
            let (low, high) = (round_down(low), round_up(high));
            let high = if low < high { high } else { round_up(high * 1.5) };
            return Some(Self { transform: Transform::Log, low, high });
        }
        let largest = low.abs().max(high.abs());
        let smallest = medians.map(f64::abs).filter(|v| *v > 0.0).fold(largest, f64::min);
        let exponent = if largest > 0.0 { exponent(smallest).max(exponent(largest) - SYMMETRIC_DECADES) } else { 0 };
        let threshold = 10_f64.powi(exponent);
        let outward = |value: f64| if value == 0.0 { 0.0 } else { value.signum() * round_up(value.abs()) };
        let (low, high) = (outward(low), outward(high));
        let high = if low < high { high } else { high.max(0.0) + threshold };
        Some(Self { transform: Transform::Symmetric { threshold }, low, high })
    }

    /// Position of a value, 0 at the low end and 1 at the high end; clamped.
    pub(super) fn at(&self, value: f64) -> f64 {
        let [low, high, value] = [self.low, self.high, value].map(|v| self.transform.apply(v));
        ((value - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// Whether a value lies between the ends.
    pub(super) fn holds(&self, value: f64) -> bool {
        (self.low * 0.999_999..=self.high * 1.000_001).contains(&value)
    }

    /// Below this magnitude the axis is linear; `None` for a logarithmic axis.
    pub(super) fn threshold(&self) -> Option<f64> {
        match self.transform {
            Transform::Log => None,
            Transform::Symmetric { threshold } => Some(threshold),
        }
    }

    /// Ticks at powers of ten, with 2 and 5 between them where the axis is short.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        let inside = |value: &f64| self.holds(*value);
        let values: Vec<f64> = match self.transform {
            Transform::Log => log_ticks(self.low, self.high).into_iter().filter(inside).collect(),
            Transform::Symmetric { threshold } => symmetric_ticks(self.low, self.high, threshold),
        };
        values.into_iter().map(|value| Tick { at: self.at(value), label: tick_label(value) }).collect()
    }
}

fn extremes(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, value| {
        let (low, high) = range.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

fn exponent(value: f64) -> i32 {
    value.log10().floor() as i32
}

/// The largest of 1, 2, 5 times a power of ten that is not above a positive value.
fn round_down(value: f64) -> f64 {
    let decade = 10_f64.powi(exponent(value));
    [5.0, 2.0].into_iter().map(|step| step * decade).find(|round| *round <= value).unwrap_or(decade)
}

/// The smallest of 1, 2, 5 times a power of ten that is not below a positive value.
fn round_up(value: f64) -> f64 {
    let decade = 10_f64.powi(exponent(value));
    let steps = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * decade);
    steps.into_iter().find(|round| *round >= value * 0.999_999).unwrap_or(decade * 10.0)
}

fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let steps: &[f64] = if (high / low).log10() < 2.2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let decades = exponent(low)..=exponent(high);
    let stride = (decades.clone().count() / 7).max(1);
    decades.step_by(stride).flat_map(|decade| steps.iter().map(move |step| step * 10_f64.powi(decade))).collect()
}

fn symmetric_ticks(low: f64, high: f64, threshold: f64) -> Vec<f64> {
    let reach = exponent(low.abs().max(high.abs()));
    let first = exponent(threshold);
    // Two sides share the height of one: every second decade is enough when both are long.
    let stride = if low < 0.0 && high > 0.0 && reach - first > 2 { 2 } else { 1 };
    let decades = (first..=reach).rev().step_by(stride).map(|decade| 10_f64.powi(decade));
    let mut ticks: Vec<_> = decades.flat_map(|value| [value, -value]).collect();
    ticks.push(0.0);
    ticks.retain(|value| (low..=high).contains(value));
    ticks
}

/// `10 000`, `2 M`, `-0.05`.
fn tick_label(value: f64) -> String {
    let scales = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")];
    match scales.into_iter().find(|(scale, _)| value.abs() >= *scale) {
        Some((scale, suffix)) => format!("{}\u{202f}{suffix}", significant(value / scale, 3, Medium::Html)),
        None => significant(value, 3, Medium::Html),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(scale: Scale) -> Vec<String> {
        scale.ticks().into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn ends_are_round_and_ticks_inside() {
        let scale = Scale::values([4546.0, 267_796.0].into_iter(), [4546.0, 267_796.0].into_iter()).unwrap();
        assert_eq!((scale.low, scale.high), (2000.0, 500_000.0));
        assert_eq!(labels(scale), ["10\u{202f}000", "100\u{202f}000"]);
        let narrow = Scale::values([4546.0, 4719.0].into_iter(), [4546.0, 4719.0].into_iter()).unwrap();
        assert_eq!(labels(narrow), ["2\u{202f}000", "5\u{202f}000"]);
    }

    #[test]
    fn negative_values_make_the_axis_symmetric() {
        let scale =
            Scale::values([-2167.0, 0.0, 446.0, 229_000.0].into_iter(), [-2167.0, 0.0, 446.0, 229_000.0].into_iter())
                .unwrap();
        assert!(scale.threshold().is_some());
        assert!(scale.at(-2167.0) < scale.at(0.0) && scale.at(0.0) < scale.at(446.0));
        assert!(labels(scale).contains(&"0".to_owned()));
    }

    #[test]
    fn a_single_value_has_room_around_it() {
        for value in [1.0, 7.0, 0.0, -3.0] {
            let scale = Scale::values([value].into_iter(), [value].into_iter()).unwrap();
            assert!(scale.low < scale.high, "{value}");
            assert!(!scale.ticks().is_empty());
        }
        assert!(Scale::values(std::iter::empty(), std::iter::empty()).is_none());
    }

    proptest! {
        #[test]
        fn positions_are_ordered_and_inside(values in prop::collection::vec(any::<f64>().prop_filter("plottable", |v| is_plottable(*v)), 1..20)) {
            let scale = Scale::values(values.iter().copied(), values.iter().copied()).unwrap();
            let mut sorted = values;
            sorted.sort_by(f64::total_cmp);
            let positions: Vec<_> = sorted.iter().map(|v| scale.at(*v)).collect();
            prop_assert!(positions.iter().all(|p| (0.0..=1.0).contains(p)));
            prop_assert!(positions.is_sorted_by(|a, b| *a <= b + 1e-9));
            let ticks = scale.ticks();
            prop_assert!(ticks.len() < 40 && ticks.iter().all(|t| (0.0..=1.0).contains(&t.at)));
        }
    }
}
