//! How often the class selection is right on curves of known class: confusion matrices, and how often intervals cover the truth.
//!
//! `cargo bench -p lbcurve-benches --bench classes`. Nothing is timed and nothing is random: draw `i` has seed `i`.

#![expect(clippy::unwrap_used, reason = "the draws are finite")]

#[path = "../curve-stats/tests/draws/mod.rs"]
mod draws;

use std::collections::BTreeMap;

use curve_stats::{Class, Crossover, Fit, NoiseFloor, crossover, fit};
use draws::{Noise, SIZES, TRIALS, TRUTHS, Truth, draw};

const DRAWS: u64 = 1000;

/// Of intervals: how often they cover is to be known to half a percent.
const INTERVAL_DRAWS: u64 = 10_000;

const DECADES: [u32; 5] = [1, 10, 100, 1000, 10_000];

/// What is measured of a curve.
#[derive(Clone, Copy)]
struct Design {
    noise: Noise,
    sizes: &'static [u32],
    trials: u32,
    floor: NoiseFloor,
}

const fn design(noise: Noise) -> Design {
    Design { noise, sizes: &SIZES, trials: TRIALS, floor: NoiseFloor::NONE }
}

fn fits(truth: &Truth, design: Design, draws: u64) -> Vec<Fit> {
    let Design { noise, sizes, trials, floor } = design;
    (0..draws).map(|seed| fit(&draw(seed, truth, noise, sizes, trials), floor).unwrap()).collect()
}

fn percent(part: usize, of: usize) -> String {
    format!("{:.1}%", 100.0 * part as f64 / of as f64)
}

/// The most frequent tie.
fn tie(fits: &[Fit]) -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    fits.iter().filter(|fit| fit.classes.len() > 1).for_each(|fit| *counts.entry(fit.label()).or_default() += 1);
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map_or_else(String::new, |(label, count)| {
        format!("  most frequent tie: {label}, {}", percent(count, fits.len()))
    })
}

/// One row a truth, one column an answer.
fn matrix(title: &str, truths: &[Truth], design: Design) {
    println!("\n{title}");
    let columns: Vec<_> = Class::ALL.iter().map(ToString::to_string).chain(["tie".into(), "none".into()]).collect();
    println!("  {:<22}{}", "truth", columns.iter().map(|column| format!("{column:>13}")).collect::<String>());
    for truth in truths {
        let fits = fits(truth, design, DRAWS);
        let count = |holds: &dyn Fn(&Fit) -> bool| fits.iter().filter(|fit| holds(fit)).count();
        let mut counts: Vec<_> = Class::ALL.iter().map(|&class| count(&|fit| fit.is(class))).collect();
        counts.extend([count(&|fit| fit.classes.len() > 1), count(&|fit| fit.classes.is_empty())]);
        let row: String = counts.iter().map(|&count| format!("{:>13}", percent(count, fits.len()))).collect();
        println!("  {:<22}{row}{}", truth.name, tie(&fits));
    }
}

fn linear(growth: f64) -> Truth {
    Truth { name: "linear", class: Class::Linear, start: 7800.0, growth, bend: 0.0 }
}

fn coverage(title: &str, growth: f64, design: Design) {
    let truth = linear(growth);
    let slope = truth.slope();
    let intervals: Vec<_> = fits(&truth, design, INTERVAL_DRAWS).iter().filter_map(|fit| fit.slope_ci95).collect();
    let covered = intervals.iter().filter(|[low, high]| *low <= slope && slope <= *high).count();
    let half = intervals.iter().map(|[low, high]| (high - low) / 2.0).sum::<f64>() / intervals.len() as f64;
    println!(
        "  {title:<46}{:>7} of {} intervals cover the slope, half width {:.1}% of it",
        percent(covered, intervals.len()),
        intervals.len(),
        100.0 * half / slope
    );
}

/// A line overtakes a constant.
fn crossing(title: &str, design: Design) {
    let line = Truth { start: 2000.0, ..linear(100.0) };
    let flat = Truth { name: "constant", class: Class::Constant, start: 15_000.0, growth: 1.0, bend: 0.0 };
    let truth = 1.0 + (flat.start - line.start) / line.slope();
    let Design { noise, sizes, trials, floor } = design;
    let crosses = |seed| {
        let curves =
            [(seed, line), (seed + INTERVAL_DRAWS, flat)].map(|(seed, truth)| draw(seed, &truth, noise, sizes, trials));
        crossover(&curves[0], &curves[1], floor).unwrap()
    };
    let bounds = (0..INTERVAL_DRAWS).filter_map(|seed| match crosses(seed) {
        Crossover::At { low: Some(low), high: Some(high), .. } => Some([low, high]),
        _ => None,
    });
    let bounds: Vec<_> = bounds.collect();
    let covered = bounds.iter().filter(|[low, high]| *low <= truth && truth <= *high).count();
    println!("  {title:<46}{:>7} of {} intervals cover N = {truth:.0}", percent(covered, bounds.len()), bounds.len());
}

fn classes() {
    println!("{DRAWS} draws a row; 9 N over 1..10,000 x {TRIALS} trials where not said otherwise; growth 10-fold");
    matrix("Noise 5% of the value", &TRUTHS, design(Noise::Relative(0.05)));
    matrix("Noise 10% of the value", &TRUTHS, design(Noise::Relative(0.10)));
    matrix("Noise 20% of the value", &TRUTHS, design(Noise::Relative(0.20)));
    matrix("Noise 5% of the value at N = 1, the same at every N", &TRUTHS, design(Noise::Absolute(0.05)));
    matrix("Noise 5%, times 1/3 to 3 from N to N", &TRUTHS, design(Noise::Uneven(0.05)));
    matrix("Noise 5%, and 9% of drift over the trials", &TRUTHS, design(Noise::Drifting(0.05)));
    matrix("Noise 5%, one trial in twenty doubled", &TRUTHS, design(Noise::Outliers(0.05)));
    let vm = Design { floor: NoiseFloor(0.005), trials: 3, ..design(Noise::Cell(0.005)) };
    matrix("3 identical trials that are 0.5% off, floor 0.5%", &TRUTHS, vm);
    matrix("The same, 5 N (decades)", &TRUTHS, Design { sizes: &DECADES, ..vm });
    let few = design(Noise::Relative(0.05));
    matrix("Noise 5%, 5 N (decades) x 5 trials", &TRUTHS, Design { sizes: &DECADES, trials: 5, ..few });
    matrix("Noise 5%, 3 N (1, 100, 10,000) x 3 trials", &TRUTHS, Design { sizes: &[1, 100, 10_000], trials: 3, ..few });
}

fn hard() {
    let growths =
        [("linear, 1.05-fold", 1.05), ("linear, 1.1-fold", 1.1), ("linear, 1.2-fold", 1.2), ("linear, 1.5-fold", 1.5)];
    let growths = growths.into_iter().chain([("linear, 3-fold", 3.0), ("linear, 100-fold", 100.0)]);
    let mut truths: Vec<_> = growths.map(|(name, growth)| Truth { name, ..linear(growth) }).collect();
    let bends = [
        ("power 0.8", Class::Power, 0.8),
        ("power 1.2", Class::Power, 1.2),
        ("power 1.5", Class::Power, 1.5),
        ("power 3", Class::Power, 3.0),
        ("piecewise from 100", Class::Piecewise, 100.0),
        ("piecewise from 300", Class::Piecewise, 300.0),
        ("piecewise from 3000", Class::Piecewise, 3000.0),
    ];
    truths.extend(bends.map(|(name, class, bend)| Truth { name, class, start: 7800.0, growth: 10.0, bend }));
    matrix("Noise 5%, harder curves", &truths, design(Noise::Relative(0.05)));
}

fn intervals() {
    println!("\n95% intervals");
    let relative = design(Noise::Relative(0.05));
    for growth in [1.01, 2.0, 10.0, 300.0] {
        coverage(&format!("noise 5%, growth {growth}-fold"), growth, relative);
    }
    coverage("noise 10%, growth 10-fold", 10.0, design(Noise::Relative(0.10)));
    coverage("noise 5% of the value at N = 1, 10-fold", 10.0, design(Noise::Absolute(0.05)));
    coverage("noise 5%, times 1/3 to 3, 10-fold", 10.0, design(Noise::Uneven(0.05)));
    coverage("noise 5% and drift of 9%, 10-fold", 10.0, design(Noise::Drifting(0.05)));
    coverage("noise 5%, one in twenty doubled, 10-fold", 10.0, design(Noise::Outliers(0.05)));
    coverage("noise 5%, 5 N x 5 trials, 10-fold", 10.0, Design { sizes: &DECADES, trials: 5, ..relative });
    coverage("noise 5%, 4 N x 3 trials, 10-fold", 10.0, Design { sizes: &DECADES[..4], trials: 3, ..relative });
    let vm = Design { floor: NoiseFloor(0.005), trials: 3, ..design(Noise::Cell(0.005)) };
    coverage("identical trials 0.5% off, floor 0.5%, 10-fold", 10.0, vm);
    crossing("crossing, noise 5%", relative);
    crossing("crossing, noise 5%, 5 N x 5 trials", Design { sizes: &DECADES, trials: 5, ..relative });
    crossing("crossing, identical trials 0.5% off, floor 0.5%", vm);
}

fn main() {
    classes();
    hard();
    intervals();
}
