//! `lbcurve doctor`: for each venue and backend, ready or the reason and the remedy.

use std::process::ExitCode;

use comfy_table::{Table, TableStyle};

use super::CliError;
use super::args::DoctorArgs;
use crate::result::{BackendKind, VenueKind, name};
use crate::venue::host;
use crate::venue::vm::{KernelSource, VmVenue};

const BACKENDS: [BackendKind; 6] = [
    BackendKind::Direct,
    BackendKind::DirectConntrack,
    BackendKind::IptablesLegacy,
    BackendKind::IptablesNft,
    BackendKind::Ipvs,
    BackendKind::Nftables,
];

pub(super) fn doctor(args: &DoctorArgs) -> Result<ExitCode, CliError> {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_header(["venue", "backend", "state"]);
    let answers = [(VenueKind::Host, host_answers()), (VenueKind::Vm, vm_answers(args))];
    let all_ready = answers.iter().all(|(_, states)| states.iter().all(Result::is_ok));
    for (venue, states) in answers {
        for (backend, state) in BACKENDS.into_iter().zip(states) {
            let state = state.map_or_else(|reason| reason, |()| "ready".to_owned());
            table.add_row([name(&venue), name(&backend), state]);
        }
    }
    println!("{table}");
    if !all_ready {
        println!("`lbcurve run` measures what is ready, and says of the rest why it is missing.");
    }
    Ok(ExitCode::SUCCESS)
}

fn host_answers() -> Vec<Result<(), String>> {
    if !host::is_root() {
        return vec![Err("needs root: run with sudo".to_owned()); BACKENDS.len()];
    }
    match host::obstacles(&BACKENDS) {
        Ok(obstacles) => obstacles.into_iter().map(|(_, obstacle)| obstacle.map_or(Ok(()), Err)).collect(),
        Err(error) => vec![Err(error.to_string()); BACKENDS.len()],
    }
}

fn vm_answers(args: &DoctorArgs) -> Vec<Result<(), String>> {
    let source = match (&args.kernel, &args.modules) {
        (Some(kernel), Some(modules)) => KernelSource::Files { kernel: kernel.clone(), modules: modules.clone() },
        _ => KernelSource::default(),
    };
    match VmVenue::open(&source, None, &mut |line| eprintln!("{line}")) {
        Ok(vm) => {
            eprintln!("vm: kernel {} ({:?})", vm.kernel.release, vm.acceleration);
            BACKENDS.iter().map(|&backend| vm.obstacle(backend).map_or(Ok(()), Err)).collect()
        }
        Err(error) => vec![Err(CliError::from(error).line()); BACKENDS.len()],
    }
}
