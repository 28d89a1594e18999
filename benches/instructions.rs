//! Instructions of the pure code, counted by callgrind: the same number in every run of one build, where a clock shows a change of a
//! percent only after many. `cargo xtask bench-instructions` sets up what this needs, and holds the counts to the committed baseline.
//!
//! Counted is the function of a benchmark alone, not what its set-up makes. The C library's copying routines are counted where the
//! code calls them; they are pinned to those of the oldest CPU, for the library picks others on others.

use std::process::Command;

/// Version of gungraun-runner; it must be that of the library.
const RUNNER: &str = "0.20.0";

fn main() {
    // Below valgrind the environment is empty, and the argument says what to run.
    let below_valgrind = std::env::args().nth(1).is_some_and(|argument| argument == "--gungraun-run");
    if !below_valgrind && let Some(missing) = missing() {
        println!("instructions: left out: {missing}; `cargo xtask bench-instructions` sets it up and runs this");
        return;
    }
    counted::run();
}

fn missing() -> Option<String> {
    let answers = |program: &str| Command::new(program).arg("--version").output().ok();
    if answers("valgrind").is_none() {
        return Some("valgrind is not installed".to_owned());
    }
    let runner = answers("gungraun-runner");
    if runner.is_none() {
        return Some(format!("gungraun-runner {RUNNER} is not in PATH"));
    }
    None
}

mod counted {
    use std::hint::black_box;
    use std::net::SocketAddrV4;

    use curve_stats::{Fit, NoiseFloor, Observation, StatsError, fit};
    use datapath_common::balancer::checksum::Change;
    use datapath_common::balancer::native::NativeTables;
    use datapath_common::balancer::{Decision, Endpoint, V4, balance, maglev};
    use datapath_sim::Datapath;
    use gungraun::{LibraryBenchmarkConfig, library_benchmark, library_benchmark_group};
    use lbcurve::backend::{Rendered, backend};
    use lbcurve::result::BackendKind;
    use lbcurve::workload::{VipLayout, Workload};
    use lbcurve_benches::tables::{build_maglev, connection, endpoint, tables};
    use lbcurve_benches::{MODELS, packet, workload};

    /// glibc's tunable: none of these, whatever the CPU has.
    const OLDEST: &str =
        "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX2,-AVX,-BMI2,-ERMS,-FSRM,-SSE4_2,-SSE4_1,-SSSE3";

    pub(super) fn run() {
        main();
    }

    fn small(_: BackendKind) -> Workload {
        workload(100, VipLayout::Sequential)
    }

    fn rendering(kind: BackendKind) -> (BackendKind, Workload) {
        (kind, small(kind))
    }

    #[library_benchmark(setup = rendering)]
    #[bench::iptables(BackendKind::IptablesLegacy)]
    #[bench::ipvs(BackendKind::Ipvs)]
    #[bench::nftables(BackendKind::Nftables)]
    fn render((kind, workload): (BackendKind, Workload)) -> Rendered {
        backend(kind).render(&workload)
    }

    fn curve(trials: u32) -> Vec<Observation> {
        let sizes = [1_u32, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000];
        let value = |services, trial| 11_000.0 + 26.0 * f64::from(services) + f64::from(trial * 7 % 11);
        let of_size = |services| (0..trials).map(move |trial| Observation::new(services, value(services, trial)));
        sizes.into_iter().flat_map(of_size).collect()
    }

    #[library_benchmark(setup = curve)]
    #[bench::three_trials(3)]
    #[bench::ten_trials(10)]
    fn fit_curve(trials: Vec<Observation>) -> Result<Fit, StatsError> {
        fit(&trials, NoiseFloor::NONE)
    }

    /// A model by its place among [`MODELS`], at its worst position.
    fn model((index, services): (usize, u32)) -> (Box<dyn Datapath>, SocketAddrV4) {
        let model = MODELS[index];
        let (fresh, destination) = model.with_services(services, model.worst);
        (fresh(), destination)
    }

    // 100 new flows.
    #[library_benchmark(setup = model)]
    #[bench::conntrack((0, 1_000))]
    #[bench::iptables((1, 1_000))]
    #[bench::ipvs((2, 1_000))]
    #[bench::nftables((5, 1_000))]
    #[bench::ebpf((6, 1_000))]
    fn lookup((mut datapath, destination): (Box<dyn Datapath>, SocketAddrV4)) -> u64 {
        (0..100).map(|flow| datapath.process(&packet(flow, destination)).steps.total()).sum()
    }

    fn native((services, maglev): (u32, bool)) -> NativeTables {
        tables(services, maglev)
    }

    // 100 new flows to the last service, and a second packet of each.
    #[library_benchmark(setup = native)]
    #[bench::random((1_000, false))]
    #[bench::maglev((1_000, true))]
    fn load_balancer(mut tables: NativeTables) -> usize {
        let flows = (0..100).chain(0..100);
        flows.filter(|flow| balance(&mut tables, &connection(*flow, 999)) != Decision::Pass).count()
    }

    fn pods(count: u32) -> (Vec<Endpoint<V4>>, Vec<u16>) {
        ((0..count).map(endpoint).collect(), vec![0; maglev::size_for(count) as usize])
    }

    #[library_benchmark(setup = pods)]
    #[bench::ten_endpoints(10)]
    #[bench::hundred_endpoints(100)]
    fn maglev_table((endpoints, mut table): (Vec<Endpoint<V4>>, Vec<u16>)) -> Vec<u16> {
        build_maglev(&endpoints, &mut table);
        table
    }

    // 1,000 packets whose destination is rewritten.
    #[library_benchmark]
    fn checksum() -> u16 {
        let (vip, port) = (V4::new([10, 64, 0, 10]), 80_u16.to_be());
        (0..1_000).fold(0x1234, |checksum, index| {
            let to = black_box(endpoint(index));
            Change::NONE.address(vip, to.addr).word(port, to.port_be).apply(checksum)
        })
    }

    library_benchmark_group!(name = balancer; benchmarks = load_balancer, maglev_table, checksum);
    library_benchmark_group!(name = rendering_rules; benchmarks = render);
    library_benchmark_group!(name = statistics; benchmarks = fit_curve);
    library_benchmark_group!(name = models; benchmarks = lookup);

    gungraun::main!(
        config = LibraryBenchmarkConfig::default().env("GLIBC_TUNABLES", OLDEST);
        library_benchmark_groups = rendering_rules, statistics, models, balancer
    );
}
