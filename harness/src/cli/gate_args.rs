//! Raw arguments of `lbcurve gate` and `lbcurve baseline`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use super::against_args::AgainstArgs;
use clap::{ArgGroup, Args, Subcommand};

/// Arguments of `lbcurve gate`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("other side").required(true).args(["baseline", "against"])))]
pub struct GateArgs {
    /// Measure in the deterministic vm and compare with this file of `lbcurve baseline update`.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Measure this lbcurve and another, or this kernel and another, turn by turn.
    #[arg(long, value_name = "BINARY|KERNEL")]
    pub against: Option<PathBuf>,
    /// Seeds to measure, at least 3 [default: the baseline's first 3].
    #[arg(long, value_delimiter = ',', conflicts_with = "against")]
    pub seeds: Option<Vec<u64>>,
    /// Smallest change that counts [default: 1%, on the host 3%].
    #[arg(long)]
    pub floor: Option<Percent>,
    /// Write a Markdown summary to this file.
    #[arg(long, value_name = "FILE")]
    pub summary: Option<PathBuf>,
    /// Keep the measurements here; the same command with the same directory resumes them.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Kernel for the vm instead of the distribution's: a package (linux-image-amd64), a suite (trixie-backports), both
    /// (linux-image-amd64/sid), or an image file (./vmlinuz) with --modules.
    #[arg(long, value_name = "KERNEL")]
    pub kernel: Option<String>,
    /// Modules directory (lib/modules/RELEASE) of a kernel that is a file.
    #[arg(long, value_name = "DIR", requires = "kernel")]
    pub modules: Option<PathBuf>,
    /// What is measured turn by turn.
    #[command(flatten)]
    pub against_options: AgainstArgs,
    /// Self-test: program one rule that matches nothing per this many services (iptables modes).
    #[arg(long, value_name = "K", hide = true)]
    pub self_test_ballast: Option<NonZeroU32>,
}

/// Arguments of `lbcurve baseline`.
#[derive(Debug, Args)]
pub struct BaselineArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: BaselineCommand,
}

/// What can be done with baselines.
#[derive(Debug, Subcommand)]
pub enum BaselineCommand {
    /// Measure several seeds in the deterministic vm and write them as the baseline of kernel and plan.
    Update(UpdateArgs),
}

/// Arguments of `lbcurve baseline update`.
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// TOML scenario to gate instead of the default one.
    #[arg(value_name = "SCENARIO")]
    pub scenario: Option<PathBuf>,
    /// Seeds to measure, 3 to 5.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 3, 4, 5])]
    pub seeds: Vec<u64>,
    /// Directory of the baselines.
    #[arg(long, value_name = "DIR", default_value = "results/baselines")]
    pub dir: PathBuf,
    /// Keep the measurements here; the same command with the same directory resumes them.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Kernel for the vm instead of the distribution's: a package (linux-image-amd64), a suite (trixie-backports), both
    /// (linux-image-amd64/sid), or an image file (./vmlinuz) with --modules.
    #[arg(long, value_name = "KERNEL")]
    pub kernel: Option<String>,
    /// Modules directory (lib/modules/RELEASE) of a kernel that is a file.
    #[arg(long, value_name = "DIR", requires = "kernel")]
    pub modules: Option<PathBuf>,
}

/// A share, written as a percentage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percent(f64);

impl Percent {
    /// The floor of the deterministic gate, where none is asked for.
    pub const VM_FLOOR: Self = Self(1.0);

    /// 0.01 of `1%`.
    pub fn share(self) -> f64 {
        self.0 / 100.0
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        let valid = number.filter(|number| (0.0..=100.0).contains(number));
        valid.map(Self).ok_or_else(|| "write a percentage from 0% to 100%, e.g. 1%".to_owned())
    }
}

impl std::fmt::Display for Percent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}%", self.0)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn a_floor_is_a_percentage() {
        let parse = str::parse::<Percent>;
        assert!((parse("1%").unwrap().share() - 0.01).abs() < 1e-12);
        assert_eq!(parse("0.5%").unwrap().to_string(), "0.5%");
        for bad in ["1", "0.01", "-1%", "101%", "NaN%", "%", ""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_other_side_and_no_more() {
        let parse = |args: &[&str]| Cli::try_parse_from([&["lbcurve", "gate"], args].concat());
        assert!(parse(&[]).is_err());
        assert!(parse(&["--baseline", "a", "--against", "b"]).is_err());
        assert!(parse(&["--against", "b", "--seeds", "1,2,3"]).is_err());
        assert!(parse(&["--baseline", "a", "--seeds", "1,2,3", "--floor", "2%"]).is_ok());
        assert!(parse(&["--against", "b"]).is_ok());
    }
}
