//! Raw arguments of `lbcurve compare`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

use super::gate_args::Percent;
use crate::result::BackendKind;

/// Arguments of `lbcurve compare`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("other side").required(true).args(["b", "kernels", "backends"])))]
pub struct CompareArgs {
    /// Directory of a run, or its run.json.
    pub a: PathBuf,
    /// Another run, to compare with the first.
    pub b: Option<PathBuf>,
    /// Compare two kernels of one run, e.g. 6.1.0-50-amd64 6.12; an unambiguous beginning of the release is enough.
    #[arg(long, num_args = 2, value_names = ["K1", "K2"])]
    pub kernels: Option<Vec<String>>,
    /// Compare two backends of one run.
    #[arg(long, num_args = 2, value_names = ["B1", "B2"])]
    pub backends: Option<Vec<BackendKind>>,
    /// Smallest change that counts.
    #[arg(long, default_value = "1%")]
    pub floor: Percent,
    /// What to write to standard output.
    #[arg(long, default_value = "table")]
    pub format: CompareFormat,
}

/// Formats of `lbcurve compare`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// A table for the terminal.
    Table,
    /// Markdown for a pull request.
    Md,
    /// JSON, as results/schema/compare.schema.json says.
    Json,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::args::Cli;

    #[test]
    fn there_is_one_other_side() {
        let parse = |rest: &[&str]| Cli::try_parse_from([&["lbcurve", "compare"], rest].concat());
        assert!(parse(&["a", "b"]).is_ok());
        assert!(parse(&["a", "--kernels", "6.1", "6.12", "--floor", "2%"]).is_ok());
        assert!(parse(&["a", "--backends", "ipvs", "nftables", "--format", "md"]).is_ok());
        let wrong: [&[&str]; 6] = [
            &["a"],
            &[],
            &["a", "b", "--kernels", "6.1", "6.12"],
            &["a", "--kernels", "6.1", "6.12", "--backends", "ipvs", "nftables"],
            &["a", "--backends", "ipvs"],
            &["a", "b", "--floor", "0.01"],
        ];
        for rest in wrong {
            assert!(parse(rest).is_err(), "{rest:?}");
        }
    }
}
