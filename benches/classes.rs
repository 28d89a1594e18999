//! How often the class selection is right on curves of known class: rates, confusion matrix, coverage of the slope's interval.
//!
//! `cargo bench -p lbcurve-benches --bench classes`. Nothing is timed and nothing is random: draw `i` has seed `i`.

#![expect(clippy::unwrap_used, reason = "the draws are finite")]

#[path = "../curve-stats/tests/draws/mod.rs"]
mod draws;

use std::collections::BTreeMap;

use curve_stats::{Class, Fit, NoiseFloor, fit};
use draws::{Noise, SIZES, TRIALS, TRUTHS, Truth, draw};

const DRAWS: u64 = 1000;

fn fits(truth: &Truth, noise: Noise, sizes: &[u32], trials: u32) -> Vec<Fit> {
    (0..DRAWS).map(|seed| fit(&draw(seed, truth, noise, sizes, trials), NoiseFloor::NONE).unwrap()).collect()
}

fn percent(part: usize) -> String {
    format!("{:.1}%", 100.0 * part as f64 / DRAWS as f64)
}

/// Labels that a truth was given, most frequent first.
fn labels(fits: &[Fit]) -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    fits.iter().for_each(|fit| *counts.entry(fit.label()).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let shown: Vec<_> = counts.iter().map(|(label, count)| format!("{label} {}", percent(*count))).collect();
    shown.join(", ")
}

fn table(title: &str, truths: &[Truth], noise: Noise, sizes: &[u32], trials: u32) {
    println!("\n{title}");
    for truth in truths {
        let fits = fits(truth, noise, sizes, trials);
        let right = fits.iter().filter(|fit| fit.is(truth.class)).count();
        println!("  {:<16} right {:>6}   {}", truth.name, percent(right), labels(&fits));
    }
}

fn coverage(title: &str, growth: f64, noise: Noise, sizes: &[u32], trials: u32) {
    let truth = Truth { name: "linear", class: Class::Linear, start: 7800.0, growth, bend: 0.0 };
    let fits = fits(&truth, noise, sizes, trials);
    let intervals: Vec<_> = fits.iter().filter_map(|fit| fit.slope_ci95).collect();
    let slope = truth.slope();
    let covered = intervals.iter().filter(|[low, high]| *low <= slope && slope <= *high).count();
    let mean_half = intervals.iter().map(|[low, high]| (high - low) / 2.0).sum::<f64>() / intervals.len() as f64;
    println!(
        "  {title:<44} {:>6} of intervals cover, half width {:.2}% of the slope",
        percent(covered),
        100.0 * mean_half / slope
    );
}

fn main() {
    println!(
        "{DRAWS} draws of each curve; 9 N over 1..10,000 x {TRIALS} trials where not said otherwise; growth 10-fold"
    );
    table("Noise 5% of the value", &TRUTHS, Noise::Relative(0.05), &SIZES, TRIALS);
    table("Noise 10% of the value", &TRUTHS, Noise::Relative(0.10), &SIZES, TRIALS);
    table("Noise 5% of the value at N = 1, the same at every N", &TRUTHS, Noise::Absolute(0.05), &SIZES, TRIALS);
    table("Noise 5%, times 1/3 to 3 from N to N", &TRUTHS, Noise::Uneven(0.05), &SIZES, TRIALS);
    table("Noise 5%, drifting by 1% of the value a trial", &TRUTHS, Noise::Drifting(0.05), &SIZES, TRIALS);
    table("Noise 5%, one trial in twenty doubled", &TRUTHS, Noise::Outliers(0.05), &SIZES, TRIALS);
    table("Noise 5%, 5 N (decades) x 5 trials", &TRUTHS, Noise::Relative(0.05), &[1, 10, 100, 1000, 10_000], 5);
    table("Noise 5%, 3 N (1, 100, 10,000) x 3 trials", &TRUTHS, Noise::Relative(0.05), &[1, 100, 10_000], 3);
    let flat = |growth| Truth { name: "linear", class: Class::Linear, start: 7800.0, growth, bend: 0.0 };
    let small: Vec<_> = [1.05, 1.1, 1.2, 1.5, 3.0, 100.0].map(flat).into();
    for truth in small {
        table(&format!("Noise 5%, growth {}-fold", truth.growth), &[truth], Noise::Relative(0.05), &SIZES, TRIALS);
    }
    for (name, class, bend) in [("power 1.2", Class::Power, 1.2), ("piecewise 100", Class::Piecewise, 100.0)] {
        let truth = Truth { name, class, start: 7800.0, growth: 10.0, bend };
        table("Noise 5%, hard to tell apart", &[truth], Noise::Relative(0.05), &SIZES, TRIALS);
    }
    println!("\nSlope of a linear curve, 95% interval");
    coverage("noise 5%, growth 10-fold", 10.0, Noise::Relative(0.05), &SIZES, TRIALS);
    coverage("noise 5%, growth 2-fold", 2.0, Noise::Relative(0.05), &SIZES, TRIALS);
    coverage("noise 5%, growth 1.01-fold", 1.01, Noise::Relative(0.05), &SIZES, TRIALS);
    coverage("noise 5%, growth 300-fold", 300.0, Noise::Relative(0.05), &SIZES, TRIALS);
    coverage("noise 10%, growth 10-fold", 10.0, Noise::Relative(0.10), &SIZES, TRIALS);
    coverage("absolute noise 5%, growth 10-fold", 10.0, Noise::Absolute(0.05), &SIZES, TRIALS);
    coverage("uneven noise 5%, growth 10-fold", 10.0, Noise::Uneven(0.05), &SIZES, TRIALS);
    coverage("drifting noise 5%, growth 10-fold", 10.0, Noise::Drifting(0.05), &SIZES, TRIALS);
    coverage("5 N x 5 trials, noise 5%, growth 10-fold", 10.0, Noise::Relative(0.05), &[1, 10, 100, 1000, 10_000], 5);
    coverage("4 N x 3 trials, noise 5%, growth 10-fold", 10.0, Noise::Relative(0.05), &[1, 10, 100, 1000], 3);
}
