//! `cargo bench -p lbcurve --bench balancer_test_run` (root): what the load balancer's forward programs take for a packet, by
//! `BPF_PROG_TEST_RUN`, over the number of services, ten endpoints each and a random choice among them.
//!
//! A wrapper writes each packet anew and hands it on by a tail call; its own cost is measured the same way and printed beside what
//! both take together. Every figure is the median of several runs, taken in several processes, whose medians differ: printed are
//! the median of the processes and their range. Options: `--processes 5 --services 1,10000,100000`.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::process::{Command, ExitCode};
use std::time::Duration;

use datapath_common::balancer::again::Order;
use lbcurve::backend::BackendError;
use lbcurve::backend::ebpf::{Again, Behind, Hook};
use lbcurve::chain::one_line;
use lbcurve::net::Topology;
use lbcurve::workload::{AddressPlan, Protocol, VipLayout, Workload, WorkloadSpec};

const ENDPOINTS: u32 = 10;
/// Flows that are asked for again and again, to services drawn from all.
const KNOWN_FLOWS: u64 = 10_000;
/// Runs of one figure in a process.
const RUNS: u32 = 5;
/// Packets of a run. Five runs of new flows leave the connection tables (262,144 flows) with room.
const PACKETS: u32 = 40_000;
/// New flows that fill the connection tables, and more.
const FILLING: u32 = 300_000;
const SEED: u64 = 42;
/// First argument of a process that measures one N at one hook.
const ONE: &str = "--one";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((first, [hook, services, ..])) if first == ONE => one(hook, services),
        _ => all(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("balancer_test_run: {message}");
            ExitCode::FAILURE
        }
    }
}

fn option<'a>(arguments: &'a [String], name: &str, default: &'a str) -> &'a str {
    arguments.iter().skip_while(|word| *word != name).nth(1).map_or(default, String::as_str)
}

/// Starts the processes, turn by turn, and prints the table.
fn all(arguments: &[String]) -> Result<(), String> {
    let processes: u32 =
        option(arguments, "--processes", "5").parse().map_err(|error| format!("--processes: {error}"))?;
    let services: Vec<&str> = option(arguments, "--services", "1,10000,100000").split(',').collect();
    let mut figures: BTreeMap<(String, usize, usize), Vec<f64>> = BTreeMap::new();
    for _ in 0..processes {
        for hook in ["tc", "xdp"] {
            for (n, services) in services.iter().enumerate() {
                for (line, nanoseconds) in measure_apart(hook, services)?.into_iter().enumerate() {
                    figures.entry((hook.to_owned(), n, line)).or_default().push(nanoseconds);
                }
            }
        }
    }
    println!("ns a packet, median of {processes} processes (their range); the wrapper's own cost is not subtracted");
    println!("{:<5} {:>8}  {:<34} {:>22} {:>22}", "hook", "N", "packets", "wrapper and balancer", "wrapper alone");
    for ((hook, n, line), values) in &figures {
        // Pairs of lines: with the balancer, then without.
        if line % 2 == 0 {
            let alone = figures.get(&(hook.clone(), *n, line + 1)).map_or(&[][..], Vec::as_slice);
            let (packets, n) = (Packets::ALL[line / 2].name(), services[*n]);
            println!("{hook:<5} {n:>8}  {packets:<34} {:>22} {:>22}", summary(values), summary(alone));
        }
    }
    Ok(())
}

fn measure_apart(hook: &str, services: &str) -> Result<Vec<f64>, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(program).args([ONE, hook, services]).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| line.parse().map_err(|error| format!("{line:?}: {error}"))).collect()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted.get((sorted.len().max(1) - 1) / 2), sorted.get(sorted.len() / 2));
    low.zip(high).map_or(f64::NAN, |(low, high)| (low + high) / 2.0)
}

fn summary(values: &[f64]) -> String {
    let (least, most) = values.iter().fold((f64::INFINITY, 0.0_f64), |(a, b), v| (a.min(*v), b.max(*v)));
    format!("{:.0} ({least:.0} to {most:.0})", median(values))
}

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Packets {
    Existing,
    New,
    NewWhenFull,
    Miss,
}

impl Packets {
    const ALL: [Self; 4] = [Self::Existing, Self::New, Self::NewWhenFull, Self::Miss];

    fn name(self) -> &'static str {
        match self {
            Self::Existing => "existing flow (10,000 in turn)",
            Self::New => "new flow",
            Self::NewWhenFull => "new flow, connection tables full",
            Self::Miss => "miss (no VIP)",
        }
    }
}

/// Measures one N at one hook, and prints a figure a line: for each kind of packets with the balancer, and without.
fn one(hook: &str, services: &str) -> Result<(), String> {
    let hook = if hook == "tc" { Hook::Tc } else { Hook::Xdp };
    let services = services.parse().map_err(|error| format!("{services:?}: {error}"))?;
    let spec = WorkloadSpec {
        services,
        endpoints: ENDPOINTS,
        layout: VipLayout::Sequential,
        protocol: Protocol::Udp,
        seed: SEED,
        addresses: AddressPlan::default(),
    };
    let workload = Workload::generate(&spec).map_err(|error| one_line(&error))?;
    let topology = Topology::create(&workload.addresses).map_err(|error| one_line(&error))?;
    let _inside = topology.node.enter().map_err(|error| one_line(&error))?;
    let figures = measure(hook, &workload).map_err(|error| one_line(&error))?;
    figures.iter().for_each(|figure| println!("{figure}"));
    Ok(())
}

fn measure(hook: Hook, workload: &Workload) -> Result<Vec<f64>, BackendError> {
    let services = &workload.services;
    let vips: Vec<_> = services.iter().map(|service| SocketAddrV4::new(service.vip, service.port)).collect();
    let pods: Vec<_> =
        services.iter().flat_map(|s| s.endpoints.first()).map(|pod| SocketAddrV4::new(pod.addr, pod.port)).collect();
    let targets = u32::try_from(vips.len()).unwrap_or(u32::MAX);
    let mut again = Again::new(hook, workload, targets)?;
    let client_base = u32::from(workload.addresses.client_range.network()) + 1;
    let mut source = Source { order: Order { seed: SEED, targets, client_base, ..Order::default() } };
    let mut figures = Vec::new();
    for packets in Packets::ALL {
        again.aim(if packets == Packets::Miss { &pods } else { &vips })?;
        match packets {
            Packets::Existing => drop(again.run(Behind::Balancer, source.known(), KNOWN_FLOWS as u32)?),
            Packets::NewWhenFull => drop(again.run(Behind::Balancer, source.fresh(FILLING), FILLING)?),
            Packets::New | Packets::Miss => {}
        }
        for behind in [Behind::Balancer, Behind::Nothing] {
            let mut runs = Vec::new();
            for _ in 0..RUNS {
                let order = if packets == Packets::Existing { source.known() } else { source.fresh(PACKETS) };
                runs.push(nanoseconds(again.run(behind, order, PACKETS)?));
            }
            figures.push(median(&runs));
        }
    }
    Ok(figures)
}

fn nanoseconds(duration: Duration) -> f64 {
    duration.as_nanos() as f64
}

/// Flow numbers: the known ones first, then fresh ones.
struct Source {
    order: Order,
}

impl Source {
    fn known(&self) -> Order {
        Order { first_flow: 0, flows: KNOWN_FLOWS, ..self.order }
    }

    fn fresh(&mut self, packets: u32) -> Order {
        let first_flow = self.order.first_flow.max(KNOWN_FLOWS);
        self.order.first_flow = first_flow + u64::from(packets);
        Order { first_flow, flows: u64::from(packets), ..self.order }
    }
}
