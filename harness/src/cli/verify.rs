//! `lbcurve verify`: program the services of kube-proxy dumps and compare.

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use super::args::VerifyArgs;
use super::{CliError, signals};
use crate::backend::dump::{ANY_ORDER, Dump, IGNORED, LiveState, compare, program_in_fresh_namespace};
use crate::result::BackendKind;
use crate::run::scenario::VenueChoice;
use crate::venue::host;
use crate::venue::vm::{GuestJob, KernelSource, VmError, VmVenue};

/// Exit code where something differs.
const DIFFERS: u8 = 13;

pub(super) fn verify(args: &VerifyArgs) -> Result<ExitCode, CliError> {
    let cancel = signals::cancel_flag()?;
    let dumps = args.dump.iter().map(|path| Dump::read(path)).collect::<Result<Vec<_>, _>>()?;
    let (on_host, in_vm): (Vec<_>, Vec<_>) = split(dumps, args.venue)?;
    let mut found = Vec::new();
    for dump in on_host {
        let live =
            program_in_fresh_namespace(&dump).map_err(|source| CliError::Dump { name: dump.name.clone(), source })?;
        found.push((dump, "host", live));
    }
    let live = if in_vm.is_empty() { Vec::new() } else { program_in_vm(&in_vm, &cancel)? };
    found.extend(in_vm.into_iter().zip(live).map(|(dump, live)| (dump, "vm", live)));
    print_exceptions();
    let differing = found.iter().filter(|(dump, venue, live)| !print_comparison(dump, venue, live)).count();
    println!("{} dumps compared, {differing} differ", found.len());
    Ok(if differing == 0 { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) })
}

/// Dumps to program on the host and in the vm. Inputs of kube-proxy's are compared with rendered text and need no kernel.
fn split(dumps: Vec<Dump>, venue: VenueChoice) -> Result<(Vec<Dump>, Vec<Dump>), CliError> {
    if venue == VenueChoice::Sim {
        let reason = "a model holds nothing of a kernel's to compare with a dump: --venue host or vm";
        return Err(CliError::NothingReady(vec![reason.to_owned()]));
    }
    let obstacles = match venue {
        VenueChoice::Vm => Vec::new(),
        _ if !host::is_root() => Vec::new(),
        _ => host::obstacles(&backends(&dumps))?,
    };
    let runs_here = |backend: BackendKind| obstacles.iter().any(|(kind, state)| *kind == backend && state.is_none());
    let (on_host, in_vm): (Vec<_>, Vec<_>) =
        dumps.into_iter().partition(|dump| dump.kind.is_input() || runs_here(dump.backend));
    match (venue, in_vm.first()) {
        (VenueChoice::Host, Some(_)) if !host::is_root() => Err(CliError::NeedsRoot),
        (VenueChoice::Host, Some(dump)) => {
            let reasons = obstacles.iter().filter(|(kind, _)| *kind == dump.backend);
            Err(CliError::NothingReady(reasons.filter_map(|(_, state)| state.clone()).collect()))
        }
        _ => Ok((on_host, in_vm)),
    }
}

fn backends(dumps: &[Dump]) -> Vec<BackendKind> {
    let mut backends: Vec<_> = dumps.iter().map(|dump| dump.backend).collect();
    backends.sort_unstable();
    backends.dedup();
    backends
}

/// One boot for all of them.
fn program_in_vm(dumps: &[Dump], cancel: &AtomicBool) -> Result<Vec<LiveState>, CliError> {
    let vm = VmVenue::open(&KernelSource::default(), None, &mut |line| eprintln!("{line}"))?;
    let mut answers = Vec::new();
    let mut on_line = |line: &str| answers.push(serde_json::from_str(line));
    vm.boot(&GuestJob::Verify { dumps: dumps.to_vec() }, &mut on_line, cancel)?;
    let answers: Vec<LiveState> = answers.into_iter().collect::<Result<_, _>>().map_err(damaged)?;
    if answers.len() == dumps.len() { Ok(answers) } else { Err(damaged("an answer is missing").into()) }
}

fn damaged(reason: impl std::fmt::Display) -> VmError {
    VmError::Guest { message: format!("its answer cannot be read: {reason}") }
}

fn print_exceptions() {
    println!("ignored:");
    IGNORED.iter().for_each(|what| println!("  {what}"));
    println!("compared in any order:");
    ANY_ORDER.iter().for_each(|what| println!("  {what}"));
}

/// Prints one dump's line and its differences; tells whether there are none.
fn print_comparison(dump: &Dump, venue: &str, live: &LiveState) -> bool {
    let differences = compare(dump, live);
    let lines = dump.text.lines().filter(|line| !line.trim().is_empty()).count();
    let how = if dump.kind.is_input() { "as rendered" } else { venue };
    match differences.len() {
        0 => println!("{}: no difference in {lines} lines ({how})", dump.name),
        count => println!("{}: {count} differences in {lines} lines ({how})", dump.name),
    }
    differences.iter().for_each(|difference| println!("  {difference}"));
    differences.is_empty()
}
