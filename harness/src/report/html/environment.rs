//! Machine, tools and plan as lists of name and value.

use clap::ValueEnum;

use crate::report::number::{Medium, count, significant};
use crate::result::{Finding, Readings, RunFile, name};

fn entry(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

/// The machine, its kernels and the tools.
pub(super) fn machine(run: &RunFile) -> Vec<(String, String)> {
    let environment = &run.environment;
    let gibibytes = environment.memory_bytes as f64 / f64::from(1 << 30);
    let mut entries = vec![
        entry("lbcurve", &environment.lbcurve_version),
        entry("date", &environment.date),
        entry("CPU", format!("{} ({} logical)", environment.cpu_model, environment.cpus)),
        entry("memory", format!("{} GiB", significant(gibibytes, 3, Medium::Html))),
        entry("virtualisation", environment.virtualisation.as_deref().unwrap_or("none")),
        entry("distribution", &environment.distribution),
    ];
    entries.extend(environment.kernels.iter().map(|kernel| {
        let value = format!("{} {} (unit: {})", kernel.release, kernel.version, kernel.unit);
        entry(&format!("kernel, {}", name(&kernel.venue)), value)
    }));
    entries.extend(environment.tools.iter().map(|(tool, version)| entry(tool, version)));
    entries.extend(noise(run));
    entries.push(entry("eBPF object (SHA-256)", &environment.ebpf_object_sha256));
    entries
}

/// How quiet the machine was: verdict, readings and what was found.
fn noise(run: &RunFile) -> Vec<(String, String)> {
    let Some(preflight) = &run.environment.preflight else { return Vec::new() };
    let verdict = format!("{}, score {} of 100", preflight.verdict, preflight.score);
    let mut entries =
        vec![entry("noise before host trials", verdict), entry("noise readings", readings(&preflight.readings))];
    let found = |finding: &Finding| {
        entry(&format!("noise: {}", finding.reading), format!("-{}: {}", finding.points, finding.advice))
    };
    entries.extend(preflight.findings.iter().map(found));
    entries
}

fn readings(readings: &Readings) -> String {
    let percent = |share: f64| format!("{}%", significant(share * 100.0, 3, Medium::Html));
    let rate = |value: f64| significant(value, 3, Medium::Html);
    let waited = readings.waited.map_or_else(|| "unknown".to_owned(), percent);
    let worst = readings.loops.iter().map(|reading| reading.variation).fold(0.0, f64::max);
    format!(
        "steal {}, waited for a CPU {waited}, fixed loop varies by {} at most, {} involuntary and {} voluntary switches/s, {} \
         interrupts/s and {} soft interrupts/s on each CPU, {} other tasks ready, load average {}, governor {}",
        percent(readings.steal),
        percent(worst),
        rate(readings.involuntary_switches),
        rate(readings.voluntary_switches),
        rate(readings.interrupts),
        rate(readings.soft_interrupts),
        rate(readings.runnable),
        rate(readings.load_average),
        readings.frequency.governor.as_deref().unwrap_or("not shown"),
    )
}

fn names<T: ValueEnum>(values: &[T]) -> String {
    values.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn numbers(values: &[u32]) -> String {
    values.iter().map(|value| count(u64::from(*value), Medium::Html)).collect::<Vec<_>>().join(", ")
}

/// What was asked for.
pub(super) fn plan(run: &RunFile) -> Vec<(String, String)> {
    let plan = &run.plan;
    let mut entries = vec![
        entry("preset", plan.preset.as_deref().unwrap_or("none")),
        entry("venues", names(&plan.venues)),
        entry("backends", names(&plan.backends)),
        entry("services (N)", numbers(&plan.services)),
        entry("endpoints a service (M)", numbers(&plan.endpoints)),
        entry("VIP layouts", names(&plan.layouts)),
        entry("protocols", names(&plan.protocols)),
        entry("flows", names(&plan.flows)),
        entry("positions", names(&plan.positions)),
        entry("trials of each cell, at most", count(u64::from(plan.trials), Medium::Html)),
        entry("packets of each trial, at least", count(plan.packets, Medium::Html)),
        entry("cells", count(plan.cells.len() as u64, Medium::Html)),
        entry("seed", plan.seed.to_string()),
        entry("vm counts instructions", if plan.deterministic { "yes" } else { "no" }),
    ];
    entries.extend(plan.scheduler.map(|scheduler| entry("scheduler of IPVS", scheduler.name())));
    entries.extend(plan.decisions.map(|flows| entry("flows of each cell's decisions", flows.to_string())));
    entries.extend(plan.fairness.map(|flows| entry("flows of each way of spreading", flows.to_string())));
    entries.extend(
        plan.self_test_bias.map(|times| entry("self-test: the first endpoint's share", format!("{times} times"))),
    );
    entries.extend(plan.rates.map(|method| entry("search for rates", name(&method))));
    entries.extend(plan.reachability.then(|| entry("reachability", "yes")));
    if !plan.packet_sizes.is_empty() {
        let sizes: Vec<_> = plan.packet_sizes.iter().map(ToString::to_string).collect();
        entries.push(entry("bytes of its packets", sizes.join(", ")));
    }
    if !plan.new_shares.is_empty() {
        let shares: Vec<_> = plan.new_shares.iter().map(ToString::to_string).collect();
        entries.push(entry("its mixes: packets that open a flow", shares.join(", ")));
    }
    if !plan.connections.is_empty() {
        let loads: Vec<_> = plan.connections.iter().map(ToString::to_string).collect();
        entries.push(entry("loads of real connections", loads.join(", ")));
    }
    entries
}
