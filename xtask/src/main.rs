//! The repository's own commands: `cargo xtask bench`, `test`, `ebpf` and `fuzz`.

mod bench;
mod deny;
mod ebpf;
mod fuzz;
mod packages;
mod steps;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// lbcurve's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set up, build, measure, write a report. Options go to `lbcurve run`.
    Bench {
        /// Options of `lbcurve run`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Set up and run every check and test.
    Test,
    /// Build the eBPF object, or check the committed one.
    Ebpf(ebpf::Args),
    /// Fuzz the readers of files.
    Fuzz(fuzz::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Bench { options } => bench::bench(&options),
        Command::Test => test::test().map(|()| ExitCode::SUCCESS),
        Command::Fuzz(args) => fuzz::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Ebpf(args) => ebpf::run(&args).map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("cargo xtask: {error:#}");
        ExitCode::FAILURE
    })
}
