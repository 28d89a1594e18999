//! The manifest: the machine, the tools, the command and the plan behind a run.

use std::collections::BTreeMap;
use std::process::Command;

use rustix::system::uname;

use super::execute::Venues;
use super::plan::{Measure, MeasureKind, Plan, Setup};
use crate::programs;
use crate::result::{
    Environment, KernelUnderTest, Manifest, Plan as ReportedPlan, PlannedCell, Preflight, SkippedCell, Unit, VenueKind,
    name,
};

/// Collects the manifest of a run that has just ended.
pub fn manifest(plan: &Plan, venues: &Venues, preflight: Option<Preflight>) -> Manifest {
    Manifest { environment: environment(plan, venues, preflight), plan: reported_plan(plan, venues) }
}

/// The cells that were asked for and not measured, each with its reason.
pub fn skipped(plan: &Plan) -> Vec<SkippedCell> {
    let scenario = &plan.scenario;
    let mut cells = Vec::new();
    for skipped in &plan.skipped {
        let services = skipped.services.map_or_else(|| scenario.services.clone(), |services| vec![services]);
        for services in services {
            let setup = Setup {
                backend: skipped.backend,
                bracket: skipped.backend.bracket(),
                layout: scenario.layouts[0],
                protocol: scenario.protocols[0],
                services,
                endpoints: scenario.endpoints[0],
            };
            let position = skipped.backend.worst_position();
            let cell = setup.cell(skipped.venue, &skipped.kernel, scenario.flows[0], position);
            cells.push(SkippedCell { cell, reason: skipped.reason.clone() });
        }
    }
    cells
}

fn reported_plan(plan: &Plan, venues: &Venues) -> ReportedPlan {
    let scenario = &plan.scenario;
    let measures = || plan.batches.iter().flat_map(|batch| &batch.visits).flat_map(|visit| &visit.measures);
    let is_packets = |measure: &&Measure| {
        !matches!(
            measure.kind,
            MeasureKind::Connections { .. }
                | MeasureKind::Rates { .. }
                | MeasureKind::Fairness { .. }
                | MeasureKind::Reachability { .. }
        )
    };
    let mut venues_used: Vec<VenueKind> = plan.batches.iter().map(|batch| batch.venue).collect();
    venues_used.sort_unstable();
    venues_used.dedup();
    ReportedPlan {
        preset: Some(name(&scenario.preset)),
        seed: scenario.seed,
        venues: venues_used,
        backends: scenario.backends.clone(),
        services: scenario.services.clone(),
        endpoints: scenario.endpoints.clone(),
        layouts: scenario.layouts.clone(),
        protocols: scenario.protocols.clone(),
        flows: scenario.flows.clone(),
        positions: scenario.positions.clone(),
        trials: measures().map(|measure| measure.trial + 1).max().unwrap_or(0),
        packets: measures()
            .filter(is_packets)
            .map(|measure| u64::from(measure.packets))
            .filter(|packets| *packets > 0)
            .min()
            .unwrap_or(0),
        deterministic: venues.vms.iter().any(|vm| vm.acceleration.is_deterministic()),
        allow_slow: scenario.allow_slow,
        scheduler: scenario.scheduler,
        decisions: scenario.decisions,
        fairness: scenario.fairness,
        connections: scenario.connections.clone(),
        rates: scenario.rates,
        reachability: scenario.reachability,
        packet_sizes: scenario.unusual_sizes(),
        new_shares: scenario.new_shares.clone(),
        self_test_ballast: scenario.self_test_ballast,
        self_test_bias: scenario.self_test_bias,
        endpoint_choice: scenario.endpoint_choice,
        cluster: scenario.cluster.as_ref().map(|cluster| cluster.origin.clone()),
        addresses: scenario.addresses,
        cells: cells(plan),
    }
}

/// Every cell of the plan once, in the order of its first trial.
fn cells(plan: &Plan) -> Vec<PlannedCell> {
    let mut seen = std::collections::HashSet::new();
    let mut cells = Vec::new();
    for batch in &plan.batches {
        let boot = (batch.venue == VenueKind::Vm).then_some(batch.id);
        for visit in &batch.visits {
            for measure in &visit.measures {
                let MeasureKind::Traversal { flow, position } = measure.kind else { continue };
                if seen.insert((batch.venue, &batch.kernel, visit.setup, flow, position)) {
                    cells
                        .push(PlannedCell { cell: visit.setup.cell(batch.venue, &batch.kernel, flow, position), boot });
                }
            }
        }
    }
    cells
}

fn environment(plan: &Plan, venues: &Venues, preflight: Option<Preflight>) -> Environment {
    Environment {
        lbcurve_version: plan.measured_by.lbcurve.clone(),
        date: humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string(),
        kernels: kernels(venues),
        cpu_model: field_of("/proc/cpuinfo", "model name", ':').unwrap_or_else(|| "unknown".to_owned()),
        cpus: std::thread::available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(u32::MAX)),
        memory_bytes: memory_bytes(),
        virtualisation: virtualisation(),
        distribution: field_of("/etc/os-release", "PRETTY_NAME", '=').unwrap_or_else(|| "unknown".to_owned()),
        tools: tools(),
        ebpf_object_sha256: plan.measured_by.ebpf_object_sha256.clone(),
        preflight,
        command: command(),
    }
}

fn kernels(venues: &Venues) -> Vec<KernelUnderTest> {
    let vms = venues.vms.iter().map(|vm| KernelUnderTest {
        venue: VenueKind::Vm,
        release: vm.kernel.release.clone(),
        version: vm.kernel.identity.clone(),
        unit: vm.place().unit,
        emulated: vm.place().emulated,
    });
    let host = venues.host.as_ref().map(|place| KernelUnderTest {
        venue: VenueKind::Host,
        release: place.kernel.clone(),
        version: uname().version().to_string_lossy().into_owned(),
        unit: Unit::Ns,
        emulated: false,
    });
    vms.chain(host).chain(venues.models.iter().map(|model| model.under_test())).collect()
}

/// Value of the first line of a file that begins with `key`.
fn field_of(path: &str, key: &str, separator: char) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    let (_, value) = line.split_once(separator)?;
    Some(value.trim().trim_matches('"').to_owned())
}

fn memory_bytes() -> u64 {
    let kibibytes = field_of("/proc/meminfo", "MemTotal", ':').unwrap_or_default();
    kibibytes.trim_end_matches(" kB").parse::<u64>().map_or(0, |kibibytes| kibibytes * 1024)
}

/// The hypervisor flag of the CPU, and the machine's own name where firmware gives one.
fn virtualisation() -> Option<String> {
    let flags = field_of("/proc/cpuinfo", "flags", ':')?;
    let product = std::fs::read_to_string("/sys/class/dmi/id/product_name").ok();
    let product = product.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    flags.split(' ').any(|flag| flag == "hypervisor").then(|| product.unwrap_or_else(|| "yes".to_owned()))
}

/// First line of what each tool says of its version; tools that are not here are left out.
fn tools() -> BTreeMap<String, String> {
    let tools = ["iptables-legacy", "iptables-nft", "nft", "ipset", "qemu-system-x86_64"];
    let version = |tool: &str| {
        let output = Command::new(programs::find(tool)?).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Some((tool.to_owned(), text.lines().next()?.to_owned()))
    };
    tools.into_iter().filter_map(version).collect()
}

/// The command as it was given, without the path of the program.
fn command() -> String {
    let words = std::iter::once("lbcurve".to_owned()).chain(std::env::args().skip(1));
    words.collect::<Vec<_>>().join(" ")
}
