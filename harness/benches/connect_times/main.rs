//! `cargo bench -p lbcurve --bench connect_times` (root): the time to connect that `--connections` reports, beside that of clients that are none of ours.
//!
//! Those are httping and curl (Debian's packages), which write down the microseconds that each of their connections took to be made; httping makes one
//! at a time, curl as many as it is asked for (`--parallel-max`). All are closed loops, from the same client namespace through the same programmed node to
//! the same servers, which answer HTTP as they answer ours: a short answer, then they close. Trials alternate: ours, curl's, httping's, ours. Of each trial
//! p50 and p90 of the time to connect are taken, and of all trials of a client an order-statistic interval of their median; two intervals that meet agree.
//!
//! What a client does itself on the way to a connection is in its times: curl makes ten system calls before `connect()` and six after it, ours three and
//! three, and a loop with many connections lets one wait for the others. In what a datapath takes beyond the first one (`direct-conntrack`), trial by trial of the
//! same round, that cancels; the command fails where those intervals, at one connection at a time, do not meet. At the end the kernel says how long it was
//! from `SYN_SENT` to `ESTABLISHED` (see [`handshake`]), without any call of a client, and how long for clients that leave more or less of the caches
//! to it (see [`in_kernel`]).
//! Options: `-- --backends nftables --services 100 --at-a-time 1,16 --trials 12 --exchanges 2000`.
//!
//! `cargo test` runs it too, in small, and then asks only that all clients connected each time.

mod curl;
mod handshake;
mod httping;
mod in_kernel;
mod other;
mod plain;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU32;
use std::process::{ExitCode, ExitStatus};
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
use other::Order;

/// How long an exchange may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Addresses for clients that are none of ours, at the end of their range.
const ADDRESSES: u32 = 1_000;
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
    #[error("no {client}: apt-get install {client}")]
    NoClient {
        client: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("{client} ended with {status}: {said}")]
    Ended { client: &'static str, status: ExitStatus, said: String },
    #[error("{client} connected {connected} times of {asked}")]
    Failed { client: &'static str, connected: usize, asked: u32 },
    #[error("{client} said {said:?}, which is no time to connect")]
    Said { client: &'static str, said: String },
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
    let others = [curl::version()?, httping::version()?].join(", ");
    println!("kernel {}, N = {}, the last service; {others}", release(), args.services);
    let sites = args.backends.iter().map(|kind| Site::new(*kind, args.services)).collect::<Result<Vec<_>, _>>()?;
    let mut agree = true;
    for &at_a_time in &args.at_a_time {
        let load = NonZeroU32::new(at_a_time).ok_or(BenchError::Nothing)?;
        let names: String = Client::at(load).iter().map(|client| format!(" {:<33}", client.name())).collect();
        println!("\n{:<34}     {}", format!("{at_a_time} at a time"), names.trim_end());
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
    let none = || Trials(Client::at(at_a_time).iter().map(|_| Vec::new()).collect());
    let mut all: Vec<_> = sites.iter().map(|_| none()).collect();
    for round in 0..=args.trials {
        for (site, trials) in sites.iter().zip(&mut all) {
            for (client, own) in Client::at(at_a_time).iter().zip(&mut trials.0) {
                let figures = site.trial(*client, at_a_time, args.exchanges)?;
                if round > 0 {
                    own.push(figures);
                }
            }
        }
    }
    Ok(all)
}

/// Every client's figures, a line a quantile; whether the intervals of all others meet ours.
fn print(what: &str, trials: &Trials) -> Result<bool, BenchError> {
    let mut agree = true;
    for (index, (name, _)) in QUANTILES.iter().enumerate() {
        let figures = trials.0.iter().map(|own| Figure::of(own.iter().map(|trial| trial[index])));
        let figures = figures.collect::<Result<Vec<_>, _>>()?;
        let Some((ours, others)) = figures.split_first() else { continue };
        let mut line = format!("{what:<34} {name}  {:<33}", ours.text());
        for theirs in others {
            let meet = ours.meets(theirs);
            agree &= meet;
            let cell = format!("{} {}", theirs.text(), if meet { "agree" } else { "differ" });
            line += &format!(" {cell:<33}");
        }
        println!("{}", line.trim_end());
    }
    Ok(agree)
}

/// Who connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    Ours,
    Curl,
    Httping,
}

impl Client {
    /// Of so many connections at a time: ours, then the others that can.
    fn at(at_a_time: NonZeroU32) -> &'static [Self] {
        if at_a_time == NonZeroU32::MIN { &[Self::Ours, Self::Curl, Self::Httping] } else { &[Self::Ours, Self::Curl] }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ours => "lbcurve",
            Self::Curl => "curl",
            Self::Httping => "httping",
        }
    }
}

/// A programmed node, and servers behind it.
struct Site {
    topology: Topology,
    asked: Asked,
    clients: ipnet::Ipv4Net,
    /// Trials of clients that are none of ours.
    others: Cell<u32>,
    _servers: Servers,
    _balancer: Box<dyn Backend>,
}

/// Quantiles of every trial of each client, in the order of [`Client::at`] and [`QUANTILES`], microseconds.
struct Trials(Vec<Vec<[f64; 2]>>);

impl Trials {
    /// What each trial took beyond the same client's of `other` in the same round.
    fn beyond(&self, other: &Self) -> Self {
        let less = |(own, other): (&Vec<[f64; 2]>, &Vec<[f64; 2]>)| {
            own.iter().zip(other).map(|(own, other)| [own[0] - other[0], own[1] - other[1]]).collect()
        };
        Self(self.0.iter().zip(&other.0).map(less).collect())
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
        Ok(Self { topology, asked, clients, others: Cell::new(0), _servers: servers, _balancer: balancer })
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

    /// One trial of a client.
    fn trial(&self, client: Client, at_a_time: NonZeroU32, exchanges: u32) -> Result<[f64; 2], BenchError> {
        let order = || Order {
            client: &self.topology.client,
            from: self.address(),
            to: self.asked.address,
            connections: exchanges,
        };
        let times = match client {
            Client::Ours => return self.ours(at_a_time, exchanges),
            Client::Curl => curl::times(&order(), at_a_time)?,
            Client::Httping => httping::times(&order())?,
        };
        all_connected(client.name(), times.len(), exchanges)?;
        let [p50, p90] = QUANTILES.map(|(_, probability)| quantile(&times, probability));
        Ok([p50?, p90?])
    }

    /// A client's address, of its own for every trial, so that no port of one before comes again.
    fn address(&self) -> Ipv4Addr {
        let trial = self.others.replace(self.others.get() + 1);
        Ipv4Addr::from(u32::from(self.clients.broadcast()) - 1 - trial % ADDRESSES)
    }
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
