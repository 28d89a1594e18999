//! Natively: the source that the eBPF programs are compiled from, on hash tables of user space instead of the kernel's maps.
//!
//! New flows fill a connection table; it is emptied after [`CYCLE`] of them, while nothing is measured.

use std::cell::{LazyCell, RefCell};
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use datapath_common::balancer::balance;
use datapath_common::balancer::native::NativeTables;
use lbcurve_benches::tables::{connection, forget_flows, tables};

use super::group;

/// Flows until the connection table is emptied.
const CYCLE: u64 = 4_096;
/// Endpoints drawn at random.
const SIZES: [u32; 4] = [1, 100, 10_000, 100_000];
/// With a Maglev table each: 100,000 of them would take 200 MB.
const MAGLEV_SIZES: [u32; 3] = [1, 100, 10_000];

/// Benches both choices.
pub(super) fn bench(criterion: &mut Criterion) {
    println!("load_balancer: natively");
    let mut group = group(criterion, "load_balancer: native");
    let drawn = SIZES.map(|services| ("random", services));
    let by_table = MAGLEV_SIZES.map(|services| ("maglev", services));
    for (choice, services) in drawn.into_iter().chain(by_table) {
        // Filled by the first bench that runs, before criterion looks at its watch; the three take turns with it.
        let filled = LazyCell::new(|| RefCell::new(tables(services, choice == "maglev")));
        let last = services - 1;
        group.bench_function(BenchmarkId::new(format!("{choice}, existing flow"), services), |bencher| {
            let mut tables = filled.borrow_mut();
            bencher.iter_custom(|packets| existing(&mut tables, packets, last));
        });
        group.bench_function(BenchmarkId::new(format!("{choice}, new flow"), services), |bencher| {
            let mut tables = filled.borrow_mut();
            bencher.iter_custom(|packets| new(&mut tables, packets, last));
        });
        group.bench_function(BenchmarkId::new(format!("{choice}, no service"), services), |bencher| {
            let mut tables = filled.borrow_mut();
            bencher.iter_custom(|packets| timed(&mut tables, packets, services));
        });
    }
    group.finish();
}

/// Packets of 1,024 flows in turn, all opened before.
fn existing(tables: &mut NativeTables, packets: u64, service: u32) -> Duration {
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
