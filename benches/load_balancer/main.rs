//! The load balancer's decision over N, for a packet of an existing flow, of a new one, and for one that asks for no service: natively
//! on any machine, and as root the eBPF programs themselves, by `BPF_PROG_TEST_RUN`. One line says which.
//!
//! `cargo bench -p lbcurve --bench balancer_test_run` takes the programs' figures in several processes, and prints a table.

mod kernel;
mod native;

use std::time::Duration;

use criterion::measurement::Measurement;
use criterion::{AxisScale, BenchmarkGroup, Criterion, PlotConfiguration, SamplingMode};
use lbcurve_benches::Count;

const SAMPLES: usize = 10;

fn main() {
    let mut clock = Criterion::default().configure_from_args();
    native::bench(&mut clock);
    kernel::bench(&mut Criterion::default().with_measurement(Count::NANOSECONDS).configure_from_args());
    clock.final_summary();
}

/// The x axis is N.
fn group<'a, M: Measurement>(criterion: &'a mut Criterion<M>, name: &str) -> BenchmarkGroup<'a, M> {
    let mut group = criterion.benchmark_group(name);
    group.plot_config(PlotConfiguration::default().summary_scale(AxisScale::Logarithmic));
    group.sampling_mode(SamplingMode::Flat).sample_size(SAMPLES).nresamples(10_000);
    group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(300));
    group
}
