//! `lbcurve baseline update`: measure several seeds and keep them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::gate_args::{BaselineArgs, BaselineCommand, UpdateArgs};
use super::seeds::SeedBench;
use super::{CliError, signals};
use crate::gate::{
    BASELINE_FORMAT, BASELINE_SCHEMA_VERSION, Baseline, BaselineError, Measured, SEEDS, gate_wishes, plan_key, portable,
};
use crate::run::scenario::Wishes;

pub(super) fn baseline(args: &BaselineArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        BaselineCommand::Update(args) => update(args),
    }
}

fn update(args: &UpdateArgs) -> Result<ExitCode, CliError> {
    let seeds = different(&args.seeds)?;
    let cancel = signals::cancel_flag()?;
    let file = args.scenario.as_deref().map(Wishes::read).transpose()?.unwrap_or_default();
    let wishes = with_kernel(args.kernel.as_ref(), args.modules.as_ref()).or(gate_wishes(file)?);
    let bench = SeedBench::open(wishes.resolve()?)?;
    let obstacles = bench.obstacles();
    if !obstacles.is_empty() {
        return Err(CliError::NothingReady(obstacles));
    }
    std::fs::create_dir_all(&args.dir).map_err(|source| io("make", &args.dir, source))?;
    let temporary = temporary()?;
    let out = args.out.as_deref().unwrap_or(temporary.path());
    let measured = bench.measure(&seeds, out, &cancel)?;
    let baseline = of(&bench, seeds, measured)?;
    let path = args.dir.join(baseline.file_name());
    baseline.write(&path)?;
    println!("baseline: {}", path.display());
    Ok(ExitCode::SUCCESS)
}

/// The kernel that a command line names.
pub(super) fn with_kernel(kernel: Option<&String>, modules: Option<&PathBuf>) -> Wishes {
    let (kernel, modules) = (kernel.map(|kernel| vec![kernel.clone()]), modules.map(|modules| vec![modules.clone()]));
    Wishes { kernel, modules, ..Wishes::default() }
}

fn different(asked: &[u64]) -> Result<Vec<u64>, CliError> {
    let mut seeds = asked.to_vec();
    seeds.sort_unstable();
    seeds.dedup();
    if SEEDS.contains(&seeds.len()) { Ok(seeds) } else { Err(CliError::Seeds { asked: seeds.len(), wanted: "3 to 5" }) }
}

fn of(bench: &SeedBench, seeds: Vec<u64>, measured: Measured) -> Result<Baseline, CliError> {
    if let Some(((cell, _), reason)) = measured.suspects.first_key_value() {
        return Err(CliError::Suspect { cell: cell.to_string(), reason: reason.clone() });
    }
    let plan = bench.plan(0);
    let (kernel, kernel_origin) =
        bench.vm().map(|vm| (vm.kernel.release.clone(), vm.kernel.identity.clone())).unwrap_or_default();
    let scenario = portable(&plan.scenario);
    let key = plan_key(&scenario).map_err(|source| io("name", Path::new("baseline"), source.into()))?;
    Ok(Baseline {
        format: BASELINE_FORMAT.to_owned(),
        schema_version: BASELINE_SCHEMA_VERSION,
        kernel,
        kernel_origin,
        plan: key,
        scenario,
        lbcurve: plan.measured_by.lbcurve,
        ebpf_object_sha256: plan.measured_by.ebpf_object_sha256,
        qemu: bench.qemu.clone(),
        seeds,
        cells: measured.cells,
        seal: String::new(),
    })
}

/// A directory for measurements that nobody asked to keep.
pub(super) fn temporary() -> Result<tempfile::TempDir, CliError> {
    tempfile::Builder::new()
        .prefix("lbcurve-gate-")
        .tempdir()
        .map_err(|source| io("make", &std::env::temp_dir(), source))
}

fn io(action: &'static str, path: &Path, source: std::io::Error) -> CliError {
    BaselineError::Io { action, path: path.to_owned(), source }.into()
}
