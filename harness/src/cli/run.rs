//! `lbcurve run`: scenario, venues, plan, trials, curves, report.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::RunArgs;
use super::report::{RUN_FILE, write_html};
use super::{CliError, signals};
use crate::report;
use crate::result::{
    AssembleError, BackendKind, Bracket, Manifest, Recorded, RunFile, SkippedCell, assemble_records, name,
    read_run_file, write_run_file,
};
use crate::run::execute::execute;
use crate::run::import;
use crate::run::manifest;
use crate::run::offer;
use crate::run::plan::{Plan, Setup};
use crate::run::progress::Progress;
use crate::run::record::Record;
use crate::run::scenario::Scenario;
use crate::run::store::Store;
use crate::stdout::say;
use crate::venue::vm::work::remove_stale;
use crate::workload::cluster::Cluster;

pub(super) fn run(args: RunArgs) -> Result<ExitCode, CliError> {
    let cancel = signals::cancel_flag()?;
    for (stale, outcome) in remove_stale() {
        if let Err(error) = outcome {
            tracing::warn!(%stale, %error, "cannot remove what an earlier run left");
        }
    }
    let out = args.out.clone();
    let wishes = args.wishes()?;
    let cluster = wishes.cluster.as_deref().map(import::read).transpose()?;
    let scenario = wishes.resolve_with(cluster)?;
    let out = out.unwrap_or_else(|| Path::new("runs").join(directory(&scenario)));
    let (offers, venues) = offer::open(&scenario, &mut |line| eprintln!("{line}"))?;
    let plan = Plan::new(&scenario, &offers);
    check_workloads(&plan)?;
    if plan.batches.is_empty() {
        return Err(CliError::NothingReady(plan.skipped.iter().map(|skipped| skipped.reason.clone()).collect()));
    }
    let mut store = Store::open(&out, &plan)?;
    announce(&plan, &out);
    let done: usize = plan.batches.iter().filter(|batch| store.is_done(batch.id)).map(|batch| batch.trials()).sum();
    let is_whole = done == plan.trials();
    if is_whole {
        eprintln!("every trial is there already: nothing is measured anew; choose another --out for a new run");
    }
    // To assemble a run again is not to end it again.
    let ended = is_whole.then(|| read_run_file(&out.join(RUN_FILE)).ok()).flatten().map(|run| run.environment.date);
    let mut progress = Progress::start(plan.trials(), done);
    let outcome = execute(&plan, &venues, &mut store, &mut progress, &cancel);
    progress.finish();
    let mut manifest = manifest::manifest(&plan, &venues, outcome?);
    if let Some(ended) = ended {
        manifest.environment.date = ended;
    }
    conclude(manifest, &manifest::skipped(&plan), store.records(), &out)
}

/// Name of a run's directory where none is asked for: the preset, or the cluster's file without its ending.
fn directory(scenario: &Scenario) -> String {
    let stem = |cluster: &Cluster| Path::new(&cluster.origin.file).file_stem()?.to_str().map(str::to_owned);
    scenario.cluster.as_ref().and_then(stem).unwrap_or_else(|| name(&scenario.preset))
}

/// Every setup's workload must fit before the first is programmed.
pub(super) fn check_workloads(plan: &Plan) -> Result<(), CliError> {
    let visits = plan.batches.iter().flat_map(|batch| &batch.visits);
    // Whatever backend and bracket, the same services: they are generated once.
    let alike = |setup: Setup| Setup { backend: BackendKind::Direct, bracket: Bracket::default(), ..setup };
    let mut setups: Vec<_> = visits.map(|visit| alike(visit.setup)).collect();
    setups.sort_unstable();
    setups.dedup();
    for setup in setups {
        setup.services(&plan.scenario)?;
        setup.spare(&plan.scenario)?;
    }
    Ok(())
}

fn announce(plan: &Plan, out: &Path) {
    let Scenario { preset, seed, .. } = &plan.scenario;
    eprintln!(
        "preset {}, seed {seed}: {} trials in {} batches, into {}",
        name(preset),
        plan.trials(),
        plan.batches.len(),
        out.display()
    );
    for skipped in &plan.skipped {
        let services = skipped.services.map(|services| format!(" N={services}")).unwrap_or_default();
        let place = [name(&skipped.venue), skipped.kernel.clone(), name(&skipped.backend)].join(" ");
        eprintln!("not measured: {place}{services}: {}", skipped.reason);
    }
}

fn conclude(manifest: Manifest, skipped: &[SkippedCell], records: &[Record], out: &Path) -> Result<ExitCode, CliError> {
    let run = assemble_run(manifest, skipped, records)?;
    let run_file = out.join(RUN_FILE);
    write_run_file(&run_file, &run)?;
    let html: PathBuf = write_html(&run, &run_file)?;
    let table = report::table(&run);
    say(&format!("{table}run:    {}\nreport: {}\n", run_file.display(), html.display()))
        .map_err(|source| CliError::File { action: "write", path: "standard output".into(), source })?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn assemble_run(
    manifest: Manifest,
    skipped: &[SkippedCell],
    records: &[Record],
) -> Result<RunFile, AssembleError> {
    let (mut trials, mut programming) = (Vec::new(), Vec::new());
    let (mut throughput, mut decisions) = (Vec::new(), Vec::new());
    let (mut fairness, mut connections, mut rates, mut reachability) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for record in records.iter().cloned() {
        match record {
            Record::Trial(trial) => trials.push(trial),
            Record::Programming(cost) => programming.push(cost),
            Record::Throughput(trial) => throughput.push(trial),
            Record::Decisions(trial) => decisions.push(trial),
            Record::Fairness(trial) => fairness.push(*trial),
            Record::Connections(trial) => connections.push(*trial),
            Record::Rates(trial) => rates.push(*trial),
            Record::Reachability(trial) => reachability.push(trial),
        }
    }
    let records = Recorded {
        trials: &trials,
        programming: &programming,
        throughput: &throughput,
        decisions: &decisions,
        fairness: &fairness,
        connections: &connections,
        rates: &rates,
        reachability: &reachability,
    };
    assemble_records(manifest, records, skipped)
}
