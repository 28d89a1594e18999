//! `cargo bench -p lbcurve --bench host_gate_selftest -- --same 20 --slower 10`: does the host's gate leave an lbcurve alone that is
//! compared with itself, and does it see one tenth more of `added`? Needs root and a machine that rests.
//!
//! The slower side programs rules that match nothing (`--self-test-ballast`). How many make a tenth is measured first: `added` has a part
//! that does not grow with rules, so the number is taken from what a guess near it does. Same and slower gates take turns,
//! each with a seed of its own. A gate that was finished is not repeated when the bench is started again with the same `--out`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use clap::Parser;
use serde_json::Value;

#[derive(Debug, Parser)]
struct Args {
    /// Gates of an lbcurve against itself.
    #[arg(long, default_value_t = 20)]
    same: u64,
    /// Gates with a slower candidate.
    #[arg(long, default_value_t = 10)]
    slower: u64,
    /// By how much `added` is to be slower, as a share.
    #[arg(long, default_value_t = 0.10)]
    by: f64,
    /// Services per rule of ballast, instead of measuring it.
    #[arg(long)]
    ballast: Option<u32>,
    /// Rounds of each gate.
    #[arg(long, default_value_t = 40)]
    rounds: u32,
    /// Packets of a trial.
    #[arg(long, default_value_t = 4_000)]
    packets: u32,
    /// An iptables mode: the others hold no ballast.
    #[arg(long, default_value = "iptables-legacy")]
    backend: String,
    /// N.
    #[arg(long, default_value_t = 1_000)]
    services: u32,
    /// Gate although the machine is too noisy: the rates are then those of a noisy machine.
    #[arg(long)]
    despite_noise: bool,
    /// Where the measurements are kept.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/host-gate-selftest"))]
    out: PathBuf,
    /// The lbcurve to gate.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_lbcurve"))]
    lbcurve: PathBuf,
    /// What `cargo bench` passes.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a gate came to.
struct Outcome {
    verdict: String,
    ratio: f64,
    low: f64,
    high: f64,
    p: f64,
    seconds: f64,
}

fn main() -> ExitCode {
    match selftest(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("host_gate_selftest: {message}");
            ExitCode::FAILURE
        }
    }
}

fn selftest(args: &Args) -> Result<bool, String> {
    let ballast = match args.ballast {
        Some(ballast) => ballast,
        None => calibrate(args)?,
    };
    let (mut same, mut slower) = (Vec::new(), Vec::new());
    for index in 0..args.same.max(args.slower) {
        if index < args.same {
            same.push(gate(args, &format!("same-{index}"), 1_000 + index, args.rounds, None)?);
        }
        if index < args.slower {
            slower.push(gate(args, &format!("slower-{ballast}-{index}"), 2_000 + index, args.rounds, Some(ballast))?);
        }
    }
    let alarms = count(&same, "regression") + count(&same, "improvement");
    let caught = count(&slower, "regression");
    println!("same:   {}", line(&same));
    println!("slower: {} (one rule more per {ballast} services)", line(&slower));
    println!(
        "false alarms (regression or improvement): {alarms} of {}, caught: {caught} of {}",
        same.len(),
        slower.len()
    );
    // One in twenty false, nine in ten caught.
    Ok(alarms * 20 <= same.len().max(20) && caught * 10 >= slower.len() * 9)
}

/// A guess of services per rule, near enough to a tenth for the effect to be proportional to the number of rules from there on. It is not over
/// the whole range: see METHODOLOGY.md.
const GUESS: u32 = 10;

/// The effect may lie this far, as a share of itself, from what is asked for.
const NEAR: f64 = 0.15;
/// Ballasts that are tried.
const TRIES: u64 = 4;
/// A scale needs a closer look than a verdict: rounds of a try, in rounds of a gate. With as many as a gate's, a ballast of 6% was once
/// taken for one of 10%.
const ROUNDS_A_TRY: u32 = 3;

/// Services per rule that slow `added` by the share that is asked for: a guess is measured, corrected in proportion, and measured again.
fn calibrate(args: &Args) -> Result<u32, String> {
    let mut ballast = GUESS;
    let mut tried = Vec::new();
    for index in 0..TRIES {
        let found =
            gate(args, &format!("calibrate-{ballast}"), 500 + index, args.rounds * ROUNDS_A_TRY, Some(ballast))?;
        let effect = found.ratio - 1.0;
        tried.push((ballast, effect));
        let next = (f64::from(ballast) * effect / args.by).round();
        if (effect / args.by - 1.0).abs() <= NEAR || !(1.0..=f64::from(args.services)).contains(&next) {
            break;
        }
        ballast = next as u32;
        if tried.iter().any(|(before, _)| *before == ballast) {
            break;
        }
    }
    let off = |effect: f64| (effect - args.by).abs();
    let nearest = tried.iter().min_by(|a, b| off(a.1).total_cmp(&off(b.1)));
    let (ballast, effect) = *nearest.ok_or("no ballast was tried")?;
    if effect <= 0.0 {
        return Err(format!(
            "one rule more per {ballast} services changes `added` by {:+.1}%: no scale to go by",
            effect * 100.0
        ));
    }
    println!("ballast: one rule per {ballast} services, {:+.1}% of `added`", effect * 100.0);
    Ok(ballast)
}

fn gate(args: &Args, name: &str, seed: u64, rounds: u32, ballast: Option<u32>) -> Result<Outcome, String> {
    let out = args.out.join(name);
    let started = Instant::now();
    let mut command = Command::new(&args.lbcurve);
    command.arg("gate").arg("--against").arg(&args.lbcurve).args(["--backends", &args.backend]).arg("--out").arg(&out);
    let numbers = [
        ("--services", u64::from(args.services)),
        ("--packets", args.packets.into()),
        ("--rounds", rounds.into()),
        ("--seed", seed),
    ];
    numbers.iter().for_each(|(option, value)| {
        command.args([option, value.to_string().as_str()]);
    });
    if let Some(ballast) = ballast {
        command.args(["--self-test-ballast", &ballast.to_string()]);
    }
    if args.despite_noise {
        command.arg("--despite-noise");
    }
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let status = status.map_err(|error| format!("cannot start {}: {error}", args.lbcurve.display()))?;
    let outcome =
        read(&out, started.elapsed().as_secs_f64()).map_err(|error| format!("gate {name} ({status}): {error}"))?;
    println!(
        "{name:<14} {:<20} {:+6.1}% [{:+.1}%, {:+.1}%] p = {:.4}  {:.0} s",
        outcome.verdict,
        (outcome.ratio - 1.0) * 100.0,
        (outcome.low - 1.0) * 100.0,
        (outcome.high - 1.0) * 100.0,
        outcome.p,
        outcome.seconds
    );
    Ok(outcome)
}

/// Reads what the gate wrote. A gate that concluded nothing at all has no place in a rate.
fn read(out: &Path, seconds: f64) -> Result<Outcome, String> {
    let text = std::fs::read_to_string(out.join("gate.json")).map_err(|error| error.to_string())?;
    let report: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let verdict = report["verdict"].as_str().unwrap_or_default().to_owned();
    if verdict == "invalid-environment" {
        return Err(format!("{}", report["notes"]));
    }
    let row = &report["cells"][0]["statistics"][0];
    let number = |value: &Value| value.as_f64().ok_or_else(|| format!("no ratio: {}", row["reason"]));
    Ok(Outcome {
        verdict,
        ratio: number(&row["ratio"])?,
        low: number(&row["interval"][0])?,
        high: number(&row["interval"][1])?,
        p: number(&row["p"])?,
        seconds,
    })
}

fn count(outcomes: &[Outcome], verdict: &str) -> usize {
    outcomes.iter().filter(|outcome| outcome.verdict == verdict).count()
}

fn line(outcomes: &[Outcome]) -> String {
    let verdicts = ["pass", "regression", "improvement", "inconclusive"];
    let counts = verdicts.map(|verdict| format!("{} {verdict}", count(outcomes, verdict)));
    let ratios: Vec<f64> = outcomes.iter().map(|outcome| outcome.ratio).collect();
    let mean = curve_stats::geometric_mean(&ratios).map_or(f64::NAN, |mean| (mean - 1.0) * 100.0);
    format!("{}; mean change {mean:+.1}%", counts.join(", "))
}
