//! Numbers as a reader wants them: three or four significant digits, grouped thousands.

use curve_stats::Fit;

use crate::result::Unit;

/// Where a number is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// Narrow no-break spaces between thousands, a true minus sign.
    Html,
    /// ASCII only.
    Terminal,
}

/// Shown for what is not a number.
const NONE: &str = "n/a";

impl Medium {
    fn separator(self) -> char {
        match self {
            Self::Html => '\u{202f}',
            Self::Terminal => ',',
        }
    }

    fn minus(self) -> char {
        match self {
            Self::Html => '\u{2212}',
            Self::Terminal => '-',
        }
    }
}

/// A measured value: instructions in full, for they are exact; nanoseconds to four significant digits.
#[must_use]
pub fn value(value: f64, unit: Unit, medium: Medium) -> String {
    match unit {
        unit if unit.is_counted() && (100.0..1e15).contains(&value.abs()) => fixed(value, 0, medium),
        _ => significant(value, 4, medium),
    }
}

/// `digits` significant digits, without trailing zeros after the point; scientific notation far from 1.
#[must_use]
pub fn significant(value: f64, digits: usize, medium: Medium) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e15).contains(&value.abs()) {
        return scientific(value, digits, medium);
    }
    let decimals = digits as i32 - 1 - magnitude(value);
    let factor = 10_f64.powi(decimals);
    let text = fixed((value * factor).round() / factor, usize::try_from(decimals).unwrap_or(0), medium);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A count, grouped.
#[must_use]
pub fn count(value: u64, medium: Medium) -> String {
    group(&value.to_string(), medium)
}

/// Slope and its interval: three significant digits of the slope, but between one and two of the half-width, so that a slope of
/// nothing is not written as a string of noise: `26.0 [25.8, 26.2]`, `0.09 [-0.03, 0.20]`.
#[must_use]
pub fn slope(fit: &Fit, medium: Medium) -> String {
    let Some(slope) = fit.slope_per_service.filter(|slope| slope.is_finite()) else {
        return NONE.to_owned();
    };
    let Some([low, high]) = fit.slope_ci95 else {
        return significant(slope, 3, medium);
    };
    let half = (high - low) / 2.0;
    let decimals = decimals(slope, 2).min(if half == 0.0 { 6 } else { decimals(half, 1) }).max(decimals(half, 0));
    let show = |value: f64| with_decimals(value, decimals, medium);
    format!("{} [{}, {}]", show(slope), show(low), show(high))
}

/// `N = 1 000`, not to be broken over lines.
#[must_use]
pub fn size(services: u32) -> String {
    format!("N\u{a0}=\u{a0}{}", count(u64::from(services), Medium::Html))
}

/// A share of a whole in per cent: `42%`.
#[must_use]
pub fn share(part: f64, whole: f64) -> String {
    let percent = 100.0 * part / whole;
    if percent.is_finite() { format!("{percent:.0}%") } else { NONE.to_owned() }
}

/// A share in per cent with two decimals: `0.31%`.
#[must_use]
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.2}%", 100.0 * share) } else { NONE.to_owned() }
}

/// R^2 with five decimals, cut off and not rounded: only what is 1 is written as 1.
#[must_use]
pub fn r_squared(value: f64) -> String {
    if value.is_finite() { format!("{:.5}", (value * 1e5).floor() / 1e5) } else { NONE.to_owned() }
}

/// A duration: instructions and steps in full, nanoseconds in the largest of s, ms, us that leaves at least 1.
#[must_use]
pub fn duration(total: f64, unit: Unit, medium: Medium) -> String {
    if unit.is_counted() {
        return value(total, unit, medium);
    }
    let (divisor, suffix) = match total.abs() {
        t if t >= 1e9 => (1e9, "s"),
        t if t >= 1e6 => (1e6, "ms"),
        t if t >= 1e3 && medium == Medium::Html => (1e3, "\u{b5}s"),
        t if t >= 1e3 => (1e3, "us"),
        _ => (1.0, "ns"),
    };
    let space = if medium == Medium::Html { '\u{a0}' } else { ' ' };
    format!("{}{space}{suffix}", significant(total / divisor, 4, medium))
}

/// Exponent of the leading digit.
fn magnitude(value: f64) -> i32 {
    value.abs().log10().floor() as i32
}

/// Decimals that show the leading digit of `value` and `more` digits after it; at most six.
fn decimals(value: f64, more: i32) -> usize {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    usize::try_from(more - magnitude(value)).unwrap_or(0).min(6)
}

fn with_decimals(value: f64, decimals: usize, medium: Medium) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    if value.abs() >= 1e15 { scientific(value, 4, medium) } else { fixed(value, decimals, medium) }
}

fn scientific(value: f64, digits: usize, medium: Medium) -> String {
    format!("{value:.*e}", digits.saturating_sub(1)).replace('-', &medium.minus().to_string())
}

fn fixed(value: f64, decimals: usize, medium: Medium) -> String {
    let text = format!("{:.decimals$}", value.abs());
    // "-0.0" says nothing that "0.0" does not.
    let negative = value < 0.0 && text.bytes().any(|byte| byte.is_ascii_digit() && byte != b'0');
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let mut shown = String::new();
    if negative {
        shown.push(medium.minus());
    }
    shown.push_str(&group(whole, medium));
    if let Some(fraction) = fraction {
        shown.push('.');
        shown.push_str(fraction);
    }
    shown
}

fn group(digits: &str, medium: Medium) -> String {
    let mut grouped = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(medium.separator());
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use curve_stats::Class;
    use proptest::prelude::*;

    use super::*;

    fn fit(slope: f64, ci95: [f64; 2]) -> Fit {
        let (slope_per_service, slope_ci95) = (Some(slope), Some(ci95));
        Fit { classes: vec![Class::Linear], slope_per_service, slope_ci95, ..Fit::default() }
    }

    #[test]
    fn values_have_the_digits_of_their_unit() {
        assert_eq!(value(267_796.0, Unit::Instructions, Medium::Terminal), "267,796");
        assert_eq!(value(267_796.0, Unit::Ns, Medium::Terminal), "267,800");
        assert_eq!(value(-2167.0, Unit::Instructions, Medium::Html), "\u{2212}2\u{202f}167");
        assert_eq!(value(40.5, Unit::Ns, Medium::Terminal), "40.5");
        assert_eq!(value(f64::NAN, Unit::Ns, Medium::Terminal), "n/a");
        assert_eq!(significant(0.00123456, 3, Medium::Terminal), "0.00123");
        assert_eq!(significant(9999.6, 4, Medium::Terminal), "10,000");
        assert_eq!(significant(1.5e-9, 3, Medium::Terminal), "1.50e-9");
    }

    #[test]
    fn slopes_show_what_their_interval_supports() {
        assert_eq!(slope(&fit(26.004, [25.81, 26.198]), Medium::Terminal), "26.0 [25.8, 26.2]");
        assert_eq!(slope(&fit(0.0878, [-0.0281, 0.2037]), Medium::Terminal), "0.09 [-0.03, 0.20]");
        assert_eq!(slope(&fit(26.0, [26.0, 26.0]), Medium::Terminal), "26.0 [26.0, 26.0]");
        assert_eq!(slope(&fit(0.0, [0.0, 0.0]), Medium::Terminal), "0 [0, 0]");
        assert_eq!(slope(&fit(0.000_141, [-0.002_044, 0.002_326]), Medium::Terminal), "0.0001 [-0.0020, 0.0023]");
    }

    #[test]
    fn durations_choose_their_unit() {
        assert_eq!(duration(1_234_567_890.0, Unit::Ns, Medium::Terminal), "1.235 s");
        assert_eq!(duration(45_600_000.0, Unit::Ns, Medium::Terminal), "45.6 ms");
        assert_eq!(duration(45_600_000.0, Unit::Instructions, Medium::Terminal), "45,600,000");
        assert_eq!(share(1.0, 3.0), "33%");
        assert_eq!(share(0.0, 0.0), "n/a");
    }

    proptest! {
        #[test]
        fn every_number_has_a_text(bits in any::<f64>(), low in any::<f64>(), high in any::<f64>()) {
            for medium in [Medium::Html, Medium::Terminal] {
                for unit in [Unit::Ns, Unit::Instructions, Unit::Steps] {
                    prop_assert!(!value(bits, unit, medium).is_empty());
                    prop_assert!(!duration(bits, unit, medium).contains("NaN"));
                }
                let text = slope(&fit(bits, [low, high]), medium);
                prop_assert!(!text.contains("NaN") && !text.contains("inf") && text.len() < 120, "{}", text);
            }
        }

        #[test]
        fn four_digits_are_within_a_rounding_of_the_value(number in 1e-3..1e12_f64) {
            let text = significant(number, 4, Medium::Terminal).replace(',', "");
            let back: f64 = text.parse().unwrap();
            prop_assert!((back - number).abs() <= number * 5.001e-4);
        }
    }
}
