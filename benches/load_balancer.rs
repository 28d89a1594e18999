//! The load balancer's decision, natively: the source that the eBPF programs are compiled from, on hash tables of user space instead
//! of the kernel's maps. What it takes over N for a packet of a known flow, of a new one, and for one that asks for no service.
//!
//! New flows fill a connection table; it is emptied after [`CYCLE`] of them, while nothing is measured. What the programs take in the
//! kernel, by `BPF_PROG_TEST_RUN`, is another bench's matter: `cargo bench -p lbcurve --bench balancer_test_run`, as root.

use std::cell::RefCell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{AxisScale, BenchmarkId, Criterion, PlotConfiguration, SamplingMode, criterion_group, criterion_main};
use datapath_common::balancer::balance;
use datapath_common::balancer::native::NativeTables;
use lbcurve_benches::tables::{connection, forget_flows, tables};

/// Flows until the connection table is emptied.
const CYCLE: u64 = 4_096;
/// Endpoints drawn at random.
const SIZES: [u32; 4] = [1, 100, 10_000, 100_000];
/// With a Maglev table each: 100,000 of them would take 200 MB.
const MAGLEV_SIZES: [u32; 3] = [1, 100, 10_000];

fn load_balancer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load_balancer: native");
    group.plot_config(PlotConfiguration::default().summary_scale(AxisScale::Logarithmic));
    group.sampling_mode(SamplingMode::Flat).sample_size(10).nresamples(10_000);
    group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(300));
    let drawn = SIZES.map(|services| ("random", services));
    let by_table = MAGLEV_SIZES.map(|services| ("maglev", services));
    for (choice, services) in drawn.into_iter().chain(by_table) {
        // Filled by the first bench that runs; the three take turns with it.
        let filled = RefCell::new(None);
        let with_tables = |bench: &dyn Fn(&mut NativeTables) -> Duration| {
            let mut filled = filled.borrow_mut();
            bench(filled.get_or_insert_with(|| tables(services, choice == "maglev")))
        };
        let last = services - 1;
        group.bench_function(BenchmarkId::new(format!("{choice}, known flow"), services), |bencher| {
            bencher.iter_custom(|packets| with_tables(&|tables| known(tables, packets, last)));
        });
        group.bench_function(BenchmarkId::new(format!("{choice}, new flow"), services), |bencher| {
            bencher.iter_custom(|packets| with_tables(&|tables| new(tables, packets, last)));
        });
        group.bench_function(BenchmarkId::new(format!("{choice}, no service"), services), |bencher| {
            bencher.iter_custom(|packets| with_tables(&|tables| timed(tables, packets, services)));
        });
    }
    group.finish();
}

/// Packets of 1,024 flows in turn, all opened before.
fn known(tables: &mut NativeTables, packets: u64, service: u32) -> Duration {
    forget_flows(tables);
    timed(tables, 1_024, service);
    let start = Instant::now();
    for packet in 0..packets {
        black_box(balance(tables, black_box(&connection(packet % 1_024, service))));
    }
    start.elapsed()
}

/// Each opens a flow.
fn new(tables: &mut NativeTables, packets: u64, service: u32) -> Duration {
    let cycles = (0..packets).step_by(CYCLE as usize).map(|start| CYCLE.min(packets - start));
    cycles
        .map(|flows| {
            forget_flows(tables);
            timed(tables, flows, service)
        })
        .sum()
}

fn timed(tables: &mut NativeTables, flows: u64, service: u32) -> Duration {
    let start = Instant::now();
    for flow in 0..flows {
        black_box(balance(tables, black_box(&connection(flow, service))));
    }
    start.elapsed()
}

criterion_group!(benches, load_balancer);
criterion_main!(benches);
