//! `cargo bench -p lbcurve --bench balancer_test_run` (root): what the load balancer's forward programs take for a packet, by
//! `BPF_PROG_TEST_RUN`, over the number of services, ten endpoints each and a random choice among them.
//!
//! A wrapper writes each packet anew and hands it on by a tail call; its own cost is measured the same way, before a program that does
//! nothing. Every figure is the median of several runs, taken in several processes, whose medians differ: printed are the median of the
//! processes and their range. After every run the connection tables and the last packet show whether hits were hits, new flows new
//! and misses misses; where not, the bench fails. Options: `-- --processes 5 --services 1,10000,100000 --packets 40000`.
//!
//! `cargo test` runs it too, with one service and few packets.

use std::process::{Command, ExitCode};

use clap::{Parser, ValueEnum};
use curve_stats::median;
use lbcurve::backend::ebpf::{Behind, ENDPOINTS, Hook, KNOWN_FLOWS, Packets, Stand, StandError};
use lbcurve::chain::one_line;
use lbcurve::venue::host::release;

/// Runs of one figure in a process.
const RUNS: u32 = 5;
const KINDS: usize = Packets::ALL.len();

#[derive(Debug, Parser)]
struct Args {
    /// Processes that measure each N at each hook.
    #[arg(long, default_value_t = 5)]
    processes: u32,
    /// N, several with commas.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10_000, 100_000])]
    services: Vec<u32>,
    /// Packets of a run. Five runs of 40,000 new flows leave the connection tables with room.
    #[arg(long, default_value_t = 40_000)]
    packets: u32,
    /// What `cargo bench` passes.
    #[arg(long, hide = true)]
    bench: bool,
    /// One process, which prints its figures as numbers.
    #[arg(long, hide = true)]
    one: Option<At>,
}

/// A hook on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum At {
    Tc,
    Xdp,
}

impl At {
    fn name(self) -> &'static str {
        match self {
            Self::Tc => "tc",
            Self::Xdp => "xdp",
        }
    }
}

/// What a process found, ns a packet.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Figures {
    /// Loading and filling, ms.
    programming: f64,
    both: [f64; KINDS],
    wrapper: [f64; KINDS],
}

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let args = if words.iter().any(|word| word == "--bench" || word == "--one") {
        Args::parse()
    } else if words.is_empty() || words.iter().any(|word| "balancer_test_run".contains(word.as_str())) {
        println!("balancer_test_run: a test, too short for its figures to mean anything");
        Args { processes: 1, services: vec![1], packets: 1_000, bench: false, one: None }
    } else {
        // `cargo test NAME` asks for another test.
        return ExitCode::SUCCESS;
    };
    let result = match args.one {
        Some(at) => args.services.iter().try_for_each(|services| print_one(at, *services, args.packets)),
        None => print_all(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("balancer_test_run: {message}");
            ExitCode::FAILURE
        }
    }
}

fn print_one(at: At, services: u32, packets: u32) -> Result<(), String> {
    let figures = measure(at, services, packets).map_err(|error| one_line(&error))?;
    let numbers = [figures.programming].into_iter().chain(figures.both).chain(figures.wrapper);
    println!("{}", numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(" "));
    Ok(())
}

fn measure(at: At, services: u32, packets: u32) -> Result<Figures, StandError> {
    let hook = match at {
        At::Tc => Hook::Tc,
        At::Xdp => Hook::Xdp,
    };
    let mut stand = Stand::new(hook, services)?;
    let programming = stand.programming().as_secs_f64() * 1e3;
    let mut figures = Figures { programming, both: [0.0; KINDS], wrapper: [0.0; KINDS] };
    for (kind, (both, wrapper)) in Packets::ALL.into_iter().zip(figures.both.iter_mut().zip(&mut figures.wrapper)) {
        for (behind, figure) in [(Behind::Balancer, both), (Behind::Nothing, wrapper)] {
            let runs = (0..RUNS).map(|_| stand.run(kind, behind, packets));
            let runs = runs.map(|mean| mean.map(|mean| mean.as_nanos() as f64)).collect::<Result<Vec<_>, _>>()?;
            *figure = median(&runs).unwrap_or(f64::NAN);
        }
    }
    Ok(figures)
}

/// Starts the processes, turn by turn, and prints the table.
fn print_all(args: &Args) -> Result<(), String> {
    let cells: Vec<_> =
        [At::Tc, At::Xdp].into_iter().flat_map(|at| args.services.iter().map(move |n| (at, *n))).collect();
    let mut figures = vec![Vec::new(); cells.len()];
    for _ in 0..args.processes.max(1) {
        for ((at, services), figures) in cells.iter().zip(&mut figures) {
            figures.push(measure_apart(*at, *services, args.packets)?);
        }
    }
    print_heading(args);
    for ((at, services), figures) in cells.iter().zip(&figures) {
        print_cell(*at, *services, figures);
    }
    Ok(())
}

fn measure_apart(at: At, services: u32, packets: u32) -> Result<Figures, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(["--one", at.name(), "--services", &services.to_string(), "--packets", &packets.to_string()]);
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(format!("{} with {services} services ({}): {said}", at.name(), output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    figures(&text).ok_or_else(|| format!("{} with {services} services printed {text:?}", at.name()))
}

/// The inverse of [`print_one`].
fn figures(text: &str) -> Option<Figures> {
    let numbers: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let (programming, times) = numbers.split_first()?;
    let (both, wrapper) = times.split_at_checked(KINDS)?;
    Some(Figures { programming: *programming, both: both.try_into().ok()?, wrapper: wrapper.try_into().ok()? })
}

fn print_heading(args: &Args) {
    println!("BPF_PROG_TEST_RUN of the load balancer's forward programs, kernel {}", release());
    println!(
        "N services x {ENDPOINTS} endpoints, drawn at random; existing flows are {KNOWN_FLOWS} in turn, to services drawn from all N"
    );
    println!(
        "ns a packet: median of {RUNS} runs of {} packets, of {} processes the median (least to most)\n",
        args.packets, args.processes
    );
    println!(
        "{:<5}{:>7}  {:<22}{:>22}{:>20}{:>22}",
        "hook", "N", "packets", "load balancer", "wrapper alone", "both together"
    );
}

fn print_cell(at: At, services: u32, figures: &[Figures]) {
    for (kind, packets) in Packets::ALL.into_iter().enumerate() {
        let of = |figure: &dyn Fn(&Figures) -> f64| summary(&figures.iter().map(figure).collect::<Vec<_>>());
        println!(
            "{:<5}{services:>7}  {:<22}{:>22}{:>20}{:>22}",
            at.name(),
            packets.name(),
            of(&|figures| figures.both[kind] - figures.wrapper[kind]),
            of(&|figures| figures.wrapper[kind]),
            of(&|figures| figures.both[kind]),
        );
    }
    let programming: Vec<_> = figures.iter().map(|figures| figures.programming).collect();
    println!("{:<5}{services:>7}  programmed in {} ms, read back equal\n", at.name(), summary(&programming));
}

fn summary(values: &[f64]) -> String {
    let (least, most) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
    format!("{:.0} ({least:.0} to {most:.0})", median(values).unwrap_or(f64::NAN))
}
