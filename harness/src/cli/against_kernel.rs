//! `lbcurve gate --against KERNEL`: two kernels in the deterministic vm, judged by its gate's rule. A host cannot change its kernel in
//! the middle of a run, so two kernels cannot take turns on it.

use std::path::{Path, PathBuf};

use super::gate_args::{GateArgs, Percent};
use super::seeds::SeedBench;
use super::{CliError, signals};
use crate::chain::one_line;
use crate::gate::{Facts, GateReport, SEEDS, compare, gate_wishes, overall};
use crate::run::scenario::{ScenarioError, Wishes};

/// Boots both kernels with each seed and judges the candidate by the baseline's spread over seeds.
pub(super) fn against_kernel(args: &GateArgs, other: &str) -> Result<GateReport, CliError> {
    let cancel = signals::cancel_flag()?;
    let baseline =
        open(args, Some(other), args.against_options.against_modules.as_deref()).map_err(|error| match error {
            CliError::VmOpen(error) => unusable(other, one_line(&error)),
            CliError::Scenario(ScenarioError::Kernels(error)) => {
                unusable(other, format!("{}; its modules are given with --against-modules", one_line(&error)))
            }
            other => other,
        })?;
    let candidate = open(args, args.kernel.as_deref(), args.modules.as_deref())?;
    let releases =
        [&baseline, &candidate].map(|bench| bench.vm().map(|vm| vm.kernel.release.clone()).unwrap_or_default());
    let facts = facts(args, [&baseline, &candidate]);
    let mut obstacles = baseline.obstacles();
    obstacles.extend(candidate.obstacles());
    obstacles.dedup();
    if !obstacles.is_empty() {
        return Ok(GateReport::invalid(facts, obstacles));
    }
    let temporary;
    let out: PathBuf = match &args.out {
        Some(out) => out.clone(),
        None => {
            temporary = super::baseline::temporary()?;
            temporary.path().to_owned()
        }
    };
    let seeds: Vec<u64> = (1..=*SEEDS.end() as u64).collect();
    let mut before = baseline.measure(&seeds, &out.join("baseline"), &cancel)?;
    let after = candidate.measure(&seeds, &out.join("candidate"), &cancel)?;
    // Cells are compared by everything but the kernel, which is what differs.
    before.cells.iter_mut().for_each(|values| values.cell.kernel.clone_from(&releases[1]));
    let mut notes = vec![
        "two kernels cannot take turns on one host, so they were compared in the vm: instructions, not time; cache misses and \
         contention are not seen"
            .to_owned(),
    ];
    notes.extend(before.suspects.iter().map(|((cell, metric), reason)| format!("baseline, {cell} {metric}: {reason}")));
    let floor = args.floor.unwrap_or(Percent::VM_FLOOR).share();
    let cells = compare(&before.cells, &after, floor).map_err(|error| unusable(other, one_line(&error)))?;
    let verdict = overall(cells.iter().map(|cell| cell.verdict));
    Ok(GateReport { verdict, facts, notes, cells })
}

fn open(args: &GateArgs, kernel: Option<&str>, modules: Option<&Path>) -> Result<SeedBench, CliError> {
    let options = &args.against_options;
    let wishes = Wishes {
        kernel: kernel.map(|kernel| vec![kernel.to_owned()]),
        modules: modules.map(|modules| vec![modules.to_owned()]),
        backends: options.backends.clone(),
        services: options.services.clone(),
        endpoints: options.endpoints.clone(),
        layout: options.layout.clone(),
        protocol: options.protocol.clone(),
        flows: options.flows.clone(),
        packets: options.packets,
        allow_slow: options.allow_slow.then_some(true),
        ..Wishes::default()
    };
    SeedBench::open(gate_wishes(wishes)?.resolve()?)
}

fn unusable(other: &str, reason: String) -> CliError {
    CliError::OtherSide { path: other.into(), reason }
}

fn facts(args: &GateArgs, benches: [&SeedBench; 2]) -> Facts {
    let [baseline, candidate] = benches.map(|bench| {
        bench.vm().map_or_else(|| "none".to_owned(), |vm| format!("{} ({})", vm.kernel.release, vm.kernel.identity))
    });
    vec![
        ("baseline".to_owned(), baseline),
        ("candidate".to_owned(), candidate),
        ("seeds".to_owned(), format!("1 to {} of each, deterministic vm", SEEDS.end())),
        ("floor".to_owned(), format!("{} of a traversal", args.floor.unwrap_or(Percent::VM_FLOOR))),
    ]
}
