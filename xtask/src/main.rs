//! The repository's own commands.

mod ebpf;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about = "The repository's own commands")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the eBPF object, or check the committed one.
    Ebpf(ebpf::Args),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Ebpf(args) => ebpf::run(&args),
    }
}
