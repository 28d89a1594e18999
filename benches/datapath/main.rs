//! The kernel's own paths: what a packet of a new flow takes through the node, timed inside the kernel, every backend over N at its worst
//! position. criterion gets the probe's figure by `iter_custom`, and reads no clock of its own.
//!
//! `LBCURVE_BENCH_VENUE` says where:
//! - `host`, the default as root: this kernel, in nanoseconds. Everything happens in namespaces of its own, which go with the process.
//! - `vm`: a stock kernel in QEMU, without root, in instructions: never a time, and printed as what they are. One boot or more
//!   measure all trials first, some minutes; criterion is then given one trial after the other.
//! - `off`, the default otherwise.
//!
//! One line says which it is and what is left out.

mod host;
mod vm;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use criterion::measurement::Measurement;
use criterion::{AxisScale, BenchmarkGroup, Criterion, PlotConfiguration, SamplingMode};
use lbcurve::result::{BackendKind, Flow, Position, name};
use lbcurve::run::plan::VenueOffer;
use lbcurve::run::scenario::{Scenario, VenueChoice, Wishes};
use lbcurve::venue::host::is_root;
use lbcurve::venue::vm::guest::{guest_main, is_guest};
use lbcurve::venue::vm::job;

const VARIABLE: &str = "LBCURVE_BENCH_VENUE";
const SIZES: [u32; 4] = [1, 10, 100, 1_000];
/// Trials of a cell, and criterion's samples.
const TRIALS: u32 = 10;

fn main() -> ExitCode {
    // The vm's init is the program that asks for the vm: this one.
    if is_guest() {
        guest_main(|bytes: &[u8], out: &mut dyn Write| job::run(bytes, out));
    }
    let outcome = match std::env::var(VARIABLE).as_deref() {
        Ok("host") => host::bench(),
        Ok("vm") => vm::bench(),
        Ok("off") => left_out(&format!("{VARIABLE}=off")),
        Ok(other) => Err(format!("{VARIABLE}={other}: there are host, vm and off")),
        Err(_) if is_root() => host::bench(),
        Err(_) => left_out(&format!(
            "timing this kernel needs root; {VARIABLE}=vm measures a stock kernel in QEMU, which takes minutes and no root"
        )),
    };
    Criterion::default().configure_from_args().final_summary();
    outcome.map_or_else(
        |message| {
            eprintln!("datapath: {message}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn left_out(reason: &str) -> Result<(), String> {
    println!("datapath: left out: {reason}");
    Ok(())
}

/// What both venues measure.
fn scenario(venue: VenueChoice) -> Result<Scenario, String> {
    let wishes = Wishes {
        venue: Some(venue),
        backends: Some(BackendKind::value_variants().to_vec()),
        services: Some(SIZES.to_vec()),
        layout: Some(vec![lbcurve::workload::VipLayout::Sequential]),
        flows: Some(vec![Flow::New]),
        positions: Some(vec![Position::First, Position::Last, Position::Missing]),
        trials: Some(TRIALS),
        deterministic: Some(true),
        ..Wishes::default()
    };
    wishes.resolve().map_err(|error| error.to_string())
}

/// The line that says where and what.
fn announce(offer: &VenueOffer, unit: &str) {
    let ready: Vec<_> = offer.backends.iter().map(name).collect();
    let mut line = format!("datapath: {} {}, {unit}: {}", name(&offer.venue), offer.kernel, ready.join(", "));
    for (backend, reason) in &offer.unready {
        line += &format!("; {} left out: {reason}", name(backend));
    }
    println!("{line}");
}

/// Backends to draw: those that balance, and the yardstick of what they add.
fn drawn(offer: &VenueOffer) -> impl Iterator<Item = BackendKind> + '_ {
    offer.backends.iter().copied().filter(|backend| *backend != BackendKind::Direct)
}

/// The x axis is N.
fn group<'a, M: Measurement>(criterion: &'a mut Criterion<M>, offer: &VenueOffer) -> BenchmarkGroup<'a, M> {
    let mut group = criterion.benchmark_group(format!(
        "datapath: new flow, worst position, {} {}",
        name(&offer.venue),
        offer.kernel
    ));
    group.plot_config(PlotConfiguration::default().summary_scale(AxisScale::Logarithmic));
    group.sampling_mode(SamplingMode::Flat).sample_size(TRIALS as usize).nresamples(10_000);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(500));
    group
}
