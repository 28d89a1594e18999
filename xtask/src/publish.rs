//! `cargo xtask publish`: measure every kernel that the distribution offers, and put the run beside those that are published.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail};

use crate::{packages, steps};

/// The kernels that a distribution offers: the machine's own, the stable suite's, and the newest. Suites are named by their
/// state, so that the list does not age; one kernel that two of them lead to is measured once.
const KERNELS: &[&str] = &["linux-image-amd64", "stable", "unstable"];

/// What `--traffic` adds to `lbcurve run`: options and their values.
const TRAFFIC: &[(&str, Option<&str>)] = &[
    ("--rates", Some("quick")),
    ("--connections", Some("16,keep-alive:16,reuse:16,16@90%")),
    ("--fairness", None),
    ("--reachability", None),
];

/// Options of `cargo xtask publish`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Kernel to measure instead of those that the distribution offers, repeatable; as `lbcurve run --kernel`.
    #[arg(long)]
    kernel: Vec<String>,
    /// Modules directory of a kernel that is a file.
    #[arg(long)]
    modules: Vec<String>,
    /// How much to measure.
    #[arg(long, default_value = "standard")]
    preset: String,
    /// Where to measure: auto is the vm for all kernels, and the host for the backends that it can.
    #[arg(long, default_value = "auto")]
    venue: String,
    /// Also measure rates, real connections, fairness and reachability, each where a venue can: hours more on the host.
    #[arg(long)]
    traffic: bool,
    /// Directory of published runs.
    #[arg(long, default_value = "results")]
    out: PathBuf,
    /// Page that shows the plot of the run; none is touched where --out is another directory than the repository's.
    #[arg(long)]
    readme: Option<PathBuf>,
    /// Further options of `lbcurve run`, after `--`; one that --traffic has too stands in its place.
    #[arg(last = true)]
    options: Vec<String>,
}

/// Sets up, builds, measures and publishes. The same command goes on where an interrupted one was.
///
/// # Errors
/// Set-up failed, or no kernel can be had.
pub(crate) fn publish(args: &Args) -> anyhow::Result<ExitCode> {
    packages::ensure(&[packages::FOR_RUNS])?;
    let lbcurve = steps::build_lbcurve()?;
    let kernels = if args.kernel.is_empty() { offered(&lbcurve)? } else { exactly(&lbcurve, args)? };
    let run = steps::root().join("target/publish").join(work_name(args, &kernels));
    let measured = measure(&lbcurve, args, &kernels, &run)?;
    if measured != 0 {
        return Ok(ExitCode::from(measured));
    }
    let mut command = Command::new(&lbcurve);
    command.arg("publish").arg(&run).arg("--results").arg(&args.out);
    if let Some(readme) = readme(args) {
        command.arg("--readme").arg(readme);
    }
    steps::run(&mut command)?;
    // What was published is not published twice: the next command measures anew.
    std::fs::remove_dir_all(&run).with_context(|| format!("cannot remove {}", run.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// The repository's own page for the repository's own results.
fn readme(args: &Args) -> Option<PathBuf> {
    let own = args.out == Path::new("results");
    args.readme.clone().or_else(|| own.then(|| PathBuf::from("README.md")))
}

/// Those of [`KERNELS`] that can be had, each named exactly. What cannot be had is said.
fn offered(lbcurve: &Path) -> anyhow::Result<Vec<String>> {
    let mut kernels: Vec<String> = Vec::new();
    for kernel in KERNELS {
        match fetch(lbcurve, &["--kernel", kernel]) {
            Ok(found) => kernels.extend(found),
            Err(error) => eprintln!("kernel of {kernel} is left out: {error:#}"),
        }
    }
    distinct(&mut kernels);
    if kernels.is_empty() {
        bail!("no kernel can be had: see above, or name one with --kernel");
    }
    Ok(kernels)
}

/// The kernels that were asked for, each named exactly; all of them must be there.
fn exactly(lbcurve: &Path, args: &Args) -> anyhow::Result<Vec<String>> {
    let kernels = args.kernel.iter().flat_map(|kernel| ["--kernel", kernel]);
    let modules = args.modules.iter().flat_map(|modules| ["--modules", modules]);
    fetch(lbcurve, &kernels.chain(modules).collect::<Vec<_>>())
}

/// One package may come from two suites; the first one's name serves.
fn distinct(kernels: &mut Vec<String>) {
    let mut seen = std::collections::HashSet::new();
    kernels.retain(|kernel| seen.insert(kernel.split('/').next().unwrap_or_default().to_owned()));
}

/// Has kernels in the cache and tells what names each exactly.
fn fetch(lbcurve: &Path, arguments: &[&str]) -> anyhow::Result<Vec<String>> {
    let mut command = Command::new(lbcurve);
    command.arg("fetch").args(arguments).stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("cannot start {}", lbcurve.display()))?;
    if !output.status.success() {
        bail!("`lbcurve fetch {}` failed ({})", arguments.join(" "), output.status);
    }
    named(&String::from_utf8_lossy(&output.stdout))
}

/// The second column of what `lbcurve fetch` prints.
fn named(text: &str) -> anyhow::Result<Vec<String>> {
    let name = |line: &str| line.split('\t').nth(1).map(str::to_owned);
    text.lines().map(|line| name(line).with_context(|| format!("`lbcurve fetch` printed {line:?}"))).collect()
}

/// Directory of the work: other kernels and options have another.
fn work_name(args: &Args, kernels: &[String]) -> String {
    use sha2::{Digest as _, Sha256};
    let parts = [kernels, &args.modules, &options(args)].concat().join(" ");
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(format!("{} {parts}", args.venue))[..6]);
    format!("{}-{digest}", args.preset)
}

/// Options of `lbcurve run` beyond those of this command: what `--traffic` adds, unless it is named after `--`, and what stands there.
fn options(args: &Args) -> Vec<String> {
    let is_named = |name: &str| args.options.iter().any(|option| option.split('=').next() == Some(name));
    let added = TRAFFIC.iter().filter(|(name, _)| args.traffic && !is_named(name));
    let words = added.flat_map(|(name, value)| std::iter::once(*name).chain(*value));
    words.map(str::to_owned).chain(args.options.iter().cloned()).collect()
}

/// Runs `lbcurve run`; its exit code.
fn measure(lbcurve: &Path, args: &Args, kernels: &[String], run: &Path) -> anyhow::Result<u8> {
    let mut command = Command::new(lbcurve);
    command.args(["run", "--preset", &args.preset, "--venue", &args.venue]);
    for kernel in kernels {
        command.args(["--kernel", kernel]);
    }
    for modules in &args.modules {
        command.args(["--modules", modules]);
    }
    // Relative, for the command stands in what is published.
    let root = steps::root();
    command.args(options(args)).arg("--out").arg(run.strip_prefix(&root).unwrap_or(run)).current_dir(&root);
    let status = command.status().with_context(|| format!("cannot start {}", lbcurve.display()))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_column_names_a_kernel() {
        assert_eq!(named("6.1\tlinux-image-6.1/x\torigin 1\n").unwrap(), ["linux-image-6.1/x"]);
        assert!(named("nothing\n").is_err());
    }

    #[test]
    fn a_package_of_two_suites_is_measured_once() {
        let mut kernels =
            ["linux-image-6.12", "linux-image-6.12/stable", "linux-image-7/unstable"].map(str::to_owned).to_vec();
        distinct(&mut kernels);
        assert_eq!(kernels, ["linux-image-6.12", "linux-image-7/unstable"]);
    }

    fn asked(traffic: bool, options: &str) -> Args {
        Args {
            kernel: Vec::new(),
            modules: Vec::new(),
            preset: "standard".to_owned(),
            venue: "auto".to_owned(),
            traffic,
            out: PathBuf::from("results"),
            readme: None,
            options: options.split_whitespace().map(str::to_owned).collect(),
        }
    }

    #[test]
    fn traffic_is_measured_where_it_is_asked_for() {
        let words = |traffic, after: &str| options(&asked(traffic, after)).join(" ");
        assert_eq!(words(false, "--trials 2"), "--trials 2");
        let all = "--rates quick --connections 16,keep-alive:16,reuse:16,16@90% --fairness --reachability";
        assert_eq!(words(true, ""), all);
        assert_eq!(words(true, "--trials 2"), format!("{all} --trials 2"));
        let some = "--rates=mrr --connections none --fairness=500";
        assert_eq!(words(true, some), format!("--reachability {some}"));
    }

    #[test]
    fn a_publication_with_traffic_has_a_directory_of_its_own() {
        assert_ne!(work_name(&asked(true, ""), &[]), work_name(&asked(false, ""), &[]));
    }
}
