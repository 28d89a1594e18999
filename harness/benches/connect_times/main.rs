//! `cargo bench -p lbcurve --bench connect_times` (root): the time to connect that `--connections` reports, beside that of a client that is none of ours.
//!
//! The other is curl (Debian's package `curl`), which writes down the microseconds that each of its connections took to be made. Both are closed loops of
//! as many connections at a time (curl: `--parallel-max`), from the same client namespace through the same programmed node to the same servers, which answer
//! curl's HTTP as they answer ours: a short answer, then they close. Trials alternate: ours, curl's, ours. Of each trial p50 and p90 of the time to connect are
//! taken, and of all trials of a client an order-statistic interval of their median; two intervals that meet agree.
//!
//! What a client does itself on the way to a connection is in its times: curl makes ten system calls before `connect()` and six after it, ours three and
//! three, and a loop with many connections lets one wait for the others. In what a datapath takes beyond the first one (`direct-conntrack`), trial by trial of the
//! same round, that cancels; the command fails where those intervals, at one connection at a time, do not meet. At the end the kernel says how long it was
//! from `SYN_SENT` to `ESTABLISHED` (see [`handshake`]), without any call of a client, and how long for clients that leave more or less of the caches
//! to it (see [`in_kernel`]).
//! Options: `-- --backends nftables --services 100 --at-a-time 1,16 --trials 12 --exchanges 2000`.
//!
//! `cargo test` runs it too, in small, and then asks only that both clients connected each time.

mod handshake;
mod in_kernel;
mod plain;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU32;
use std::process::{Command, ExitCode, Output};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use curve_stats::{Spread, StatsError, median, quantile, spread};
use lbcurve::backend::{Backend, BackendError, backend};
use lbcurve::chain::one_line;
use lbcurve::connections::{Asked, ConnectionOrder, ConnectionsError, Servers, generate};
use lbcurve::net::{NetError, Topology};
use lbcurve::result::{BackendKind, ConnectionLoad};
use lbcurve::venue::host::release;
use lbcurve::workload::{AddressPlan, Protocol, VipLayout, Workload, WorkloadError, WorkloadSpec};

use handshake::TraceError;

/// How long an exchange may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Quantiles of a trial that are compared.
const QUANTILES: [(&str, f64); 2] = [("p50", 0.5), ("p90", 0.9)];

#[derive(Debug, Parser)]
struct Args {
    /// Datapaths.
    #[arg(long, value_delimiter = ',', default_values = ["direct-conntrack", "iptables-legacy", "nftables"])]
    backends: Vec<BackendKind>,
    /// N; the last service is asked.
    #[arg(long, default_value_t = 100)]
    services: u32,
    /// Connections at a time, several with commas.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16])]
    at_a_time: Vec<u32>,
    /// Trials of each client.
    #[arg(long, default_value_t = 12)]
    trials: u32,
    /// Connections of a trial.
    #[arg(long, default_value_t = 2_000)]
    exchanges: u32,
    /// What `cargo bench` passes.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Why there is nothing to compare.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error(transparent)]
    Connections(#[from] ConnectionsError),
    #[error(transparent)]
    Statistics(#[from] StatsError),
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error("0 connections at a time, or none at all, are nothing to compare")]
    Nothing,
    #[error("no curl: apt-get install curl")]
    NoCurl(#[source] io::Error),
    #[error("curl ended with {status}: {said}")]
    Curl { status: std::process::ExitStatus, said: String },
    #[error("{client} connected {connected} times of {asked}")]
    Failed { client: &'static str, connected: usize, asked: u32 },
    #[error("curl said {0:?}, which is no time to connect")]
    Said(String),
    #[error("the plain client cannot {action}")]
    Plain {
        action: &'static str,
        #[source]
        source: io::Error,
    },
}

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let is_bench = words.iter().any(|word| word == "--bench");
    let args = if is_bench {
        Args::parse()
    } else if words.is_empty() || words.iter().any(|word| "connect_times".contains(word.as_str())) {
        println!("connect_times: a test, too short for its figures to mean anything");
        let backends = vec![BackendKind::DirectConntrack, BackendKind::Nftables];
        Args { backends, services: 2, at_a_time: vec![1, 4], trials: 2, exchanges: 50, bench: false }
    } else {
        // `cargo test NAME` asks for another test.
        return ExitCode::SUCCESS;
    };
    match compare(&args) {
        Ok(agree) if agree || !is_bench => ExitCode::SUCCESS,
        Ok(_) => {
            eprintln!("connect_times: what a datapath takes beyond the first differs between the clients");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("connect_times: {}", one_line(&error));
            ExitCode::FAILURE
        }
    }
}

/// Prints the table; whether what datapaths take beyond the first one agrees.
fn compare(args: &Args) -> Result<bool, BenchError> {
    if args.exchanges == 0 || args.backends.is_empty() {
        return Err(BenchError::Nothing);
    }
    println!(
        "Time to connect, us: median over {} trials of {} connections, and its interval",
        args.trials, args.exchanges
    );
    println!("kernel {}, N = {}, the last service; {}", release(), args.services, curl_version()?);
    let sites = args.backends.iter().map(|kind| Site::new(*kind, args.services)).collect::<Result<Vec<_>, _>>()?;
    let mut agree = true;
    for &at_a_time in &args.at_a_time {
        let load = NonZeroU32::new(at_a_time).ok_or(BenchError::Nothing)?;
        println!("\n{:<34}      {:<26} {:<26}", format!("{at_a_time} at a time"), "lbcurve", "curl");
        let trials = rounds(&sites, load, args)?;
        let Some((first, first_kind)) = trials.first().zip(args.backends.first()) else { continue };
        let first_name = lbcurve::result::name(first_kind);
        for (own, kind) in trials.iter().zip(&args.backends) {
            print(&lbcurve::result::name(kind), own)?;
        }
        for (own, kind) in trials.iter().zip(&args.backends).skip(1) {
            let meet = print(&format!("{} - {first_name}", lbcurve::result::name(kind)), &own.beyond(first))?;
            agree &= meet || at_a_time > 1;
        }
    }
    in_kernel::compare(&sites, args)?;
    Ok(agree)
}

/// Every client on every site in turn, round after round; the first round is not counted.
fn rounds(sites: &[Site], at_a_time: NonZeroU32, args: &Args) -> Result<Vec<Trials>, BenchError> {
    let mut all: Vec<_> = sites.iter().map(|_| Trials::default()).collect();
    for round in 0..=args.trials {
        for (site, trials) in sites.iter().zip(&mut all) {
            let ours = site.ours(at_a_time, args.exchanges)?;
            let theirs = site.theirs(at_a_time, args.exchanges, round)?;
            trials.add(round, ours, theirs);
        }
    }
    Ok(all)
}

/// Both clients' figures, a line a quantile; whether all intervals meet.
fn print(what: &str, trials: &Trials) -> Result<bool, BenchError> {
    let mut agree = true;
    for (index, (name, _)) in QUANTILES.iter().enumerate() {
        let [ours, theirs] = [&trials.ours, &trials.theirs].map(|all| all.iter().map(|trial| trial[index]));
        let (ours, theirs) = (Figure::of(ours)?, Figure::of(theirs)?);
        let meet = ours.meets(&theirs);
        agree &= meet;
        let verdict = if meet { "agree" } else { "differ" };
        println!("{what:<34} {name}  {:<26} {:<26} {verdict}", ours.text(), theirs.text());
    }
    Ok(agree)
}

/// A programmed node, and servers behind it.
struct Site {
    topology: Topology,
    asked: Asked,
    clients: ipnet::Ipv4Net,
    _servers: Servers,
    _balancer: Box<dyn Backend>,
}

/// Quantiles of every trial, in the order of [`QUANTILES`], microseconds.
#[derive(Default)]
struct Trials {
    ours: Vec<[f64; 2]>,
    theirs: Vec<[f64; 2]>,
}

impl Trials {
    /// Takes a round's; the first does not count.
    fn add(&mut self, round: u32, ours: [f64; 2], theirs: [f64; 2]) {
        if round > 0 {
            self.ours.push(ours);
            self.theirs.push(theirs);
        }
    }

    /// What each trial took beyond that of `other` in the same round.
    fn beyond(&self, other: &Self) -> Self {
        let less = |own: &[[f64; 2]], other: &[[f64; 2]]| {
            own.iter().zip(other).map(|(own, other)| [own[0] - other[0], own[1] - other[1]]).collect()
        };
        Self { ours: less(&self.ours, &other.ours), theirs: less(&self.theirs, &other.theirs) }
    }
}

impl Site {
    fn new(kind: BackendKind, services: u32) -> Result<Self, BenchError> {
        let (layout, addresses, protocol) = (VipLayout::Sequential, AddressPlan::default(), Protocol::Tcp);
        let spec = WorkloadSpec { services, endpoints: 2, layout, protocol, seed: 0, addresses };
        let workload = Workload::generate(&spec)?;
        let topology = Topology::create(&workload.addresses)?;
        let balancer = backend(kind);
        {
            let _inside = topology.node.enter()?;
            balancer.apply(&workload)?;
        }
        let asked = asked(&workload, kind).ok_or(BenchError::Nothing)?;
        let endpoints: BTreeSet<_> = asked.endpoints.keys().copied().collect();
        let servers = Servers::start(&topology.backend, protocol, &endpoints)?;
        let clients = workload.addresses.client_range;
        Ok(Self { topology, asked, clients, _servers: servers, _balancer: balancer })
    }

    fn ours(&self, at_a_time: NonZeroU32, exchanges: u32) -> Result<[f64; 2], BenchError> {
        let order = ConnectionOrder {
            load: ConnectionLoad::Closed(at_a_time),
            protocol: Protocol::Tcp,
            asked: vec![self.asked.clone()],
            most: exchanges.into(),
            first: 0,
            duration: Duration::from_secs(60),
            patience: PATIENCE,
            seed: 0,
            clients: self.clients,
        };
        let outcome = generate(&self.topology.client, &order)?;
        let connected = usize::try_from(outcome.succeeded).unwrap_or(usize::MAX);
        all_connected("lbcurve", connected, exchanges)?;
        Ok(QUANTILES.map(|(_, quantile)| outcome.connect.value_at_quantile(quantile) as f64 / 1e3))
    }

    /// Every trial comes from an address of its own, so that no port of the one before comes again.
    fn theirs(&self, at_a_time: NonZeroU32, exchanges: u32, trial: u32) -> Result<[f64; 2], BenchError> {
        let from = Ipv4Addr::from(u32::from(self.clients.broadcast()) - 1 - trial % 250);
        let output = self.curl(at_a_time, exchanges, from)?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(BenchError::Curl { status: output.status, said });
        }
        let times = said.lines().map(microseconds).collect::<Result<Vec<_>, _>>()?;
        all_connected("curl", times.len(), exchanges)?;
        let [p50, p90] = QUANTILES.map(|(_, probability)| quantile(&times, probability));
        Ok([p50?, p90?])
    }

    fn curl(&self, at_a_time: NonZeroU32, exchanges: u32, from: Ipv4Addr) -> Result<Output, BenchError> {
        let mut command = Command::new("curl");
        // Neither a file nor a proxy of the user's.
        command.env_clear().args(["-q", "--noproxy", "*", "--silent", "--show-error", "--no-progress-meter"]);
        if at_a_time.get() > 1 {
            command.args(["--parallel", "--parallel-immediate", "--parallel-max", &at_a_time.to_string()]);
        }
        let interface = format!("host!{from}");
        command.args([
            "--interface",
            &interface,
            "--max-time",
            &PATIENCE.as_secs().to_string(),
            "--output",
            "/dev/null",
        ]);
        command.args(["--write-out", WRITE_OUT]).arg(format!("http://{}/?[1-{exchanges}]", self.asked.address));
        let _inside = self.topology.client.enter()?;
        command.output().map_err(BenchError::NoCurl)
    }
}

/// What curl says of each transfer: whether it was answered, on how many new connections, and seconds since it was begun until the address was known
/// and until the connection was there.
const WRITE_OUT: &str = "%{http_code} %{num_connects} %{time_namelookup} %{time_connect}\n";

/// From when curl knew the address, as ours does from the beginning, to the connection.
fn microseconds(line: &str) -> Result<f64, BenchError> {
    let said = || BenchError::Said(line.to_owned());
    let ["200", "1", looked_up, connected] = line.split(' ').collect::<Vec<_>>()[..] else { return Err(said()) };
    let seconds = |text: &str| text.parse::<f64>().map_err(|_| said());
    Ok((seconds(connected)? - seconds(looked_up)?) * 1e6)
}

fn all_connected(client: &'static str, connected: usize, asked: u32) -> Result<(), BenchError> {
    if connected == asked as usize { Ok(()) } else { Err(BenchError::Failed { client, connected, asked }) }
}

/// The last service, or where nothing balances load, its first pod.
fn asked(workload: &Workload, kind: BackendKind) -> Option<Asked> {
    let service = workload.services.last()?;
    let pods = service.endpoints.iter().map(|pod| SocketAddrV4::new(pod.addr, pod.port));
    if kind.balances() {
        return Some(Asked {
            address: SocketAddrV4::new(service.vip, service.port),
            endpoints: Arc::new(pods.zip(0..).collect()),
        });
    }
    let pod = pods.take(1).next()?;
    Some(Asked { address: pod, endpoints: Arc::new([(pod, 0)].into()) })
}

fn curl_version() -> Result<String, BenchError> {
    let output = Command::new("curl").arg("--version").output().map_err(BenchError::NoCurl)?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

/// The median over trials and its interval.
struct Figure {
    median: f64,
    spread: Spread,
}

impl Figure {
    fn of(values: impl Iterator<Item = f64>) -> Result<Self, BenchError> {
        let values: Vec<_> = values.collect();
        Ok(Self { median: median(&values)?, spread: spread(&values)? })
    }

    fn meets(&self, other: &Self) -> bool {
        self.spread.low() <= other.spread.high() && other.spread.low() <= self.spread.high()
    }

    /// `61.2 [60.1, 63.0]`; a range of few trials `61.2 (60.1 to 63.0)`.
    fn text(&self) -> String {
        let (low, high) = (self.spread.low(), self.spread.high());
        let mut text = format!("{:.1} ", self.median);
        let written = match self.spread.level() {
            Some(_) => write!(text, "[{low:.1}, {high:.1}]"),
            None => write!(text, "({low:.1} to {high:.1})"),
        };
        written.map(|()| text).unwrap_or_default()
    }
}
