//! `cargo bench -p lbcurve --bench gate_selftest -- --pairs 20 --changes 10`: does the deterministic gate leave equals alone, and
//! does it see one rule more per 32 services?
//!
//! Measures a pool of seeds of the gate's plan, and one of seeds with ballast, each seed once (a killed bench resumes). Every pair
//! draws a baseline of five seeds and a candidate of three from the pool, none in common; every change draws its candidate from the
//! pool with ballast. Pairs share seeds with each other where the pool is smaller than pairs x 8: `--pool` makes it larger. Then it
//! prints what came of them and fails where an equal was called a regression or a change was missed.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Parser;
use lbcurve::gate::{CellReport, GateVerdict, Measured, Statistic, compare, gate_wishes, overall};
use lbcurve::result::{RunFile, read_run_file};
use lbcurve::run::scenario::Wishes;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha12Rng;

const BASELINE: usize = 5;
const CANDIDATE: usize = 3;
/// Seeds with ballast are others than those without.
const FIRST_CHANGED: u64 = 1_001;

#[derive(Debug, Parser)]
struct Args {
    /// Pairs of equals.
    #[arg(long, default_value_t = 20)]
    pairs: u64,
    /// Pairs with a change.
    #[arg(long, default_value_t = 10)]
    changes: u64,
    /// Seeds to measure.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range((BASELINE + CANDIDATE) as u64..))]
    pool: u64,
    /// Seeds to measure with ballast.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(CANDIDATE as u64..))]
    changed_pool: u64,
    /// Services per rule of ballast.
    #[arg(long, default_value_t = 32)]
    ballast: u32,
    /// Smallest change that counts, as a share.
    #[arg(long, default_value_t = 0.01)]
    floor: f64,
    /// Where the measurements are kept; `baseline update --out DIR` and `gate --out DIR` share them.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/gate-selftest"))]
    out: PathBuf,
    /// The lbcurve to measure with.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_lbcurve"))]
    lbcurve: PathBuf,
    /// What `cargo bench` passes.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match selftest(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("gate_selftest: {message}");
            ExitCode::FAILURE
        }
    }
}

fn selftest(args: &Args) -> Result<bool, String> {
    let pool = measure(args, 1..=args.pool, None)?;
    let changed = measure(args, FIRST_CHANGED..=FIRST_CHANGED + args.changed_pool - 1, Some(args.ballast))?;
    let mut equals = Tally::default();
    for pair in 0..args.pairs {
        let order = shuffled(&pool, pair);
        equals.add(judge(&order[..BASELINE], &order[BASELINE..][..CANDIDATE], args.floor)?);
    }
    let mut changes = Tally::default();
    for pair in 0..args.changes {
        let (before, after) = (shuffled(&pool, pair), shuffled(&changed, pair));
        changes.add(judge(&before[..BASELINE], &after[..CANDIDATE], args.floor)?);
    }
    println!(
        "{} seeds, {} with one rule per {} services more; floor {}",
        pool.len(),
        changed.len(),
        args.ballast,
        args.floor
    );
    println!("equals:  {}", equals.line());
    println!("         worst change of any statistic of any point: {:+.3}%", equals.worst);
    println!("changes: {}", changes.line());
    println!("         smallest change of a point that was called a regression: {:+.3}%", changes.smallest_regression);
    let largest = changes.largest.iter().copied().fold(f64::INFINITY, f64::min);
    println!("         smallest of the pairs' largest changes (p50): {largest:+.3}%");
    Ok(equals.of(GateVerdict::Pass) == equals.verdicts.len()
        && changes.of(GateVerdict::Regression) == changes.verdicts.len())
}

/// Measures each seed of the gate's plan once.
fn measure(args: &Args, seeds: std::ops::RangeInclusive<u64>, ballast: Option<u32>) -> Result<Vec<RunFile>, String> {
    let dir = ballast.map_or_else(|| args.out.clone(), |ballast| args.out.join(format!("ballast-{ballast}")));
    std::fs::create_dir_all(&dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
    let scenario = dir.join("scenario.toml");
    let wishes = gate_wishes(Wishes::default()).map_err(|error| error.to_string())?;
    let text = toml::to_string(&wishes).map_err(|error| error.to_string())?;
    std::fs::write(&scenario, text).map_err(|error| format!("cannot write {}: {error}", scenario.display()))?;
    seeds.map(|seed| run(args, &scenario, &dir.join(format!("seed-{seed}")), seed, ballast)).collect()
}

fn run(args: &Args, scenario: &Path, out: &Path, seed: u64, ballast: Option<u32>) -> Result<RunFile, String> {
    let file = out.join("run.json");
    let mut command = Command::new(&args.lbcurve);
    command.arg("run").arg(scenario).args(["--seed", &seed.to_string()]).arg("--out").arg(out).stdout(Stdio::null());
    if let Some(ballast) = ballast {
        command.args(["--self-test-ballast", &ballast.to_string()]);
    }
    let status = command.status().map_err(|error| format!("cannot start {}: {error}", args.lbcurve.display()))?;
    if !status.success() {
        return Err(format!("seed {seed} failed ({status})"));
    }
    read_run_file(&file).map_err(|error| lbcurve::chain::one_line(&error))
}

fn shuffled(pool: &[RunFile], salt: u64) -> Vec<RunFile> {
    let mut order = pool.to_vec();
    order.shuffle(&mut ChaCha12Rng::seed_from_u64(salt));
    order
}

fn judge(before: &[RunFile], after: &[RunFile], floor: f64) -> Result<Vec<CellReport>, String> {
    let (before, after) = (Measured::of(before), Measured::of(after));
    compare(&before.cells, &after, floor).map_err(|error| lbcurve::chain::one_line(&error))
}

/// What came of several pairs; changes in percent.
struct Tally {
    verdicts: Vec<GateVerdict>,
    /// The largest change of a pair's median, pair by pair.
    largest: Vec<f64>,
    /// The change that lies furthest from none, over pairs, points and statistics.
    worst: f64,
    smallest_regression: f64,
}

impl Default for Tally {
    fn default() -> Self {
        Self { verdicts: Vec::new(), largest: Vec::new(), worst: 0.0, smallest_regression: f64::INFINITY }
    }
}

impl Tally {
    fn add(&mut self, cells: Vec<CellReport>) {
        let percent = |ratio: f64| (ratio - 1.0) * 100.0;
        self.verdicts.push(overall(cells.iter().map(|cell| cell.verdict)));
        let mut largest = f64::NEG_INFINITY;
        for cell in &cells {
            for row in &cell.statistics {
                let Some(change) = row.ratio.map(percent) else { continue };
                if change.abs() > self.worst.abs() {
                    self.worst = change;
                }
                if row.statistic == Statistic::P50 {
                    largest = largest.max(change);
                    if cell.verdict == GateVerdict::Regression {
                        self.smallest_regression = self.smallest_regression.min(change);
                    }
                }
            }
        }
        self.largest.push(largest);
    }

    fn of(&self, verdict: GateVerdict) -> usize {
        self.verdicts.iter().filter(|found| **found == verdict).count()
    }

    fn line(&self) -> String {
        let kinds = [GateVerdict::Pass, GateVerdict::Regression, GateVerdict::Improvement, GateVerdict::Inconclusive];
        let counts = kinds.map(|kind| format!("{} {kind}", self.of(kind)));
        format!("{} pairs: {}", self.verdicts.len(), counts.join(", "))
    }
}
