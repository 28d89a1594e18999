//! `lbcurve gate`: measure, judge, say so, and end with the verdict's exit code.

use std::path::Path;
use std::process::ExitCode;

use super::against::against_binary;
use super::against_kernel::against_kernel;
use super::baseline::with_kernel;
use super::gate_args::{GateArgs, Percent};
use super::seeds::SeedBench;
use super::{CliError, signals};
use crate::gate::{Baseline, BaselineError, Destinations, Facts, GateReport, compare, overall, publish};
use crate::run::scenario::{Scenario, ScenarioError};

pub(super) fn gate(args: &GateArgs) -> Result<ExitCode, CliError> {
    let report = match (&args.baseline, &args.against) {
        (Some(baseline), _) => against_baseline(args, baseline)?,
        (None, path) => against(args, &path.clone().unwrap_or_default())?,
    };
    publish(&report, &Destinations::from_environment(args.summary.clone()))?;
    Ok(ExitCode::from(report.verdict.exit_code()))
}

/// A path is an executable unless modules come with it; any other word is a kernel's package or suite, as `--kernel` takes them.
fn against(args: &GateArgs, other: &Path) -> Result<GateReport, CliError> {
    let is_path = other.is_absolute() || other.starts_with(".") || other.starts_with("..") || other.is_file();
    if is_path && args.against_options.against_modules.is_none() {
        if args.kernel.is_some() {
            return Err(ScenarioError::KernelOnHost.into());
        }
        return against_binary(args, other);
    }
    against_kernel(args, &other.to_string_lossy())
}

fn against_baseline(args: &GateArgs, path: &Path) -> Result<GateReport, CliError> {
    let baseline = Baseline::read(path)?;
    let seeds = seeds(args, &baseline)?;
    let cancel = signals::cancel_flag()?;
    let bench = SeedBench::open(scenario(args, &baseline)?)?;
    let release = bench.vm().map(|vm| vm.kernel.release.clone()).unwrap_or_default();
    if args.kernel.is_some() && release != baseline.kernel {
        let reason = format!("it is of kernel {}, --kernel is {release}", baseline.kernel);
        return Err(unfit(path, reason));
    }
    same_instrument(path, &baseline, &bench)?;
    let facts = facts(args, path, &baseline, &bench, &seeds);
    let obstacles = obstacles(&baseline, &bench, &release);
    if !obstacles.is_empty() {
        return Ok(GateReport::invalid(facts, obstacles));
    }
    let notes = notes(&baseline, &bench);
    notes.iter().for_each(|note| eprintln!("note: {note}"));
    let temporary;
    let out = match &args.out {
        Some(out) => out.as_path(),
        None => {
            temporary = super::baseline::temporary()?;
            temporary.path()
        }
    };
    let measured = bench.measure(&seeds, out, &cancel)?;
    let cells = compare(&baseline.cells, &measured, args.floor.unwrap_or(Percent::VM_FLOOR).share())
        .map_err(|error| unfit(path, crate::chain::one_line(&error)))?;
    let verdict = overall(cells.iter().map(|cell| cell.verdict));
    Ok(GateReport { verdict, facts, notes, cells })
}

fn seeds(args: &GateArgs, baseline: &Baseline) -> Result<Vec<u64>, CliError> {
    let mut seeds = args.seeds.clone().unwrap_or_else(|| baseline.seeds.iter().copied().take(DEFAULT_SEEDS).collect());
    seeds.sort_unstable();
    seeds.dedup();
    if seeds.len() < DEFAULT_SEEDS {
        Err(CliError::Seeds { asked: seeds.len(), wanted: "at least 3" })
    } else {
        Ok(seeds)
    }
}

/// Seeds where none are asked for: the fewest that show a spread.
const DEFAULT_SEEDS: usize = 3;

fn scenario(args: &GateArgs, baseline: &Baseline) -> Result<Scenario, CliError> {
    let own = baseline.scenario.clone();
    let kernels = with_kernel(args.kernel.as_ref(), args.modules.as_ref()).resolve()?.kernels;
    Ok(Scenario { kernels, self_test_ballast: args.self_test_ballast.or(own.self_test_ballast), ..own })
}

/// Another eBPF object is another instrument: what it measures differs whether or not the kernel's work does.
fn same_instrument(path: &Path, baseline: &Baseline, bench: &SeedBench) -> Result<(), CliError> {
    let measured_by = bench.plan(0).measured_by;
    if measured_by.ebpf_object_sha256 == baseline.ebpf_object_sha256 {
        return Ok(());
    }
    let reason =
        "another eBPF probe measured it (lbcurve has changed since): make a new one with `lbcurve baseline update`";
    Err(unfit(path, reason.to_owned()))
}

fn unfit(path: &Path, reason: String) -> CliError {
    BaselineError::Unfit { path: path.to_owned(), reason }.into()
}

fn obstacles(baseline: &Baseline, bench: &SeedBench, release: &str) -> Vec<String> {
    let mut obstacles = bench.obstacles();
    if release != baseline.kernel {
        obstacles.push(format!(
            "the vm's kernel is {release}, the baseline's is {}: make a baseline of this one with `lbcurve baseline update`, or \
             give the other with --kernel FILE --modules DIR",
            baseline.kernel
        ));
    }
    obstacles
}

/// What differs and may move a count, but need not.
fn notes(baseline: &Baseline, bench: &SeedBench) -> Vec<String> {
    let kernel = bench.vm().map(|vm| vm.kernel.identity.clone()).unwrap_or_default();
    let differences = [
        ("QEMU", &baseline.qemu, &bench.qemu),
        ("the kernel's package or file", &baseline.kernel_origin, &kernel),
        ("lbcurve", &baseline.lbcurve, &env!("CARGO_PKG_VERSION").to_owned()),
    ]
    .map(|(what, before, now)| {
        (before != now)
            .then(|| format!("{what} is {now}, the baseline's was {before}: counts may differ by that alone"))
    });
    differences.into_iter().flatten().collect()
}

fn facts(args: &GateArgs, path: &Path, baseline: &Baseline, bench: &SeedBench, seeds: &[u64]) -> Facts {
    let list = |seeds: &[u64]| seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let mut facts = vec![
        ("baseline".to_owned(), path.display().to_string()),
        ("kernel".to_owned(), format!("{} ({}), deterministic vm", baseline.kernel, baseline.kernel_origin)),
        ("plan".to_owned(), baseline.plan.clone()),
        ("seeds".to_owned(), format!("{} against the baseline's {}", list(seeds), list(&baseline.seeds))),
        ("floor".to_owned(), format!("{} of a traversal", args.floor.unwrap_or(Percent::VM_FLOOR))),
    ];
    if let Some(services) = bench.plan(0).scenario.self_test_ballast {
        let rule = format!("one rule that matches nothing per {services} services: not a normal measurement");
        facts.push(("self-test".to_owned(), rule));
    }
    facts
}
