//! What a search takes, in simulated time, against a binary search with full-length trials.

use std::time::Duration;

use curve_stats::search::{ControllerOutput, Measurer, SearchGoal};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::devices::{exact, livelocked, noisy};
use super::{MAX_LOAD, MIN_LOAD, one_long_trial, rate, run};

const DRAWS: u64 = 200;

/// Seconds of a binary search (section 2.1, but halved geometrically, which is shorter over three decades): one trial of the goal's
/// whole duration a load, limits included, until the bounds are within the goal's width.
fn binary_search<M: Measurer>(mut device: M, goal: &SearchGoal) -> f64 {
    let (mut low, mut high) = (MIN_LOAD, MAX_LOAD);
    let mut trials = 2;
    while (high - low) / high > goal.width.get() {
        let middle = (low * high).sqrt();
        let outcome = device.measure(rate(middle), goal.duration_sum).unwrap();
        let lossy = outcome.lost() as f64 > goal.loss_ratio.get() * outcome.offered() as f64;
        if lossy {
            high = middle
        } else {
            low = middle
        }
        trials += 1;
    }
    f64::from(trials) * goal.duration_sum.as_secs_f64()
}

fn capacity(seed: u64) -> f64 {
    ChaCha8Rng::seed_from_u64(seed).random_range((1.5 * MIN_LOAD).ln()..(0.5 * MAX_LOAD).ln()).exp()
}

fn mean(of: impl Fn(u64) -> f64) -> f64 {
    (0..DRAWS).map(of).sum::<f64>() / DRAWS as f64
}

fn seconds(output: &ControllerOutput) -> f64 {
    output.spent.as_secs_f64()
}

/// Mean time of a search over that of one binary search a goal.
fn share(name: &str, spread: f64, goals: &[SearchGoal]) -> f64 {
    let device = |seed| noisy(capacity(seed), spread, seed);
    let here = mean(|seed| seconds(&run(device(seed), goals)));
    let binary = mean(|seed| goals.iter().map(|goal| binary_search(device(seed), goal)).sum());
    println!("{name}, spread {spread}: {here:.1} s, binary {binary:.1} s, {:.3} of it", here / binary);
    here / binary
}

#[test]
fn a_search_is_shorter_than_binary_searches() {
    let both = [SearchGoal::NDR, SearchGoal::PDR];
    assert!(share("NDR and PDR", 0.0, &both) < 0.15);
    assert!(share("NDR and PDR", 0.01, &both) < 0.25);
    assert!(share("one long trial", 0.0, &[one_long_trial()]) < 0.25);
    assert!(share("one long trial", 0.01, &[one_long_trial()]) < 0.25);
}

#[test]
fn the_number_of_trials_is_bounded() {
    let most =
        |spread| (0..DRAWS).map(|seed| run(noisy(capacity(seed), spread, seed), &[SearchGoal::NDR]).trials.len()).max();
    let exact = (0..DRAWS).map(|seed| run(exact(capacity(seed)), &[SearchGoal::NDR]).trials.len()).max();
    println!("most trials: exact {exact:?}, spread 1% {:?}, 5% {:?}", most(0.01), most(0.05));
    // One at max load, two loads of one trial, two of three (five make the sum), two of eleven (of 21): 31 at most.
    assert!(exact.unwrap() <= 31);
    assert!(most(0.01).unwrap() <= 150 && most(0.05).unwrap() <= 300);
}

/// Overloaded tenfold it carries a tenth, which is where the search begins: 460 widths below the truth.
#[test]
fn a_wrong_beginning_costs_little() {
    let output = run(livelocked(1e6), &[SearchGoal::NDR]);
    assert_eq!(output.most_offered().unwrap().forwarding_rate().get(), 1e5);
    println!("{} trials", output.trials.len());
    assert!(output.trials.len() <= 50);
}

#[test]
fn goals_share_trials() {
    let alone = |goal: SearchGoal| mean(|seed| seconds(&run(exact(capacity(seed)), &[goal])));
    let (ndr, pdr) = (alone(SearchGoal::NDR), alone(SearchGoal::PDR));
    let both = mean(|seed| seconds(&run(exact(capacity(seed)), &[SearchGoal::NDR, SearchGoal::PDR])));
    println!("NDR {ndr:.1} s, PDR {pdr:.1} s, both {both:.1} s");
    assert!(both < 0.85 * (ndr + pdr));
    let twice = run(exact(1e6), &[SearchGoal::NDR, SearchGoal::NDR]);
    assert_eq!(twice.spent, run(exact(1e6), &[SearchGoal::NDR]).spent, "the same goal costs nothing again");
    assert!(twice.spent > Duration::ZERO && twice.results[0] == twice.results[1]);
}
