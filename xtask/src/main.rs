//! The repository's own commands: `cargo xtask bench`, `bench-instructions`, `test`, `baseline`, `ebpf`, `fuzz`, `mutants` and `publish`.

mod bench;
mod deny;
mod ebpf;
mod fuzz;
mod gate;
mod instructions;
mod mutants;
mod packages;
mod publish;
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
    /// Set up, count the instructions of the pure code, and compare with the committed baseline.
    BenchInstructions(instructions::Args),
    /// Set up and run every check and test.
    Test,
    /// Set up, build, and measure the baseline that `test` gates on. Options go to `lbcurve baseline update`.
    Baseline {
        /// Options of `lbcurve baseline update`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Build the eBPF object, or check the committed one.
    Ebpf(ebpf::Args),
    /// Measure every kernel that the distribution offers, and publish the run in results/.
    Publish(publish::Args),
    /// Break the simulated datapaths in every way of a list, and see that the conformance suites notice.
    Mutants(mutants::Args),
    /// Fuzz the readers of files.
    Fuzz(fuzz::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Bench { options } => bench::lbcurve(&["run"], &options),
        Command::Baseline { options } => bench::lbcurve(&["baseline", "update"], &options),
        Command::BenchInstructions(args) => instructions::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Test => test::test().map(|()| ExitCode::SUCCESS),
        Command::Publish(args) => publish::publish(&args),
        Command::Fuzz(args) => fuzz::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Mutants(args) => mutants::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Ebpf(args) => ebpf::run(&args).map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("cargo xtask: {error:#}");
        ExitCode::FAILURE
    })
}
