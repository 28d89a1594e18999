//! The command line: raw arguments to validated ones, errors to exit codes.

mod against;
mod against_args;
mod against_kernel;
pub mod args;
mod baseline;
mod claims;
mod clean;
mod compare;
pub mod compare_args;
mod doctor;
mod error;
mod fetch;
mod gate;
pub mod gate_args;
mod model;
mod publish;
mod report;
mod run;
mod seeds;
pub mod signals;
mod verify;
mod visit;

use std::process::ExitCode;

use clap::Parser;

pub use error::CliError;

use args::{Cli, Command};

/// Parses the arguments, runs the command and prints an error, if any, in one line.
pub fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()))
        .without_time()
        .init();
    match dispatch(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lbcurve: {}", error.line());
            error.exit_code()
        }
    }
}

fn dispatch(command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Run(args) => run::run(*args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Fetch(args) => fetch::fetch(&args),
        Command::Verify(args) => verify::verify(&args),
        Command::Report(args) => report::report(&args),
        Command::Compare(args) => compare::compare(&args),
        Command::Publish(args) => publish::publish(&args),
        Command::Gate(args) => gate::gate(&args),
        Command::Baseline(args) => baseline::baseline(&args),
        Command::Claims(args) => claims::claims(&args),
        Command::Model(args) => model::model(&args),
        Command::Visit => visit::visit(),
        Command::Clean => clean::clean(),
    }
}
