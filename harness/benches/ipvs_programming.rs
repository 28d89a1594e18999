//! `cargo bench -p lbcurve --bench ipvs_programming`: IPVS services and their addresses by this project's netlink, against
//! `ip -batch` and `ipvsadm -R` doing the same, on one kernel in the deterministic vm. Prints both, their ratio, and the share of
//! ours that is spent outside the kernel. No root; N may be given as argument (default 10,000).

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use lbcurve::backend::ipvs::compare::Comparison;
use lbcurve::chain::one_line;
use lbcurve::venue::vm::{GuestJob, KernelSource, VmVenue};
use lbcurve::workload::{AddressPlan, Protocol, VipLayout, WorkloadSpec};

const ENDPOINTS: u32 = 2;

fn main() -> ExitCode {
    // `cargo test --benches` passes --test, `cargo bench` --bench: neither is an N.
    let services = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(10_000);
    match compare(services) {
        Ok(comparison) => {
            print(services, comparison);
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("ipvs_programming: {message}");
            ExitCode::FAILURE
        }
    }
}

fn compare(services: u32) -> Result<Comparison, String> {
    let workload = WorkloadSpec {
        services,
        endpoints: ENDPOINTS,
        layout: VipLayout::Sequential,
        protocol: Protocol::Tcp,
        seed: 42,
        addresses: AddressPlan::default(),
    };
    let init = PathBuf::from(env!("CARGO_BIN_EXE_lbcurve"));
    let vm = VmVenue::open_with_init(&KernelSource::default(), Some(true), init, &mut |line| eprintln!("{line}"))
        .map_err(|error| one_line(&error))?;
    let mut answer = Err("the guest did not answer".to_owned());
    let mut on_line = |line: &str| answer = serde_json::from_str(line).map_err(|error| error.to_string());
    let job = GuestJob::CompareIpvs { workload };
    vm.boot(&job, &mut on_line, &AtomicBool::new(false)).map_err(|error| one_line(&error))?;
    answer
}

fn print(services: u32, comparison: Comparison) {
    let Comparison { netlink, netlink_user, ip_batch, ipvsadm_restore } = comparison;
    let millions = |instructions: u64| instructions as f64 / 1e6;
    let tools = ip_batch + ipvsadm_restore;
    println!("IPVS, {services} services x {ENDPOINTS} endpoints from nothing, million guest instructions:");
    println!("  netlink (lbcurve)       {:10.1}", millions(netlink));
    println!("    of it outside kernel  {:10.1}  ({:.1}%)", millions(netlink_user), share(netlink_user, netlink));
    println!("  ip -batch               {:10.1}", millions(ip_batch));
    println!("  ipvsadm -R              {:10.1}", millions(ipvsadm_restore));
    println!("  netlink / tools         {:10.3}", share(netlink, tools) / 100.0);
}

fn share(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}
