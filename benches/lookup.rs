//! Simulated lookups over N: O(n) beside O(1), on any machine and without root. `target/criterion/report/index.html` draws them.
//!
//! What is measured is the steps that a model of `datapath-sim` counts for a packet, not time: a model finds out how many rules the
//! kernel would walk without walking them. The last group is time: what a model itself takes for a packet.
//!
//! Every packet of the first groups opens a flow. A model's tables start empty and take [`CYCLE`] flows; then a fresh copy goes on,
//! made while nothing is measured. So no flow comes twice, and no bucket of a connection table grows longer than it would in a
//! bench that runs for a second.

use std::hint::black_box;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use criterion::measurement::Measurement;
use criterion::{AxisScale, BenchmarkGroup, BenchmarkId, Criterion, PlotConfiguration, SamplingMode};
use datapath_sim::{Datapath, Packet};
use lbcurve_benches::{Count, MODELS, Model, Place, Prototype, packet};

/// Flows that a copy of a model sees.
const CYCLE: u64 = 256;
const SIZES: [u32; 5] = [1, 10, 100, 1_000, 10_000];
/// Where nothing grows.
const FEW_SIZES: [u32; 3] = [1, 100, 10_000];

fn main() {
    let mut counts = Criterion::default().with_measurement(Count::STEPS).configure_from_args();
    new_flows(&mut counts, "lookup: new flow, worst position", &SIZES, |model| model.worst);
    new_flows(&mut counts, "lookup: new flow, no service", &FEW_SIZES, |_| Place::Missing);
    established(&mut counts, "lookup: established flow, worst position", &FEW_SIZES);
    let mut clock = Criterion::default().configure_from_args();
    own_time(&mut clock, "lookup: the model's own time, new flow");
    clock.final_summary();
}

fn new_flows(criterion: &mut Criterion<Count>, name: &str, sizes: &[u32], place: fn(&Model) -> Place) {
    let mut group = group(criterion, name);
    for (model, services) in models(sizes) {
        // Not programmed where criterion is asked for other benches only.
        let mut node = None;
        group.bench_function(BenchmarkId::new(model.name, services), |bencher| {
            let node = node.get_or_insert_with(|| Node::new(&model, services, place(&model)));
            bencher.iter_custom(|flows| {
                let mut steps = 0;
                node.open(flows, |datapath, packets| {
                    steps += packets.map(|packet| datapath.process(&packet).steps.total()).sum::<u64>();
                });
                steps as f64
            });
        });
    }
    group.finish();
}

/// Packets of one flow, which is opened and answered before anything is counted.
fn established(criterion: &mut Criterion<Count>, name: &str, sizes: &[u32]) {
    let mut group = group(criterion, name);
    for (model, services) in models(sizes) {
        let mut flow = None;
        group.bench_function(BenchmarkId::new(model.name, services), |bencher| {
            let (datapath, packet) = flow.get_or_insert_with(|| opened(&model, services));
            let mut counted = || datapath.process(packet).steps.total() as f64;
            bencher.iter_custom(|packets| (0..packets).map(|_| counted()).sum());
        });
    }
    group.finish();
}

/// A datapath that has seen a flow in both directions, and the flow's packet.
fn opened(model: &Model, services: u32) -> (Box<dyn Datapath>, Packet) {
    let (fresh, destination) = model.with_services(services, model.worst);
    let (mut datapath, packet) = (fresh(), packet(0, destination));
    let sent = datapath.process(&packet).packet;
    datapath.reply(&sent.reversed());
    (datapath, packet)
}

fn own_time(criterion: &mut Criterion, name: &str) {
    let mut group = group(criterion, name);
    for (model, services) in models(&[10_000]) {
        let mut node = None;
        group.bench_function(BenchmarkId::new(model.name, services), |bencher| {
            let node = node.get_or_insert_with(|| Node::new(&model, services, model.worst));
            bencher.iter_custom(|flows| {
                let mut time = Duration::ZERO;
                node.open(flows, |datapath, packets| {
                    let start = Instant::now();
                    for packet in packets {
                        black_box(datapath.process(black_box(&packet)));
                    }
                    time += start.elapsed();
                });
                time
            });
        });
    }
    group.finish();
}

/// The x axis is N, which a throughput would take the place of.
fn group<'a, M: Measurement>(criterion: &'a mut Criterion<M>, name: &str) -> BenchmarkGroup<'a, M> {
    let mut group = criterion.benchmark_group(name);
    group.plot_config(PlotConfiguration::default().summary_scale(AxisScale::Logarithmic));
    // Counts repeat, and the clock's group is not what this bench is about.
    group.sampling_mode(SamplingMode::Flat).sample_size(10).nresamples(2_000);
    group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(100));
    group
}

fn models(sizes: &[u32]) -> impl Iterator<Item = (Model, u32)> + '_ {
    MODELS.into_iter().flat_map(|model| sizes.iter().map(move |services| (model, *services)))
}

/// A model that is replaced by a fresh copy after every [`CYCLE`] flows.
struct Node {
    fresh: Prototype,
    destination: SocketAddrV4,
    datapath: Box<dyn Datapath>,
    flows: u64,
}

impl Node {
    fn new(model: &Model, services: u32, place: Place) -> Self {
        let (fresh, destination) = model.with_services(services, place);
        Self { datapath: fresh(), fresh, destination, flows: 0 }
    }

    /// Hands the first packets of so many new flows to `part`, as many at a time as one copy takes.
    fn open(&mut self, flows: u64, mut part: impl FnMut(&mut dyn Datapath, &mut dyn Iterator<Item = Packet>)) {
        let mut left = flows;
        while left > 0 {
            if self.flows == CYCLE {
                self.datapath = (self.fresh)();
                self.flows = 0;
            }
            let count = left.min(CYCLE - self.flows);
            let destination = self.destination;
            let mut packets = (self.flows..self.flows + count).map(|flow| packet(flow, destination));
            part(&mut *self.datapath, &mut packets);
            self.flows += count;
            left -= count;
        }
    }
}
