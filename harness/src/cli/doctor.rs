//! `lbcurve doctor`: for each venue, kernel and backend, ready or the reason and the remedy.

use std::process::ExitCode;

use comfy_table::{Table, TableStyle};

use super::CliError;
use super::args::DoctorArgs;
use crate::chain::one_line;
use crate::preflight;
use crate::result::{BackendKind, VenueKind, name};
use crate::venue::host;
use crate::venue::sim::Model;
use crate::venue::vm::{KernelSource, VmVenue};

const BACKENDS: [BackendKind; 8] = [
    BackendKind::Direct,
    BackendKind::DirectConntrack,
    BackendKind::IptablesLegacy,
    BackendKind::IptablesNft,
    BackendKind::Ipvs,
    BackendKind::Nftables,
    BackendKind::EbpfTc,
    BackendKind::EbpfXdp,
];

/// What one kernel of a venue can run, in the order of [`BACKENDS`].
struct Answer {
    venue: VenueKind,
    kernel: String,
    states: Vec<Result<(), String>>,
}

pub(super) fn doctor(args: &DoctorArgs) -> Result<ExitCode, CliError> {
    let sources = args.kernels.sources_or_default()?;
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_header(["venue", "kernel", "backend", "state"]);
    let kernels = std::iter::once(host_answer()).chain(sources.iter().map(vm_answer));
    let answers: Vec<_> = kernels.chain(Model::ALL.map(model_answer)).collect();
    let all_ready = answers.iter().all(|answer| answer.states.iter().all(Result::is_ok));
    for Answer { venue, kernel, states } in answers {
        for (backend, state) in BACKENDS.into_iter().zip(states) {
            let state = state.map_or_else(|reason| reason, |()| "ready".to_owned());
            table.add_row([name(&venue), kernel.clone(), name(&backend), state]);
        }
    }
    println!("{table}");
    if !all_ready {
        println!("`lbcurve run` measures what is ready, and says of the rest why it is missing.");
    }
    print_noise();
    Ok(ExitCode::SUCCESS)
}

/// How quiet this machine is now, for trials of the host venue.
fn print_noise() {
    let preflight = match preflight::probe() {
        Ok(preflight) => preflight,
        Err(error) => return println!("\nnoise of this machine: unknown: {}", one_line(&error)),
    };
    println!("\nnoise of this machine: {}, score {} of 100", preflight.verdict, preflight.score);
    for finding in &preflight.findings {
        println!("  -{:<3} {}", finding.points, finding.advice);
    }
}

fn host_answer() -> Answer {
    let states = if host::is_root() {
        match host::obstacles(&BACKENDS) {
            Ok(obstacles) => obstacles.into_iter().map(|(_, obstacle)| obstacle.map_or(Ok(()), Err)).collect(),
            Err(error) => vec![Err(error.to_string()); BACKENDS.len()],
        }
    } else {
        vec![Err("needs root: run with sudo".to_owned()); BACKENDS.len()]
    };
    Answer { venue: VenueKind::Host, kernel: host::release(), states }
}

/// A model needs nothing.
fn model_answer(model: Model) -> Answer {
    Answer { venue: VenueKind::Sim, kernel: model.kernel().to_owned(), states: vec![Ok(()); BACKENDS.len()] }
}

fn vm_answer(source: &KernelSource) -> Answer {
    let (kernel, states) = match VmVenue::open(source, None, &mut |line| eprintln!("{line}")) {
        Ok(vm) => {
            eprintln!("vm: kernel {} ({}, {:?})", vm.kernel.release, vm.kernel.origin, vm.acceleration);
            let states = BACKENDS.iter().map(|&backend| vm.obstacle(backend).map_or(Ok(()), Err)).collect();
            (vm.kernel.release, states)
        }
        Err(error) => (source.to_string(), vec![Err(CliError::from(error).line()); BACKENDS.len()]),
    };
    Answer { venue: VenueKind::Vm, kernel, states }
}
