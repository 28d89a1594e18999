//! Raw arguments, as clap reads them.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::compare_args::CompareArgs;
use super::gate_args::{BaselineArgs, GateArgs};
use crate::result::{BackendKind, Flow, NewShare, PacketSize, Position, RateMethod};
use crate::run::scenario::{LoadWish, Preset, ScenarioError, VenueChoice, Wishes};
use crate::venue::vm::{KernelSource, pair_kernels};
use crate::workload::{EndpointChoice, Protocol, Scheduler, VipLayout};

/// Measures how Kubernetes service load balancing scales on a Linux node.
#[derive(Debug, Parser)]
#[command(name = "lbcurve", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure: program the services, time packets inside the kernel, fit curves, write a report.
    Run(Box<RunArgs>),
    /// Say for each venue and backend whether it is ready, or why not and what to do.
    Doctor(DoctorArgs),
    /// Download and unpack kernels for the vm into the cache, and print what names each of them exactly.
    Fetch(FetchArgs),
    /// Program the services of kube-proxy dumps and compare the kernel's state with them.
    Verify(VerifyArgs),
    /// Render a run's report again from its run.json.
    Report(ReportArgs),
    /// Compare two runs, or two kernels or backends within one, cell by cell.
    Compare(CompareArgs),
    /// Put a finished run into the directory of published ones, with its reading in words, and into their index.
    Publish(PublishArgs),
    /// Measure and say whether anything became slower: against a baseline file, or against another binary or kernel.
    Gate(Box<GateArgs>),
    /// Keep the baselines that `gate --baseline` compares with.
    Baseline(BaselineArgs),
    /// Hold the claims about iptables and IPVS to a run: a verdict each, with the figures behind it.
    Claims(ClaimsArgs),
    /// Print what a step that the models count costs in a run's instructions.
    Model(ModelArgs),
    /// Make the visits that `lbcurve gate` asks for on standard input.
    #[command(hide = true)]
    Visit,
    /// Remove what a killed run left behind.
    Clean,
}

/// Arguments of `lbcurve run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// TOML scenario; the options below override it.
    #[arg(value_name = "SCENARIO")]
    pub scenario: Option<PathBuf>,
    /// How much to measure [default: quick].
    #[arg(long)]
    pub preset: Option<Preset>,
    /// Where to measure [default: auto].
    #[arg(long)]
    pub venue: Option<VenueChoice>,
    /// Backends; the baselines direct and direct-conntrack are always measured too.
    #[arg(long, value_delimiter = ',')]
    pub backends: Option<Vec<BackendKind>>,
    /// N, e.g. 1,10,100.
    #[arg(long, value_delimiter = ',')]
    pub services: Option<Vec<u32>>,
    /// M, e.g. 2,10.
    #[arg(long, value_delimiter = ',')]
    pub endpoints: Option<Vec<u32>>,
    /// VIP layouts.
    #[arg(long, value_delimiter = ',')]
    pub layout: Option<Vec<VipLayout>>,
    /// Protocols of services and packets [default: tcp].
    #[arg(long, value_delimiter = ',')]
    pub protocol: Option<Vec<Protocol>>,
    /// Flows [default: new,established].
    #[arg(long, value_delimiter = ',')]
    pub flows: Option<Vec<Flow>>,
    /// Positions of the service that packets ask for: first, middle, last, random, missing, zipf:1.1 (by popularity, with its
    /// exponent). Rates and connections are then measured at all of them, and not at the backend's worst alone.
    #[arg(long, value_delimiter = ',', value_parser = str::parse::<Position>)]
    pub positions: Option<Vec<Position>>,
    /// Seed of everything drawn [default: 42].
    #[arg(long)]
    pub seed: Option<u64>,
    /// Trials a cell [default: 10; 5 where the vm counts instructions].
    #[arg(long)]
    pub trials: Option<u32>,
    /// Packets a trial.
    #[arg(long)]
    pub packets: Option<u32>,
    /// Scheduler of IPVS [default: rr, as kube-proxy's].
    #[arg(long)]
    pub scheduler: Option<Scheduler>,
    /// Also write down which endpoint each of so many flows reaches, a cell [default: none].
    #[arg(long, value_name = "FLOWS")]
    pub decisions: Option<NonZeroU32>,
    /// Also hold every way of spreading flows that a backend has (all schedulers of IPVS) to its promise, with so many flows each, and
    /// see what becomes of them when an endpoint comes or goes [default: none; 10000 without a number].
    #[arg(long, value_name = "FLOWS", num_args = 0..=1, require_equals = true, default_missing_value = "10000")]
    pub fairness: Option<NonZeroU32>,
    /// Also open real connections, on the host and in a vm that does not count (--deterministic=false): 16 (so many at a time), 2000/s (so many a second, whatever becomes of those before),
    /// keep-alive:16 (requests on so many that stay open), reuse:16 (from so many ports again and again; reuse0:16 and reuse1:16
    /// with IPVS's conn_reuse_mode set), stream:4 (bulk bytes on so many) or 16@90% (so many at a time, connection tracking 90% full);
    /// several with commas; or none [default: none; 16 with --cluster].
    #[arg(long, value_name = "LOAD", value_delimiter = ',')]
    pub connections: Option<Vec<LoadWish>>,
    /// Also search, on the host, how many packets a second each backend carries: mrr (the most that arrives, seconds a cell), quick
    /// (and what is carried without and with 0.5% loss, by MLRsearch) or csit (the same by FD.io CSIT's goals, minutes a cell)
    /// [default: none].
    #[arg(long, value_name = "METHOD")]
    pub rates: Option<RateMethod>,
    /// Also ping a ClusterIP in each mode, from a client and from the node, with and without the filter rules that kube-proxy has since
    /// v1.27, and find out where connections to a load balancer's address go that a service shares with an Ingress.
    #[arg(long)]
    pub reachability: bool,
    /// Bytes of the Ethernet frames that rates are searched for with, e.g. 64,1500,imix [default: 64].
    #[arg(long, value_delimiter = ',', value_name = "BYTES")]
    pub packet_sizes: Option<Vec<PacketSize>>,
    /// Also search for rates with mixes of flows: these shares of packets open a flow each, e.g. 1%,10%, the others belong to established
    /// ones [default: none].
    #[arg(long, value_delimiter = ',', value_name = "SHARE")]
    pub new_share: Option<Vec<NewShare>>,
    /// Directory of the run; the same command with the same directory resumes it [default: runs/PRESET, or
    /// runs/ and the name of the cluster's file].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Run cells whose programming holds a CPU in the kernel for more than a minute.
    #[arg(long)]
    pub allow_slow: bool,
    /// Count instructions in the vm instead of time (the default under software emulation).
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub deterministic: Option<bool>,
    /// Kernels of the vm.
    #[command(flatten)]
    pub kernels: KernelArgs,
    /// Service CIDR, where the default is too narrow [default: 10.64.0.0/10].
    #[arg(long, value_name = "CIDR")]
    pub service_cidr: Option<ipnet::Ipv4Net>,
    /// How the eBPF backends choose an endpoint for a new flow [default: random].
    #[arg(long, value_name = "HOW")]
    pub endpoint_choice: Option<EndpointChoice>,
    /// Import the services from a file, in place of N services x M endpoints: `kubectl get services,endpointslices -A -o json`
    /// (or yaml), or plain manifests. Reports what a first packet is expected to cost and, where time is measured and not
    /// instructions, connections a second: --venue vm --deterministic=false does both in every mode.
    #[arg(long, value_name = "FILE")]
    pub cluster: Option<PathBuf>,
    /// Repeat the imported services so many times, e.g. 1,10 [default: 1].
    #[arg(long, value_delimiter = ',', value_name = "K")]
    pub scale: Option<Vec<u32>>,
    /// Self-test of the gate: program one rule that matches nothing per this many services (iptables modes).
    #[arg(long, value_name = "K", hide = true)]
    pub self_test_ballast: Option<NonZeroU32>,
    /// Self-test of fairness: program the first endpoint of every service to get so many times its share.
    #[arg(long, value_name = "TIMES", hide = true)]
    pub self_test_bias: Option<NonZeroU32>,
}

/// The kernels of the vm, for every command that has some.
#[derive(Debug, Args)]
pub struct KernelArgs {
    /// Kernel for the vm instead of the distribution's, repeatable: a package (linux-image-amd64), a suite
    /// (trixie-backports), both (linux-image-amd64/sid), or an image file (./vmlinuz) with --modules.
    #[arg(long, value_name = "KERNEL")]
    pub kernel: Vec<String>,
    /// Modules directory (lib/modules/RELEASE) of a kernel that is a file; one each, in order.
    #[arg(long, value_name = "DIR")]
    pub modules: Vec<PathBuf>,
}

/// Arguments of `lbcurve fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// Kernels to fetch.
    #[command(flatten)]
    pub kernels: KernelArgs,
}

/// Arguments of `lbcurve doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Kernels of the vm.
    #[command(flatten)]
    pub kernels: KernelArgs,
}

/// Arguments of `lbcurve verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Dumps of what kube-proxy programmed: *.iptables-save, *.nft, *.ipset, *.ipvs, *.transaction, *.restore-input.
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    pub dump: Vec<PathBuf>,
    /// Where to program them [default: auto, the vm for IPVS where this kernel has none].
    #[arg(long, default_value = "auto")]
    pub venue: VenueChoice,
}

/// Arguments of `lbcurve publish`.
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// Directory of the run, or its run.json.
    pub run: PathBuf,
    /// Directory of published runs; its README.md is their index.
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
    /// Page that shows the newest run's plot between its markers.
    #[arg(long, value_name = "FILE")]
    pub readme: Option<PathBuf>,
}

/// Arguments of `lbcurve report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Directory of the run, or its run.json.
    pub run: PathBuf,
    /// What to write.
    #[arg(long, default_value = "html")]
    pub format: ReportFormat,
    /// Where to, "-" for standard output [default: html, svg and hlog beside run.json, the others standard output].
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Arguments of `lbcurve claims`.
#[derive(Debug, Args)]
pub struct ClaimsArgs {
    /// Directory of the run, or its run.json.
    pub run: PathBuf,
    /// What to write on standard output.
    #[arg(long, default_value = "table")]
    pub format: ClaimsFormat,
}

/// Arguments of `lbcurve model`.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// Directory of the run, or its run.json.
    pub run: PathBuf,
}

/// Formats of `lbcurve claims`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClaimsFormat {
    /// Plain text.
    Table,
    /// Markdown.
    Md,
    /// JSON.
    Json,
}

/// Formats of `lbcurve report`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// report.html: one page that loads nothing.
    Html,
    /// A table as text.
    Table,
    /// Verdicts and medians as Markdown, for a pull request or a README.
    Md,
    /// report.svg: the main plot, for a README.
    Svg,
    /// Every point of every curve, one row each.
    Csv,
    /// How flows were spread, one row a cell, way of spreading and change.
    FairnessCsv,
    /// Bencher Metric Format (JSON).
    Bmf,
    /// trials.hlog: every trial's histogram as an HdrHistogram interval log, tagged with its cell.
    Hlog,
}

impl KernelArgs {
    /// The kernels that are named.
    ///
    /// # Errors
    /// One is no kernel, or files and modules do not pair.
    fn sources(&self) -> Result<Vec<KernelSource>, ScenarioError> {
        Ok(pair_kernels(&self.kernel, &self.modules)?)
    }

    /// As `sources`, the distribution's where none is named.
    ///
    /// # Errors
    /// As there.
    pub fn sources_or_default(&self) -> Result<Vec<KernelSource>, ScenarioError> {
        let sources = self.sources()?;
        Ok(if sources.is_empty() { vec![KernelSource::default()] } else { sources })
    }
}

impl RunArgs {
    /// The scenario file's wishes, overridden by the options.
    ///
    /// # Errors
    /// The scenario file cannot be read or is none.
    pub fn wishes(self) -> Result<Wishes, ScenarioError> {
        let file = self.scenario.as_deref().map(Wishes::read).transpose()?.unwrap_or_default();
        let line = Wishes {
            preset: self.preset,
            venue: self.venue,
            backends: self.backends,
            services: self.services,
            endpoints: self.endpoints,
            layout: self.layout,
            protocol: self.protocol,
            flows: self.flows,
            positions: self.positions,
            seed: self.seed,
            trials: self.trials,
            packets: self.packets,
            allow_slow: self.allow_slow.then_some(true),
            deterministic: self.deterministic,
            kernel: Some(self.kernels.kernel).filter(|kernels| !kernels.is_empty()),
            modules: Some(self.kernels.modules).filter(|modules| !modules.is_empty()),
            service_cidr: self.service_cidr,
            scheduler: self.scheduler,
            decisions: self.decisions,
            fairness: self.fairness,
            connections: self.connections,
            rates: self.rates,
            reachability: self.reachability.then_some(true),
            packet_sizes: self.packet_sizes,
            new_share: self.new_share,
            endpoint_choice: self.endpoint_choice,
            cluster: self.cluster,
            scale: self.scale,
            self_test_ballast: self.self_test_ballast,
            self_test_bias: self.self_test_bias,
        };
        Ok(line.or(file))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_workflow_to_copy_measures_what_its_page_says() {
        let docs = |file: &str| {
            let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs").join(file);
            std::fs::read_to_string(path).unwrap()
        };
        let workflow = docs("ci/github-actions.yml");
        let options = workflow.lines().find_map(|line| line.trim().strip_prefix("OPTIONS: ")).unwrap();
        assert!(docs("ci.md").contains(&format!("lbcurve run {options}\n")), "{options}");
        let parsed = Cli::try_parse_from(["lbcurve", "run"].into_iter().chain(options.split(' '))).unwrap();
        let Command::Run(arguments) = parsed.command else { panic!("{options}") };
        let scenario = arguments.wishes().unwrap().resolve().unwrap();
        assert_eq!((scenario.venue, scenario.rates), (VenueChoice::Host, Some(RateMethod::Mrr)));
    }
}
